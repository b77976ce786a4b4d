import { CircleCheck, HardDrive, Landmark, type LucideIcon, Server } from "lucide-preact";
import type { CopyView } from "../../hub/http/views.ts";
import { Alert, Badge, Progress } from "../design/states.tsx";
import { COPIES } from "../text/recordings.ts";
import { percent } from "../text/format.ts";

/** One word for a list: how far the copies have come. */
export function CopiesBadge({ copies }: { copies: CopyView }) {
  if (copies.recorded === 0) return <Badge>{COPIES.none}</Badge>;
  if (copies.provinceComplete) return <Badge tone="ok">{COPIES.complete}</Badge>;
  if (copies.hubComplete)
    return (
      <span class="row-tight">
        <Badge tone="ok">{COPIES.hubComplete}</Badge>
      </span>
    );
  return (
    <Badge tone={copies.refused > 0 ? "warn" : "accent"}>
      {copies.hub === 0 ? COPIES.onlyRoom : `${COPIES.underway} ${percent(copies.hub, copies.recorded)}`}
    </Badge>
  );
}

/** The way of a recording from the room to the hub to the province, each with what is proven there. */
export function CopiesPath({ copies, recording }: { copies: CopyView; recording: boolean }) {
  const { recorded, hub, province } = copies;
  return (
    <>
      <ol class="copies">
        <Place
          icon={HardDrive}
          title={COPIES.room}
          words={recorded === 0 ? COPIES.nothing : COPIES.recorded(recorded, copies.recordedBytes)}
          note={recording ? COPIES.stillRecording : undefined}
        />
        <Place
          icon={Server}
          title={COPIES.hub}
          part={hub}
          whole={recorded}
          done={copies.hubComplete}
          words={copies.hubComplete ? COPIES.hubDone : COPIES.progress(hub, recorded)}
          note={copies.hubComplete && copies.rereadAt ? COPIES.reread(copies.rereadAt) : undefined}
        />
        <Place
          icon={Landmark}
          title={COPIES.province}
          part={province}
          whole={recorded}
          done={copies.provinceComplete}
          words={copies.provinceComplete ? COPIES.provinceDone : COPIES.progress(province, recorded)}
          note={copies.provinceComplete && copies.provinceRereadAt ? COPIES.reread(copies.provinceRereadAt) : undefined}
        />
      </ol>
      {copies.refused > 0 && <Alert tone="warn" title={COPIES.refused(copies.refused)} />}
    </>
  );
}

interface PlaceProps {
  icon: LucideIcon;
  title: string;
  words: string;
  note?: string | undefined;
  part?: number;
  whole?: number;
  done?: boolean;
}

function Place({ icon: Icon, title, words, note, part, whole = 0, done }: PlaceProps) {
  return (
    <li class={done ? "copies-done" : undefined}>
      <p class="copies-title">
        <Icon size={20} aria-hidden="true" />
        <b>{title}</b>
        {part !== undefined &&
          (done ? (
            <CircleCheck size={20} class="copies-check" aria-hidden="true" />
          ) : (
            <span class="copies-percent">{percent(part, whole)}</span>
          ))}
      </p>
      {part !== undefined && <Progress part={done ? 1 : part} whole={done ? 1 : whole} label={title} />}
      <p class="small">{words}</p>
      {note && <p class="small soft">{note}</p>}
    </li>
  );
}
