import type { LivePlayer, LivePlayerOptions, LiveState } from "./live.ts";
import { engine } from "./engine.ts";
import { webSocketUrl } from "./link.ts";
import type { Order, Report, RoomFacts } from "./orders.ts";
import { createCanvas } from "./screen.ts";
import { openSound, type Sound } from "./sound.ts";

const LOOK_MS = 250;
/** A hidden page gives its video connection back after this long; the cached key frame brings it back in an instant. */
const HIDDEN_MS = 3_000;
/** The worker reports four times a second. */
const DEAD_MS = 5_000;
const REVIVE_MS = 500;

const NOTHING_YET: RoomFacts = {
  picture: {
    ...{ received: 0, decoded: 0, closed: 0, painted: 0, skipped: 0, dropped: 0, jumps: 0, decodeErrors: 0 },
    ...{ queued: 0, ageMs: 0, last: null },
  },
  pictureReconnects: 0,
  sound: null,
  skewMs: null,
};

/** The page's half of a player: the element, the loudspeaker and what the user wants. The work is done in the worker. */
export function createWorkerPlayer(options: LivePlayerOptions, onUnsupported: () => void): LivePlayer {
  const { video, url, onState } = options;
  let picture = options.picture ?? "video";
  let state: LiveState = "connecting";
  let told = false;
  let muted = true;
  let gainDb = 0;
  let resting = false;
  let hiddenMs: number | undefined;
  let facts = NOTHING_YET;
  let heardMs = performance.now();
  let lookedMs = heardMs;
  let revive: ReturnType<typeof setTimeout> | undefined;
  let room: { order(order: Order, transfer?: Transferable[]): void; leave(): void } | undefined;
  let sound: Sound | undefined;

  const enter = (next: LiveState) => {
    if (told && state === next) return;
    told = true;
    state = next;
    onState(next);
  };
  const address = (kind: "video" | "small" | "audio") => webSocketUrl(url(kind), location.href);
  const hear = () => {
    sound?.close();
    sound = openSound(gainDb, (awake) => room?.order({ type: "awake", awake }));
    room?.order({ type: "hear", url: address("audio"), out: sound.out }, [sound.out]);
  };
  const show = () => room?.order({ type: "show", url: address(picture) });
  const onDead = () => {
    room?.leave();
    room = undefined;
    enter("connecting");
    clearTimeout(revive);
    revive = setTimeout(begin, REVIVE_MS);
  };
  const begin = () => {
    const canvas = createCanvas(video);
    const { port, leave } = engine.enter(onDead);
    const order = (order: Order, transfer: Transferable[] = []) => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origin
      port.postMessage(order, transfer);
    };
    port.onmessage = ({ data }: MessageEvent<Report>) => {
      switch (data.type) {
        case "state":
          if (data.state === "playing") canvas.attach();
          return enter(data.state);
        case "facts":
          facts = data.facts;
          heardMs = performance.now();
          return;
        case "frame":
          canvas.paint(data.frame);
          return order({ type: "painted" });
        case "lost":
          return order({ type: "urls", picture: address(picture), sound: address("audio") });
        case "unsupported":
          return onUnsupported();
      }
    };
    heardMs = performance.now();
    room = {
      order,
      leave() {
        leave();
        order({ type: "close" });
        port.onmessage = null;
        canvas.close();
      },
    };
    order({ type: "begin", track: canvas.track }, canvas.track ? [canvas.track] : []);
    if (!resting) show();
    if (!muted) hear();
  };
  const isSeen = () => document.visibilityState === "visible" || document.pictureInPictureElement === video;
  const onVisibility = () => {
    if (!isSeen()) {
      hiddenMs ??= performance.now();
      return;
    }
    hiddenMs = undefined;
    if (resting) {
      resting = false;
      show();
    }
    // Browsers pause a muted video that nobody sees.
    if (video.paused) void video.play().catch(() => {});
  };
  const look = setInterval(() => {
    const now = performance.now();
    if (hiddenMs !== undefined && !resting && now - hiddenMs > HIDDEN_MS) {
      resting = true;
      room?.order({ type: "rest" });
    }
    // Not where this page itself was stopped or asleep: then its reports are still in the queue.
    const awake = now - lookedMs < LOOK_MS * 4;
    lookedMs = now;
    if (!awake) heardMs = now;
    else if (room && now - heardMs > DEAD_MS) engine.restart();
  }, LOOK_MS);
  const seen = ["visibilitychange", "enterpictureinpicture", "leavepictureinpicture"];
  for (const event of seen) document.addEventListener(event, onVisibility);
  // The caller has its player before it hears of a state.
  queueMicrotask(() => enter(state));
  begin();
  onVisibility();
  return {
    setMuted(wanted) {
      if (wanted === muted) return;
      muted = wanted;
      if (!muted) return hear();
      room?.order({ type: "unhear" });
      sound?.close();
      sound = undefined;
    },
    setGain(db) {
      gainDb = db;
      sound?.setGain(db);
    },
    setPicture(wanted) {
      if (wanted === picture) return;
      picture = wanted;
      if (!resting) show();
    },
    level: () => sound?.level() ?? 0,
    stats: () => ({
      engine: "webcodecs",
      state,
      reconnects: facts.pictureReconnects,
      picture: facts.picture,
      sound: sound?.facts && facts.sound ? { ...sound.facts, ...facts.sound } : null,
      skewMs: facts.skewMs,
    }),
    close() {
      clearInterval(look);
      clearTimeout(revive);
      for (const event of seen) document.removeEventListener(event, onVisibility);
      sound?.close();
      room?.leave();
    },
  };
}
