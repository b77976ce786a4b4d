import HlsPlayer from "hls.js";
import mpegts from "mpegts.js";
import { createLivePlayer, type LivePlayer, type LiveState } from "../../../src/ui/live/live.ts";
import type { HeardMark } from "../marks.ts";
import { growEar } from "./ear.ts";

/** What a test reaches through `window.stage`. */
export interface Stage {
  players: LivePlayer[];
  /** Each player's states with the wall clock's milliseconds. */
  states: { state: LiveState; atMs: number }[][];
  /** Marks that came to the loudspeaker, where the page was asked to listen. */
  marks: HeardMark[];
}

declare global {
  interface Window {
    stage: Stage;
  }
}

/**
 * `?player=ours|mpegts|hls&boxes=box-…,box-…`: one element for each box; with `&sound` the first is heard, and what
 * comes to the loudspeaker is watched.
 */
const query = new URLSearchParams(location.search);
const boxes = (query.get("boxes") ?? "").split(",").filter((box) => box !== "");
const liveUrl = (box: string, kind: string) => `ws://${location.host}/live/${box}/${kind}`;
const withSound = query.has("sound");

const stage: Stage = { players: [], states: [], marks: withSound ? growEar() : [] };
window.stage = stage;

/** A media element's own sound, by the way on which it can be heard here. */
function openElement(element: HTMLMediaElement): void {
  element.muted = false;
  const context = new AudioContext({ latencyHint: "interactive" });
  context.createMediaElementSource(element).connect(context.destination);
}

function playMpegts(element: HTMLMediaElement, box: string, kind: "video" | "audio"): void {
  const player = mpegts.createPlayer(
    { type: "flv", isLive: true, hasAudio: kind === "audio", hasVideo: kind === "video", url: liveUrl(box, kind) },
    {
      enableWorker: false,
      enableStashBuffer: false,
      lazyLoad: false,
      liveBufferLatencyChasing: true,
      liveBufferLatencyMaxLatency: 0.5,
      liveBufferLatencyMinRemain: 0.1,
    },
  );
  player.attachMediaElement(element);
  player.load();
  void element.play();
}

for (const [i, box] of boxes.entries()) {
  const video = document.createElement("video");
  video.muted = video.autoplay = video.playsInline = true;
  document.body.append(video);
  switch (query.get("player")) {
    case "mpegts": {
      playMpegts(video, box, "video");
      if (!withSound || i > 0) break;
      const audio = document.createElement("audio");
      document.body.append(audio);
      openElement(audio);
      playMpegts(audio, box, "audio");
      break;
    }
    case "hls": {
      const player = new HlsPlayer({
        enableWorker: false,
        lowLatencyMode: true,
        liveSyncDurationCount: 1,
        liveMaxLatencyDurationCount: 3,
        maxLiveSyncPlaybackRate: 1.5,
      });
      player.loadSource(`/hls/${box}/index.m3u8`);
      player.attachMedia(video);
      if (withSound && i === 0) openElement(video);
      break;
    }
    default: {
      const states: Stage["states"][number] = [];
      stage.states.push(states);
      const player = createLivePlayer({
        video,
        url: (kind) => liveUrl(box, kind),
        onState: (state) => states.push({ state, atMs: Date.now() }),
      });
      stage.players.push(player);
      if (withSound && i === 0) player.setMuted(false);
    }
  }
}
