import type { LivePlayer, LivePlayerOptions, LiveState } from "./live.ts";
import { hlsUrl, reconnectDelayMs, webSocketUrl } from "./link.ts";
import { amplitudeOf, levelOf } from "./sound.ts";
import { meterOf } from "./meter.ts";

/** One way of feeding the element; ends by calling `onLost` once, or by `close`. */
interface Feed {
  engine: "mpegts" | "hls";
  close(): void;
}

/**
 * For browsers that cannot do WebCodecs, and pages that are not a secure context: the browser's own media source. The
 * picture alone comes by mpegts.js from the same WebSocket (some 0.4 s late); with sound it comes by HLS (some
 * seconds late), because picture and sound are separate connections that one source element cannot join.
 */
export function createFallbackPlayer({ video, url, onState, picture = "video" }: LivePlayerOptions): LivePlayer {
  let kind = picture;
  let state: LiveState | undefined;
  let muted = true;
  let feed: Feed | undefined;
  let closed = false;
  let failures = 0;
  let reconnects = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let lastTimeS = 0;
  let movedMs = -Infinity;
  /** Counts feeds, so that what is loaded for one that was given up meanwhile is not used. */
  let round = 0;

  const enter = (next: LiveState) => {
    if (state === next) return;
    state = next;
    onState(next);
  };
  const stop = () => {
    round++;
    clearTimeout(retry);
    feed?.close();
    feed = undefined;
  };
  const lost = () => {
    stop();
    if (closed) return;
    failures++;
    reconnects++;
    enter("connecting");
    retry = setTimeout(() => void start(), Math.max(RETRY_MS, reconnectDelayMs(failures)));
  };
  const start = async () => {
    stop();
    const mine = round;
    const onLost = () => {
      if (mine === round) lost();
    };
    try {
      const open = muted
        ? await mpegtsFeed(video, () => webSocketUrl(url(kind), location.href), onLost)
        : await hlsFeed(video, () => hlsUrl(url("video"), location.href), onLost);
      if (mine !== round) return;
      if (!open) return enter("unsupported");
      feed = open();
      enter("waiting");
      video.muted = muted;
      void video.play().catch(() => {});
    } catch {
      onLost();
    }
  };
  const look = setInterval(() => {
    const now = performance.now();
    if (video.currentTime !== lastTimeS && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
      if (state === "waiting" || state === "stalled" || state === "connecting") enter("playing");
      movedMs = now;
      failures = 0;
    } else if (state === "playing" && now - movedMs > STALLED_MS) enter("stalled");
    else if (state === "stalled" && now - movedMs > GIVE_UP_MS) lost();
    lastTimeS = video.currentTime;
  }, LOOK_MS);
  video.autoplay = true;
  video.playsInline = true;
  void start();
  return {
    setMuted(wanted) {
      if (wanted === muted) return;
      muted = wanted;
      void start();
    },
    // An element plays at its own loudness or below.
    setGain: (db) => void (video.volume = Math.min(1, amplitudeOf(db))),
    setPicture(wanted) {
      if (wanted === kind) return;
      kind = wanted;
      // HLS has the picture that there is.
      if (muted) void start();
    },
    level: () => (muted ? 0 : levelOf(meterOf(video))),
    stats: () => ({
      engine: feed?.engine ?? "none",
      state: state ?? "connecting",
      reconnects,
      picture: null,
      sound: null,
      skewMs: null,
    }),
    close() {
      closed = true;
      stop();
      clearInterval(look);
    },
  };
}

const LOOK_MS = 250;
const STALLED_MS = 1_500;
const GIVE_UP_MS = 6_000;
/** Starting a media source anew costs more than a socket. */
const RETRY_MS = 500;

async function mpegtsFeed(
  video: HTMLVideoElement,
  url: () => string,
  onLost: () => void,
): Promise<(() => Feed) | undefined> {
  const { default: mpegts } = await import("mpegts.js");
  if (!mpegts.isSupported()) return undefined;
  mpegts.LoggingControl.applyConfig({ enableAll: false });
  return () => {
    const player = mpegts.createPlayer(
      { type: "flv", isLive: true, hasAudio: false, hasVideo: true, url: url() },
      {
        // A worker would be made from a blob, which the page's policy forbids.
        enableWorker: false,
        enableStashBuffer: false,
        lazyLoad: false,
        liveBufferLatencyChasing: true,
        liveBufferLatencyMaxLatency: 0.8,
        liveBufferLatencyMinRemain: 0.15,
        autoCleanupSourceBuffer: true,
        autoCleanupMaxBackwardDuration: 20,
        autoCleanupMinBackwardDuration: 10,
      },
    );
    player.on(mpegts.Events.ERROR, onLost);
    player.on(mpegts.Events.LOADING_COMPLETE, onLost);
    player.attachMediaElement(video);
    player.load();
    return { engine: "mpegts", close: () => player.destroy() };
  };
}

async function hlsFeed(
  video: HTMLVideoElement,
  url: () => string,
  onLost: () => void,
): Promise<(() => Feed) | undefined> {
  const { default: Hls } = await import("hls.js");
  if (Hls.isSupported())
    return () => {
      const player = new Hls({
        enableWorker: false,
        lowLatencyMode: true,
        backBufferLength: 10,
        liveDurationInfinity: true,
      });
      player.on(Hls.Events.ERROR, (_event, { fatal }) => {
        if (fatal) onLost();
      });
      player.loadSource(url());
      player.attachMedia(video);
      return { engine: "hls", close: () => player.destroy() };
    };
  if (video.canPlayType("application/vnd.apple.mpegurl") === "") return undefined;
  return () => {
    video.src = url();
    video.addEventListener("error", onLost);
    return {
      engine: "hls",
      close() {
        video.removeEventListener("error", onLost);
        video.removeAttribute("src");
        video.load();
      },
    };
  };
}
