import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { ffmpegVersion } from "../support/live-publisher.ts";
import {
  measureConversation,
  raiseLiveStand,
  stagesOf,
  watchFrames,
  type Conversation,
  type LiveStand,
  type PlayerName,
  type StandOptions,
  type Stages,
} from "../support/live-stand.ts";
import { GOOD_LINE, type LineCondition } from "../support/namespace.ts";
import { buildPlayerPage } from "../support/player-page.ts";
import { atMost, machineNow, type Bench, type Goal } from "./report.ts";

const ROOMS = 3;
const SECONDS = 20;
/** Of the peers, which are not what is judged. */
const PEER_SECONDS = 10;

/** Half of the round trip in each direction. */
const line = (roundTripMs: number, loss: number): LineCondition => ({ ...GOOD_LINE, delayMs: roundTripMs / 2, loss });
/** Under the congestion control that docs/design/player.md chooses. */
const LINES = [
  { name: "20 ms and 1 % loss on each leg", line: line(20, 0.01), videoP95: 100, earP95: 200 },
  { name: "100 ms and 1 % loss on each leg", line: line(100, 0.01), videoP95: 300, earP95: 400 },
];

interface Figures {
  /** Why there are no figures. */
  failed?: string;
  video: { median: number | null; p95: number | null };
  mouthToEar: Conversation["sound"];
  stages?: Stages;
  player?: unknown;
}

/**
 * From the moment that a frame carries to the moment that its pixels can be read in Chromium, and from a mark's making to
 * its leaving for the loudspeaker: a real encoder per room (360p, 400 kbit/s, zero latency, a key frame a second; AAC) →
 * RTMP → our ingest and fan-out → the player. First all on loopback, other players beside ours, then with rooms and
 * viewer behind a line of their own each (as root). A room alone has the box's own command line; three of them on one
 * machine have encoders that take less of it. Each begins 5 s after its first picture: nobody judges a talk by its first
 * word. What fails is a figure that is missing; every step has a limit, so that there always is a report.
 */
export const bench: Bench = {
  name: "latency",
  async run({ seconds = SECONDS, ffmpeg }) {
    const machine = machineNow();
    const directory = await mkdtemp(join(tmpdir(), "latency-"));
    const loopback = { rooms: 1, lines: false, asBox: true, ffmpeg };
    try {
      await buildPlayerPage(directory);
      const figures: Record<string, Figures> = {};
      const peers: Record<string, Figures> = {};
      const goals: Goal[] = [];
      for (const player of ["mpegts", "hls"] as const)
        peers[player] = await attempt(directory, loopback, player, PEER_SECONDS);
      // Other encoders are no part of a room that is watched, and three of them take what a viewer's machine has.
      const many = { ...loopback, rooms: ROOMS, asBox: false };
      const three = (figures["loopback, three rooms"] = await attempt(directory, many, "ours", seconds));
      const one = (figures["loopback, one room"] = await attempt(directory, loopback, "ours", seconds));
      goals.push(
        atMost("three rooms: video p95, ms", three.video.p95, 60),
        atMost("one room: video median, ms", one.video.median, 30),
        atMost("one room: video p95, ms", one.video.p95, 50),
        atMost("one room: mouth to ear p95, ms", one.mouthToEar.p95, 110),
      );
      if (ffmpeg) {
        const ofThisMachine = { ...loopback, ffmpeg: undefined };
        peers[await ffmpegVersion()] = await attempt(directory, ofThisMachine, "ours", PEER_SECONDS);
      }
      // Where the kernel lacks it, what it has is what a viewer gets.
      const kernelHas = await readFile("/proc/sys/net/ipv4/tcp_available_congestion_control", "utf8");
      const congestion = kernelHas.includes("bbr") ? "bbr" : "cubic";
      for (const { name, line, videoP95, earP95 } of LINES) {
        const bad = { ...loopback, lines: true, congestion };
        const far = (figures[`${name}, ${congestion}`] = await attempt(directory, bad, "ours", seconds, line));
        goals.push(
          atMost(`${name}: video p95, ms`, far.video.p95, videoP95),
          atMost(`${name}: mouth to ear p95, ms`, far.mouthToEar.p95, earP95),
        );
      }
      return {
        name: "latency",
        machine,
        figures: {
          unit: "ms; video: capture stamp to readable pixel; stages: medians of the first room",
          encoder: await ffmpegVersion(ffmpeg),
          ...figures,
        },
        peers,
        goals,
      };
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

/** One stand, one player, and its figures or why there are none. @param line from the moment that all rooms publish */
async function attempt(
  directory: string,
  options: StandOptions,
  player: PlayerName,
  seconds: number,
  line?: LineCondition,
): Promise<Figures> {
  try {
    await using stand = await raiseLiveStand(directory, options);
    if (line) stand.impair(line);
    return await measure(stand, player, options.rooms, seconds);
  } catch (error) {
    const nothing = { median: null, p95: null };
    return { failed: inspect(error), video: nothing, mouthToEar: { ...nothing, samples: 0 } };
  }
}

async function measure(stand: LiveStand, player: PlayerName, rooms: number, seconds: number): Promise<Figures> {
  await using view = await stand.open(player, rooms);
  const endWatch = await watchFrames(view.page);
  const { median, p95, sound, perVideo } = await measureConversation(view.page, seconds);
  const last = await endWatch();
  const figures: Figures = { video: { median, p95 }, mouthToEar: sound };
  if (player === "ours") {
    figures.stages = await stagesOf(stand.rooms[0]!, last, perVideo[0]!.seen);
    figures.player = await view.page.evaluate(() => {
      const { sound, skewMs } = window.stage.players[0]!.stats();
      return { sound, skewMs };
    });
  }
  return figures;
}
