import type { BoxUpdateView, RoomView } from "../../hub/http/views.ts";
import { Badge, Progress, type Tone } from "../design/states.tsx";
import { RELEASES, UPDATE_STATES, updateReason } from "../text/releases.ts";

const TONES: Partial<Record<BoxUpdateView["state"], Tone>> = {
  healthy: "ok",
  fellBack: "bad",
  refused: "bad",
  trial: "warn",
  downloading: "accent",
  installing: "accent",
};

/** What a box's row is sorted by, and what is read out of its progress. */
export function updateWords(room: RoomView): string {
  const { state, about } = words(room.update);
  return [state, about].filter(Boolean).join(", ");
}

function words(update: BoxUpdateView | null | undefined): { state: string; about: string } {
  if (!update) return { state: "", about: "" };
  const { state, release, reason, percent } = update;
  const far = state === "downloading" ? ` ${percent} %` : "";
  const about = [
    release && state !== "current" ? RELEASES.version(release.version) : "",
    reason === null ? "" : updateReason(reason),
  ];
  return { state: `${UPDATE_STATES[state]}${far}`, about: about.filter(Boolean).join(": ") };
}

/** How far a box is with its update; nothing for a box that the hub does not update. */
export function BoxUpdateState({ room }: { room: RoomView }) {
  const { update } = room;
  if (!update) return <>–</>;
  const { state, about } = words(update);
  return (
    <span class="update-state">
      <Badge tone={TONES[update.state] ?? "neutral"}>{state}</Badge>
      {update.state === "downloading" && (
        <Progress part={update.percent} whole={100} label={`${room.point.name}: ${updateWords(room)}`} />
      )}
      {about && <span class="hint">{about}</span>}
    </span>
  );
}
