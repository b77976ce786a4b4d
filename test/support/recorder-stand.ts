import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { chainHash, checkNextRecord, emptyChain } from "../../src/evidence/evidence.ts";
import {
  completeLines,
  isoUtc,
  processesWith,
  runChecked,
  sha256File,
  startProcess,
  systemClock,
  type Child,
} from "../../src/platform/platform.ts";
import {
  SignedRecord,
  segmentFileName,
  type BoxId,
  type EvidenceRecord,
  type PointId,
  type SessionId,
} from "../../src/protocol/protocol.ts";
import type { Devices } from "../../src/edge/devices/devices.ts";
import type { Recorder, RecorderFacts } from "../../src/edge/recording/recording.ts";
import { countFrames } from "./count.ts";
import type { RecorderChildOptions } from "./recorder-child.ts";
import { until } from "./until.ts";

export interface ChildView {
  facts: RecorderFacts;
  takes: ReturnType<Recorder["takes"]>;
  segments: ReturnType<Recorder["segments"]>;
  unreadable: string[];
}

type Wanted = boolean | "next";

/** A recorder in its own process, with everything that a test may want to kill at hand. */
export interface RecorderStand extends AsyncDisposable {
  readonly session: SessionId;
  /** Booked behind it. */
  readonly nextSession: SessionId;
  /** What the box believes to be plugged in. */
  readonly devicesFile: string;
  readonly dataDirectory: string;
  readonly runDirectory: string;
  /** Starts the agent (again); `recording` and the first session's end are what its cached schedule says. */
  startAgent(recording: Wanted, endedAt?: string): Promise<void>;
  killAgent(): Promise<void>;
  stopAgent(): Promise<void>;
  /** Moment of the last change of session, ms since 1970. */
  setSession(recording: Wanted, why?: "sessionEnded" | "paused"): Promise<number>;
  view(): Promise<ChildView>;
  encoderPid(): number;
  roomPid(): number;
  /** Waits until at least so many frames of the present take have left the encoder. */
  recordedFrames(frames: number): Promise<void>;
  /** Takes of all sessions in the order of their chain, each record checked against the box's key. */
  chain(): Promise<EvidenceRecord[][]>;
}

const SIZE = { width: 320, height: 180, frameRate: 25, maxBitrateKbps: 600 };

