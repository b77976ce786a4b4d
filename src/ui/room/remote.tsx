import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type BoxId, type LiveKind, roomLivePath } from "../../protocol/protocol.ts";
import type { LivePlayer, LiveState } from "../live/live.ts";
import { ROOM } from "../text/room.ts";
import { isBlack } from "./blackness.ts";

const liveAddress = (box: BoxId, kind: LiveKind): string =>
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${roomLivePath(box, kind)}`;

const LOOK_MS = 2_000;
/** Black for so many looks in a row: a cut to a dark slide is no fault. */
const BLACK_LOOKS = 3;

interface Props {
  box: BoxId;
  name: string;
  rendition: "video" | "small";
  audible: boolean;
  gainDb: number;
}

/**
 * Another room's picture and sound. The pixels are watched: where nothing can be seen, words say so, and the screen is
 * never simply black.
 */
export function RemoteRoom({ box, name, rendition, audible, gainDb }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const playing = useRef<LivePlayer | null>(null);
  const state = useSignal<LiveState>("connecting");
  const black = useSignal(false);
  useEffect(() => {
    let closed = false;
    void import("../live/live.ts").then(({ createLivePlayer }) => {
      if (closed || !video.current) return;
      const player = createLivePlayer({
        video: video.current,
        url: (kind) => liveAddress(box, kind),
        picture: rendition,
        onState: (next) => {
          state.value = next;
        },
      });
      player.setGain(gainDb);
      player.setMuted(!audible);
      playing.current = player;
    });
    return () => {
      closed = true;
      playing.current?.close();
      playing.current = null;
      state.value = "connecting";
    };
  }, [box]);
  useEffect(() => playing.current?.setPicture(rendition), [rendition]);
  useEffect(() => playing.current?.setGain(gainDb), [gainDb]);
  useEffect(() => playing.current?.setMuted(!audible), [audible]);
  useEffect(() => {
    let looks = 0;
    const timer = setInterval(() => {
      const dark = state.peek() === "playing" && video.current !== null && isBlack(video.current);
      looks = dark ? looks + 1 : 0;
      black.value = looks >= BLACK_LOOKS;
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const words: Partial<Record<LiveState, string>> = {
    connecting: ROOM.linking,
    waiting: ROOM.noPictureOf(name),
    stalled: ROOM.stalled,
    unsupported: ROOM.cannotPlay,
  };
  const said = words[state.value] ?? (black.value ? ROOM.blackPicture : undefined);
  return (
    <>
      {/* Live speech has no captions to offer. */}
      {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
      <video ref={video} muted playsInline tabIndex={-1} aria-label={name} />
      {said && <p class={state.value === "stalled" ? "talk-words talk-words-over" : "talk-words"}>{said}</p>}
    </>
  );
}
