import { openLink, type Link } from "./link.ts";
import { createPicture, type PictureFacts } from "./picture.ts";
import { createScreen } from "./screen.ts";
import { openSound, type Sound } from "./sound.ts";

export interface LivePlayerOptions {
  video: HTMLVideoElement;
  /** Address of the box's live WebSocket; asked again for each connection. */
  url: (kind: "video" | "audio") => string;
  onState: (state: LiveState) => void;
}

/**
 * connecting: no line to the hub. waiting: the hub has nothing of this room. playing: frames are being shown.
 * stalled: they were, and for a second and a half none came. unsupported: this browser cannot play it.
 */
export type LiveState = "connecting" | "waiting" | "playing" | "stalled" | "unsupported";

/** A room's live picture in a `<video>`, and its sound when wanted; comes back by itself until it is closed. */
export interface LivePlayer {
  /** Players begin muted; the sound's own connection exists only while this is off. */
  setMuted(muted: boolean): void;
  /** Loudness of what is heard now, 0…1. */
  level(): number;
  stats(): LiveStats;
  close(): void;
}

export interface LiveStats {
  engine: "webcodecs" | "mpegts" | "hls" | "none";
  state: LiveState;
  reconnects: number;
  /** Null where the browser's own media source does the work. */
  picture: PictureFacts | null;
  /** Null while nothing is heard. */
  sound: Sound["facts"];
}

export function createLivePlayer(options: LivePlayerOptions): LivePlayer {
  let muted = true;
  let closed = false;
  let player: LivePlayer | undefined;
  const fallBack = async () => {
    player?.close();
    player = undefined;
    const { createFallbackPlayer } = await import("./fallback.ts");
    if (closed) return;
    const fallback = createFallbackPlayer(options);
    fallback.setMuted(muted);
    player = fallback;
  };
  if ("VideoDecoder" in globalThis && "AudioDecoder" in globalThis)
    player = createWebCodecsPlayer(options, () => void fallBack());
  else void fallBack();
  return {
    setMuted(wanted) {
      muted = wanted;
      player?.setMuted(wanted);
    },
    level: () => player?.level() ?? 0,
    stats: () => player?.stats() ?? { engine: "none", state: "connecting", reconnects: 0, picture: null, sound: null },
    close() {
      closed = true;
      player?.close();
    },
  };
}

const STALLED_MS = 1_500;
const LOOK_MS = 250;
/** A hidden page gives its video connection back after this long; the cached key frame brings it back in an instant. */
const HIDDEN_MS = 3_000;

function createWebCodecsPlayer(options: LivePlayerOptions, onUnsupported: () => void): LivePlayer {
  const { video, url, onState } = options;
  let state: LiveState | undefined;
  let link: Link | undefined;
  let sound: Sound | undefined;
  let paintedMs = 0;
  let hiddenMs: number | undefined;
  let reconnects = 0;

  const enter = (next: LiveState) => {
    if (state === next) return;
    state = next;
    onState(next);
  };
  const picture = createPicture({
    screen: createScreen(video),
    onPainted() {
      paintedMs = performance.now();
      enter("playing");
    },
    onUnsupported,
  });
  const open = () =>
    openLink(() => url("video"), {
      onOpen: () => enter("waiting"),
      onTag: (tag) => picture.push(tag),
      onLost() {
        picture.restart();
        enter("connecting");
      },
    });
  const suspend = () => {
    reconnects += link?.reconnects ?? 0;
    link?.close();
    link = undefined;
    picture.restart();
  };
  const isSeen = () => document.visibilityState === "visible" || document.pictureInPictureElement === video;
  const onVisibility = () => {
    if (!isSeen()) {
      hiddenMs ??= performance.now();
      return;
    }
    hiddenMs = undefined;
    link ??= open();
    // Browsers pause a muted video that nobody sees.
    if (video.paused) void video.play().catch(() => {});
  };
  const look = setInterval(() => {
    if (hiddenMs !== undefined && link && performance.now() - hiddenMs > HIDDEN_MS) suspend();
    if (link && state === "playing" && performance.now() - paintedMs > STALLED_MS) enter("stalled");
  }, LOOK_MS);
  const seen = ["visibilitychange", "enterpictureinpicture", "leavepictureinpicture"];
  for (const event of seen) document.addEventListener(event, onVisibility);
  // The caller has its player before it hears of a state.
  queueMicrotask(() => {
    if (state === undefined) enter("connecting");
  });
  link = open();
  onVisibility();
  return {
    setMuted(muted) {
      if (muted) {
        sound?.close();
        sound = undefined;
      } else sound ??= openSound(() => url("audio"));
    },
    level: () => sound?.level() ?? 0,
    stats: () => ({
      engine: "webcodecs",
      state: state ?? "connecting",
      reconnects: reconnects + (link?.reconnects ?? 0),
      picture: picture.facts,
      sound: sound?.facts ?? null,
    }),
    close() {
      clearInterval(look);
      for (const event of seen) document.removeEventListener(event, onVisibility);
      link?.close();
      sound?.close();
      picture.close();
    },
  };
}
