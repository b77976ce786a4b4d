import { useComputed, useSignal } from "@preact/signals";
import type Hls from "hls.js";
import { Volume2 } from "lucide-preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Badge } from "../design/states.tsx";
import { RECORDING } from "../text/recordings.ts";
import { gapWords } from "../text/terms.ts";
import type { Master } from "./master.ts";
import { type Lane, playableAt, playables, playlistSeconds } from "./playback.ts";
import { TileName } from "./tile.tsx";

interface Props {
  room: Lane;
  playlist: string;
  master: Master;
  heard: boolean;
  onHear: () => void;
}

/** One room's recording, played from the verified segments themselves and kept in step by the master clock. */
export function RecordingVideo({ room, playlist, master, heard, onHear }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const failed = useSignal(false);
  const playable = useMemo(() => playables(room), [room.spans, room.hubCopies]);

  useEffect(() => {
    const element = video.current!;
    let closed = false;
    let hls: Hls | undefined;
    void import("hls.js").then(({ default: Hls }) => {
      if (closed) return;
      // The browser's own player only where there is no Media Source: one behaviour everywhere else.
      if (!Hls.isSupported()) {
        element.src = playlist;
        return;
      }
      hls = new Hls({ startPosition: 0, maxBufferLength: 20, backBufferLength: 30, enableWorker: false });
      hls.on(Hls.Events.ERROR, (_, { fatal, type }) => {
        if (!fatal) return;
        if (type === Hls.ErrorTypes.MEDIA_ERROR) hls?.recoverMediaError();
        else failed.value = true;
      });
      hls.loadSource(playlist);
      hls.attachMedia(element);
    });
    return () => {
      closed = true;
      hls?.destroy();
      element.removeAttribute("src");
    };
  }, [playlist]);
  useEffect(() => master.join(room.id, { video: video.current!, playable }), [master, room.id, playable]);
  useEffect(() => {
    video.current!.muted = !heard;
  }, [heard]);

  const words = useComputed(() => {
    const at = master.at.value;
    if (failed.value) return RECORDING.failed;
    if (playlistSeconds(playable, at) !== undefined) return master.loading.value ? RECORDING.loading : undefined;
    const gap = room.gaps.find(({ from, to }) => at >= Date.parse(from) && at < Date.parse(to));
    if (gap) return RECORDING.gapNow(gapWords(gap.cause, room.track).toLowerCase());
    const waiting = room.spans.some(({ startedAt, durationMs, playlistMs }) => {
      const from = Date.parse(startedAt);
      return playlistMs === null && at >= from && at < from + durationMs;
    });
    return waiting ? RECORDING.notYet : RECORDING.outside;
  });
  const isHubCopy = useComputed(() => playableAt(playable, master.at.value)?.hubCopy === true);
  const blank = useComputed(() => failed.value || playlistSeconds(playable, master.at.value) === undefined);
  return (
    <li class={`tile${heard ? " tile-chosen" : ""}`}>
      <div class={`tile-picture${blank.value ? " picture-blank" : ""}`}>
        {/* A recording of speech as it was; a transcript is not part of it. */}
        {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
        <video ref={video} muted playsInline preload="auto" tabIndex={-1} aria-label={room.name} />
        {words.value && <p class="picture-words">{words.value}</p>}
        {(heard || isHubCopy.value) && (
          <div class="tile-marks">
            {isHubCopy.value && <Badge tone="warn">{RECORDING.hubCopyNow}</Badge>}
            {heard && (
              <Badge tone="accent">
                <Volume2 size={14} aria-hidden="true" /> {RECORDING.hearing}
              </Badge>
            )}
          </div>
        )}
      </div>
      <div class="tile-words">
        <h3>
          <TileName name={room.name} pressed={heard} onPress={onHear} />
        </h3>
      </div>
    </li>
  );
}