export async function openRecorderStand(
  source?: RecorderChildOptions["capture"]["source"],
  /** "listed": what the machine says is plugged in. */
  devices?: Devices | "listed",
  /** Nobody listens on port 1: the live line is dead throughout, and no test may notice. */
  rtmpPort = 1,
  env?: NodeJS.ProcessEnv,
): Promise<RecorderStand> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "diemcau-recorder-"));
  const runDirectory = await mkdtemp(join(tmpdir(), "diemcau-run-"));
  const keyFile = join(dataDirectory, "key.pem");
  const publicFile = join(dataDirectory, "public.pem");
  await runChecked(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", keyFile]);
  await runChecked(["openssl", "ec", "-in", keyFile, "-pubout", "-out", publicFile]);
  const devicesFile = join(dataDirectory, "plugged.json");
  await writeFile(devicesFile, JSON.stringify(devices ?? { cameras: [], microphones: [] }));
  const session = "session-aaaaaaaaaaaaaaaa" as SessionId;
  const nextSession = "session-bbbbbbbbbbbbbbbb" as SessionId;
  let startedAt = isoUtc(systemClock.wallMs());
  let agent: Child | undefined;
  let port = 0;

  const ask = async (path: string, body?: unknown): Promise<ChildView> => {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    return (await (await fetch(`http://127.0.0.1:${port}${path}`, init)).json()) as ChildView;
  };
  const pidOf = (room: boolean): number => {
    const current = processesWith(`${runDirectory}/encoder/`).filter(
      ({ argv }) => argv.some((argument) => argument.endsWith("virtual-room-main.ts")) === room,
    );
    if (current.length !== 1) throw new Error(`${current.length} processes instead of one`);
    return current[0]!.pid;
  };

  const wish = (recording: Wanted) => recording && { id: recording === "next" ? nextSession : session, startedAt };

  return {
    session,
    nextSession,
    devicesFile,
    dataDirectory,
    runDirectory,
    async startAgent(recording, endedAt) {
      const options: RecorderChildOptions = {
        dataDirectory,
        runDirectory,
        capture: {
          source: source ?? { kind: "virtual", label: "test", phrases: "/usr/share/sounds/alsa" },
          record: SIZE,
          live: { width: 160, height: 90, bitrateKbps: 60 },
        },
        rtmpPort,
        identity: { box: "box-aaaaaaaaaaaaaaaa" as BoxId, point: "point-aaaaaaaaaaaaaaaa" as PointId, keyFile },
        session: wish(recording) || null,
        ended: endedAt === undefined ? [] : [{ id: session, endedAt }],
        ...(devices !== "listed" && { devicesFile }),
      };
      const script = join(import.meta.dirname, "recorder-child.ts");
      agent = await startProcess([process.execPath, script, JSON.stringify(options)], {
        ...(env && { env }),
        stdio: ["ignore", "pipe", process.env["DIEMCAU_TEST_LOG"] ? "inherit" : "ignore"],
      });
      port = await new Promise((resolve) => agent!.stdout!.once("data", (text) => resolve(Number(String(text)))));
    },
    async killAgent() {
      agent!.kill("SIGKILL");
      await agent!.exited;
    },
    async stopAgent() {
      await agent!.stop(20_000);
    },
    async setSession(recording, why = "sessionEnded") {
      const nowMs = systemClock.wallMs();
      if (recording && (await ask("/view")).takes.length === 0) startedAt = isoUtc(nowMs);
      await ask("/session", [wish(recording) || null, why]);
      return nowMs;
    },
    view: () => ask("/view"),
    encoderPid: () => pidOf(false),
    roomPid: () => pidOf(true),
    async recordedFrames(frames) {
      await until(
        `${frames} frames recorded`,
        async () => {
          const { facts } = await ask("/view");
          return facts.recording.growing && facts.encoder.frames >= frames;
        },
        { withinMs: 15_000 + frames * 40 },
      );
    },
    async chain() {
      const recordings = join(dataDirectory, "recordings");
      const folders = (await readdir(recordings)).map((name) => join(recordings, name));
      return readChain(folders, await readFile(publicFile, "utf8"));
    },
    async [Symbol.asyncDispose]() {
      await agent?.stop(20_000);
      for (const { pid } of processesWith(`${runDirectory}/encoder/`)) process.kill(pid, "SIGKILL");
      await until("no process is left", () => processesWith(`${runDirectory}/encoder/`).length === 0);
      await rm(dataDirectory, { recursive: true });
      await rm(runDirectory, { recursive: true });
    },
  };
}

/**
 * Reads the takes of these sessions' folders in the order of their chain; each record is checked against the box's key, each segment
 * against its record. Throws at the first that does not hold.
 */
export async function readChain(folders: readonly string[], key: string): Promise<EvidenceRecord[][]> {
  const takes: { first: string; last: string; records: EvidenceRecord[] }[] = [];
  const paths = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))),
  );
  for (const take of paths.flat()) {
    // A power cut may leave a folder in which nothing was begun.
    const lines = completeLines(await readFile(join(take, "records.jsonl"), "utf8").catch(() => ""));
    if (lines.length === 0) continue;
    let tip = emptyChain(basename(take));
    const records: EvidenceRecord[] = [];
    let last = "";
    for (const line of lines) {
      const signed = SignedRecord.parse(JSON.parse(line));
      const verdict = checkNextRecord(tip, signed, key);
      if (!verdict.ok) throw new Error(`${verdict.reason}: ${verdict.detail}`);
      tip = verdict.tip;
      records.push(verdict.record);
      last = chainHash(signed.record);
      if (verdict.record.kind !== "segment") continue;
      const file = join(take, segmentFileName(verdict.record.seq));
      const { sha256 } = await sha256File(file);
      if (sha256 !== verdict.record.sha256) throw new Error(`${file} is not what its record says`);
      const counted = await countFrames(file);
      if (counted !== verdict.record.frames)
        throw new Error(`${file} holds ${counted} frames, its record says ${verdict.record.frames}`);
    }
    takes.push({ first: records[0]!.prev, last, records });
  }
  const ordered: EvidenceRecord[][] = [];
  for (let prev = "0".repeat(64); ;) {
    const next = takes.find(({ first }) => first === prev);
    if (!next) break;
    ordered.push(next.records);
    prev = next.last;
  }
  if (ordered.length !== takes.length) throw new Error("the takes are not one chain");
  return ordered;
}
