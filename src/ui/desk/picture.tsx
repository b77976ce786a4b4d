import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { BoxId, LiveKind, PointId } from "../../protocol/protocol.ts";
import type { LivePlayer, LiveState } from "../live/live.ts";
import { ROOMS } from "../text/rooms.ts";
import { useDesk } from "./store.ts";

const liveUrl = (box: BoxId, kind: LiveKind): string =>
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live/${box}/${kind}`;

/** A tile that is this near to the window begins to play, so that scrolling meets pictures and not blanks. */
const MARGIN = "160px";

interface Props {
  box: BoxId;
  /** The hub shows the other one while this one is not published. */
  picture: "video" | "small";
  point: PointId;
  name: string;
}

/** A room's live picture, which plays only while it can be seen; the room that is listened to gives its sound. */
export function LivePicture({ box, picture, point, name }: Props) {
  const { listening, hearing } = useDesk();
  const video = useRef<HTMLVideoElement>(null);
  const player = useRef<LivePlayer | null>(null);
  const wantedPicture = useRef(picture);
  const visible = useSignal(false);
  const heard = useSignal(false);
  const state = useSignal<LiveState>("connecting");

  useSignalEffect(() => {
    heard.value = listening.value === point || (listening.value === null && hearing.value.has(box));
  });
  useEffect(() => {
    const observer = new IntersectionObserver(
      ([entry]) => {
        visible.value = entry?.isIntersecting ?? false;
      },
      { rootMargin: MARGIN },
    );
    observer.observe(video.current!);
    return () => observer.disconnect();
  }, []);

  // The heard room goes on while it is scrolled away: nobody expects the voice to stop.
  const wanted = visible.value || heard.value;
  useEffect(() => {
    if (!wanted) return undefined;
    let closed = false;
    void import("../live/live.ts").then(({ createLivePlayer }) => {
      if (closed || !video.current) return;
      player.current = createLivePlayer({
        video: video.current,
        url: (kind) => liveUrl(box, kind),
        picture: wantedPicture.current,
        onState: (next) => {
          state.value = next;
        },
      });
      player.current.setMuted(!heard.peek());
    });
    return () => {
      closed = true;
      player.current?.close();
      player.current = null;
      state.value = "connecting";
    };
  }, [wanted, box]);
  useEffect(() => {
    wantedPicture.current = picture;
    player.current?.setPicture(picture);
  }, [picture]);
  useEffect(() => player.current?.setMuted(!heard.value), [heard.value]);

  const words: Partial<Record<LiveState, string>> = {
    connecting: ROOMS.connecting,
    waiting: ROOMS.waiting,
    stalled: ROOMS.stalled,
    unsupported: ROOMS.unsupported,
  };
  return (
    <>
      {/* Live speech has no captions to offer. */}
      {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
      <video ref={video} muted playsInline tabIndex={-1} aria-label={name} />
      {words[state.value] && <p class="picture-words">{words[state.value]}</p>}
      {heard.value && <Meter level={() => player.current?.level() ?? 0} />}
    </>
  );
}

/** How loud it is now. Drawn, not stated: the figure changes ten times a second. */
function Meter({ level }: { level: () => number }) {
  const bar = useRef<HTMLElement>(null);
  useEffect(() => {
    let frame = 0;
    const draw = () => {
      if (bar.current) bar.current.style.transform = `scaleX(${level()})`;
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, []);
  return (
    <span class="meter" aria-hidden="true">
      <i ref={bar} />
    </span>
  );
}
