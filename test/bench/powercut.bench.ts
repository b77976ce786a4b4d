import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/platform/platform.ts";
import { FRAME_RATE, startRecordingBox, type BoxCutResult, type CutResult } from "../support/power-cut.ts";
import { feedFrames, PEERS, startPeer, type RecordingPeer } from "../support/power-cut-peers.ts";
import type { Survival, VolatileDisk } from "../support/volatile-disk.ts";
import { atMost, machineNow, median, round, type Bench } from "./report.ts";

const CUTS = 24;
const SECONDS = 75;
const SURVIVALS: Survival[] = ["nothing", "some", "everything"];

/**
 * Seconds of media that a power cut costs. Our box and the peers record at the same time, each to an ext4 on a drive
 * of its own with a volatile write cache; then the power of all is cut at the same random moments of that recording,
 * and what the next start finds is played and counted against the source's frame numbers (docs/design/powercut.md).
 */
export const bench: Bench = {
  name: "powercut",
  async run({ seconds = SECONDS }) {
    const machine = machineNow();
    const directory = await mkdtemp(join(tmpdir(), "dc-bench-powercut-"));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(directory, { recursive: true }));
    const peers = new Map<string, RecordingPeer>();
    for (const [name, argv] of Object.entries(PEERS))
      peers.set(name, stack.use(await startPeer(join(directory, `peer-${peers.size}`), argv)));
    const feed = await feedFrames(directory, [...peers.values()]);
    const box = stack.use(await startRecordingBox(join(directory, "box"), "720p"));
    const fromMs = box.startedMs;
    await systemClock.sleep(fromMs + seconds * 1_000 - systemClock.monotonicMs());
    const toMs = systemClock.monotonicMs();
    await feed.stop();
    await Promise.all([box.stop(), ...[...peers.values()].map((peer) => peer.stop())]);

    const ours: BoxCutResult[] = [];
    const theirs = new Map([...peers.keys()].map((name) => [name, [] as CutResult[]]));
    for (let n = 0; n < CUTS; n++) {
      const atMs = fromMs + Math.random() * (toMs - fromMs);
      const survival = SURVIVALS[n % SURVIVALS.length]!;
      ours.push(await box.recover(atMs, survival));
      const given = feed.sentMs.filter((sentMs) => sentMs <= atMs).length;
      for (const [name, peer] of peers) theirs.get(name)!.push(await peer.recover(atMs, survival, given));
    }
    const load = ({ disk }: { disk: VolatileDisk }) => disk.load(fromMs, toMs);
    const box720p = summary(ours, load(box));
    return {
      name: "powercut",
      machine,
      figures: {
        cuts: CUTS,
        recordedS: seconds,
        ...box720p,
        "next take's first record after the agent's start, ms, median": round(
          median(ours.map(({ resumedAfterMs }) => resumedAfterMs)),
          0,
        ),
        "frames missing between the first and the last, worst": Math.max(
          ...ours.map(({ framesMissingInside }) => framesMissingInside),
        ),
        "gap's beginning against the last frame, ms, worst": round(
          Math.max(...ours.map(({ gapErrorMs }) => Math.abs(gapErrorMs))),
        ),
      },
      peers: Object.fromEntries([...theirs].map(([name, results]) => [name, summary(results, load(peers.get(name)!))])),
      goals: [
        atMost("lost at a power cut, s of media, worst", box720p.lostWorstS, 1),
        atMost("lost at a power cut, s of media, median", box720p.lostMedianS, 0.25),
        atMost("takes that do not open", box720p.takesThatDoNotOpen, 0),
        atMost("closed segments lost", box720p.closedSegmentsLost, 0),
      ],
    };
  },
};

function summary(results: readonly CutResult[], load: ReturnType<VolatileDisk["load"]>) {
  const lostS = results.map(({ framesLost }) => framesLost / FRAME_RATE);
  return {
    lostMedianS: round(median(lostS)),
    lostWorstS: round(Math.max(...lostS)),
    takesThatDoNotOpen: results.filter(({ opens }) => !opens).length,
    closedSegmentsLost: results.reduce((sum, each) => sum + each.closedSegmentsLost, 0),
    driveKilobytesPerS: round(load.kilobytesPerS, 0),
    driveFlushesPerS: round(load.flushesPerS, 1),
  };
}
