import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { systemClock } from "../../src/platform/platform.ts";
import { LIVE_KINDS, type LiveKind } from "../../src/protocol/protocol.ts";
import { openTo, type Target } from "./load-connection.ts";
import { PostmarkReader } from "./postmark.ts";
import { play } from "./rtmp-replay.ts";

/** What is watched; in the file that the only argument names, as JSON. */
export interface ViewPlan {
  viewers: { target: Target; kind: LiveKind; web?: { path: string; headers: string[] }; rtmpName?: string }[];
  /** They stop reading as soon as they are connected; they go on answering pings, or the hub would let them go. */
  stalled: boolean;
}

/** Printed for each line on standard input: what happened since the line before. */
export interface ViewReport {
  receivedTags: number;
  receivedBytes: number;
  /** Tags that never came although later ones did: of all viewers, and of the worst. */
  missingTags: number;
  worstMissingTags: number;
  /** Viewers that got nothing at all. */
  silent: number;
  /** Connections that ended since the start, with the reason. */
  gone: string[];
  /** From just before the write of the publisher to just after the read of the viewer. */
  latencyMs: Record<LiveKind | "all", Quantiles>;
}

export interface Quantiles {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

const BUCKETS_PER_MS = 20;
const MAX_MS = 10_000;
/** Twice between two looks of the hub. */
const PONG_EVERY_MS = 4_000;
/** A pong without a question, masked with zeros (RFC 6455, 5.5.3). */
const PONG = Buffer.of(0x8a, 0x80, 0, 0, 0, 0);

class Latency {
  readonly #counts = new Uint32Array(MAX_MS * BUCKETS_PER_MS + 1);

  note(ms: number): void {
    this.#counts[Math.max(0, Math.min(this.#counts.length - 1, Math.round(ms * BUCKETS_PER_MS)))]!++;
  }

  quantiles(): Quantiles {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    const at = (share: number) => {
      let seen = 0;
      const bucket = this.#counts.findIndex((count) => (seen += count) >= share * total);
      return bucket / BUCKETS_PER_MS;
    };
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
  }

  clear(): void {
    this.#counts.fill(0);
  }
}

interface Watched {
  last: number | undefined;
  tags: number;
  missing: number;
}

const plan = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as ViewPlan;
const latency = { all: new Latency(), video: new Latency(), small: new Latency(), audio: new Latency() };
const watched: Watched[] = [];
const gone: string[] = [];
const received = { bytes: 0 };

/** The upgrade by hand: what comes behind it is looked at only for postmarks. */
async function upgrade(socket: Socket, path: string, headers: readonly string[]): Promise<void> {
  const key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
  const common = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key];
  socket.write(`GET ${path} HTTP/1.1\r\n${[...headers, ...common].join("\r\n")}\r\n\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error(answer.toString("latin1"));
  setInterval(() => socket.write(PONG), PONG_EVERY_MS);
}

for (const { target, kind, web, rtmpName } of plan.viewers) {
  const socket = await openTo(target, (why) => gone.push(`${kind}: ${why}`));
  if (web) await upgrade(socket, web.path, web.headers);
  if (plan.stalled) socket.pause();
  else {
    const viewer: Watched = { last: undefined, tags: 0, missing: 0 };
    watched.push(viewer);
    const reader = new PostmarkReader((number, sentMs) => {
      const ms = systemClock.monotonicMs() - sentMs;
      latency.all.note(ms);
      latency[kind].note(ms);
      if (viewer.last !== undefined) viewer.missing += number - viewer.last - 1;
      viewer.last = number;
      viewer.tags++;
    });
    socket.on("data", (data: Buffer) => {
      received.bytes += data.length;
      reader.push(data);
    });
  }
  if (rtmpName !== undefined) play(socket, rtmpName);
}
console.log(JSON.stringify({ connected: plan.viewers.length }));

createInterface(process.stdin).on("line", () => {
  const sum = (of: (viewer: Watched) => number) => watched.reduce((total, viewer) => total + of(viewer), 0);
  const report: ViewReport = {
    receivedTags: sum(({ tags }) => tags),
    receivedBytes: received.bytes,
    missingTags: sum(({ missing }) => missing),
    worstMissingTags: Math.max(0, ...watched.map(({ missing }) => missing)),
    silent: watched.filter(({ tags }) => tags === 0).length,
    gone,
    latencyMs: {
      all: latency.all.quantiles(),
      ...(Object.fromEntries(LIVE_KINDS.map((kind) => [kind, latency[kind].quantiles()])) as Record<
        LiveKind,
        Quantiles
      >),
    },
  };
  console.log(JSON.stringify(report));
  for (const viewer of watched) viewer.tags = viewer.missing = 0;
  for (const each of Object.values(latency)) each.clear();
  received.bytes = 0;
});
