import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked, systemClock } from "../../src/platform/platform.ts";
import { segmentPath } from "../../src/protocol/protocol.ts";
import type { Line } from "../support/cable.ts";
import { openLine, type LineProcess } from "../support/line-process.ts";
import { startProvince } from "../support/province-daemon.ts";
import { newSessionId, pairBox, startUplinkBox, type UplinkBox } from "../support/uplink-box.ts";
import { startUplinkHub, type UplinkHub } from "../support/uplink-hub.ts";
import { until } from "../support/until.ts";
import { atLeast, machineNow, round, type Bench } from "./report.ts";

/** The backlog: 10 minutes at 4 Mbit/s, in segments of 10 s. */
const BACKLOG_SECONDS = 600;
const RECORD_KBPS = 4_000;
const SEGMENT_SECONDS = 10;
/** A good line of a commune; the round trip is that of a province and back. */
const LINE: Line = { kbps: 40_000, delayMs: 20 };
const LIVE_KBPS = 864;
const TICK_MS = 20;
/** Longer than any of these transfers may take. */
const LIMIT_MS = 300_000;

/** One way of bringing the backlog over. */
interface Transfer {
  seconds: number;
  kbps: number;
  /** Of the line's limit. */
  shareOfLine: number;
}

/**
 * From the moment that the line is back after an outage to the last receipt: the box's own uplink and the hub's own
 * gateway and archive over a line of one rate and delay, with and without a live stream beside it; and plain rsync of
 * the same files over the same line, just before.
 */
export const bench: Bench = {
  name: "catchup",
  async run({ seconds = BACKLOG_SECONDS }) {
    const machine = machineNow();
    const directory = await mkdtemp(join(tmpdir(), "catchup-"));
    try {
      const alone = await catchUp(join(directory, "alone"), seconds, { live: false });
      const beside = await catchUp(join(directory, "beside"), seconds, { live: true });
      const share = (run: CatchUp) => round(run.plain.seconds / run.ours.seconds, 3);
      return {
        name: "catchup",
        machine,
        figures: {
          line: LINE,
          backlog: { seconds, bytes: backlogBytes(seconds), segments: seconds / SEGMENT_SECONDS },
          untilAllReceipted: alone.ours,
          untilAllReceiptedBesideLive: beside.ours,
          ofPlainRsync: share(alone),
          ofPlainRsyncBesideLive: share(beside),
          live: { kbps: LIVE_KBPS, delivered: beside.liveDelivered },
        },
        peers: { rsync: alone.plain, rsyncBesideLive: beside.plain },
        goals: [
          atLeast("of the speed of plain rsync", share(alone), 0.85),
          atLeast("of the speed of plain rsync, both beside a live stream", share(beside), 0.85),
        ],
      };
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

interface CatchUp {
  ours: Transfer;
  plain: Transfer;
  /** Share of the live stream's bytes that reached the hub in time. */
  liveDelivered: number | null;
}

const segmentBytes = (RECORD_KBPS * 1_000 * SEGMENT_SECONDS) / 8;
const backlogBytes = (seconds: number) => (seconds / SEGMENT_SECONDS) * segmentBytes;

const transferOf = (durationMs: number, bytes: number): Transfer => {
  const kbps = (bytes * 8) / durationMs;
  return { seconds: round(durationMs / 1_000), kbps: Math.round(kbps), shareOfLine: round(kbps / LINE.kbps, 3) };
};

async function catchUp(directory: string, seconds: number, { live }: { live: boolean }): Promise<CatchUp> {
  await using resources = new AsyncDisposableStack();
  const line = resources.use(await openLine(LINE));
  const hub = resources.use(await startUplinkHub());
  const cable = resources.use(await line.lay({ host: "127.0.0.1", port: hub.port }));
  const box = resources.use(await startUplinkBox({ host: "127.0.0.1", port: cable.port }));
  const identity = await pairBox(box, hub, "Xã A");
  await until("connected", () => box.uplink.connected());
  const session = newSessionId();
  await hub.newSession(session, identity.point.id);
  cable.cut();
  await until("the outage is noticed", () => !box.uplink.connected(), { withinMs: 20_000 });
  const take = box.recordings.begin(identity, session);
  for (let made = 0; made < seconds / SEGMENT_SECONDS; made++) await box.recordings.segment(take, segmentBytes);
  box.recordings.end(take);
  const files = take.segments.map(({ name }) => `${segmentPath(name)}\n`).join("");

  const plainMs = await plainRsync(join(directory, "plain"), box, files, line, live);
  const startedMs = systemClock.monotonicMs();
  cable.mend();
  await using stream = live ? await liveToHub(box, hub) : undefined;
  await until("all is receipted", () => box.uplink.unsynced().segments === 0, { withinMs: LIMIT_MS, everyMs: 10 });
  const oursMs = systemClock.monotonicMs() - startedMs;
  return {
    ours: transferOf(oursMs, backlogBytes(seconds)),
    plain: transferOf(plainMs, backlogBytes(seconds)),
    liveDelivered: stream?.delivered() ?? null,
  };
}

/** The same files over the same line by rsync alone, to a daemon. Gives its duration. */
async function plainRsync(directory: string, box: UplinkBox, files: string, line: LineProcess, live: boolean) {
  await using resources = new AsyncDisposableStack();
  const daemon = resources.use(await startProvince(directory));
  const port = Number(new URL(daemon.target).port);
  await until("the daemon answers", () => runChecked(["rsync", daemon.target]));
  const cable = resources.use(await line.lay({ host: "127.0.0.1", port }));
  if (live) {
    const sink = createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
    resources.defer(() => void sink.close());
    const far = (sink.address() as AddressInfo).port;
    const wire = resources.use(await line.lay({ host: "127.0.0.1", port: far }));
    resources.use(pourInto(wire.port));
  }
  const startedMs = systemClock.monotonicMs();
  const target = `rsync://127.0.0.1:${cable.port}/diemcau/`;
  await runChecked(["rsync", "-R", "--files-from=-", "--timeout=60", "./", target], {
    cwd: join(box.directory, "recordings"),
    input: files,
  });
  return systemClock.monotonicMs() - startedMs;
}

/** As many bytes a second as picture and sound are, for as long as it is held. */
function pourInto(port: number): AsyncDisposable & { poured(): number } {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  const piece = Buffer.alloc((LIVE_KBPS * TICK_MS) / 8);
  let poured = 0;
  const timer = setInterval(() => {
    socket.write(piece);
    poured += piece.length;
  }, TICK_MS);
  return {
    poured: () => poured,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      socket.destroy();
    },
  };
}

/** A live stream over the box's own relay. */
async function liveToHub(box: UplinkBox, hub: UplinkHub) {
  await until("connected again", () => box.uplink.connected(), { withinMs: 20_000 });
  const source = pourInto(Number(new URL(box.uplink.liveUrl("video", "abcdefgh")).port));
  let arrived = 0;
  const { socket } = await until("the hub has the stream", () => hub.rtmp.at(-1));
  socket.on("data", (chunk: Buffer) => (arrived += chunk.length));
  return {
    delivered: () => round(arrived / source.poured(), 3),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}
