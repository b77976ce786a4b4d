import HlsPlayer from "hls.js";
import mpegts from "mpegts.js";
import { createLivePlayer, type LivePlayer, type LiveState } from "../../../src/ui/live/live.ts";

/** What a test reaches through `window.stage`. */
export interface Stage {
  players: LivePlayer[];
  /** Each player's states with the wall clock's milliseconds. */
  states: { state: LiveState; atMs: number }[][];
}

declare global {
  interface Window {
    stage: Stage;
  }
}

/** `?player=ours|mpegts|hls&boxes=box-…,box-…`: one element for each box. */
const query = new URLSearchParams(location.search);
const boxes = (query.get("boxes") ?? "").split(",").filter((box) => box !== "");
const liveUrl = (box: string, kind: string) => `ws://${location.host}/live/${box}/${kind}`;

const stage: Stage = { players: [], states: [] };
window.stage = stage;

for (const box of boxes) {
  const video = document.createElement("video");
  video.muted = video.autoplay = video.playsInline = true;
  document.body.append(video);
  switch (query.get("player")) {
    case "mpegts": {
      const player = mpegts.createPlayer(
        { type: "flv", isLive: true, hasAudio: false, url: liveUrl(box, "video") },
        {
          enableWorker: false,
          enableStashBuffer: false,
          lazyLoad: false,
          liveBufferLatencyChasing: true,
          liveBufferLatencyMaxLatency: 0.5,
          liveBufferLatencyMinRemain: 0.1,
        },
      );
      player.attachMediaElement(video);
      player.load();
      void video.play();
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
      break;
    }
    default: {
      const states: Stage["states"][number] = [];
      stage.states.push(states);
      stage.players.push(
        createLivePlayer({
          video,
          url: (kind) => liveUrl(box, kind),
          onState: (state) => states.push({ state, atMs: Date.now() }),
        }),
      );
    }
  }
}
