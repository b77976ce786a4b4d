import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createLog, randomId, sha256File, sha256Hex, systemClock } from "../../src/platform/platform.ts";
import {
  makeId,
  segmentPath,
  type RoomPairing,
  type SegmentName,
  type SessionId,
  type TakeId,
} from "../../src/protocol/protocol.ts";
import { createSigner } from "../../src/evidence/evidence.ts";
import { pair, type BoxIdentity } from "../../src/edge/identity/identity.ts";
import { openEdgeState, type EdgeState } from "../../src/edge/state.ts";
import { createHubPairing, openUplink, type Recordings, type Uplink } from "../../src/edge/uplink/uplink.ts";
import type { RecordedTake } from "../../src/edge/recording/recording.ts";
import { EvidenceBox, Take } from "./evidence-stand.ts";
import { until } from "./until.ts";
import type { UplinkHub } from "./uplink-hub.ts";

/** A box without cameras: its identity, its uplink, and recordings of random bytes with true signed records. */
export interface UplinkBox extends AsyncDisposable {
  readonly directory: string;
  readonly logged: { event: string; level: string; [field: string]: unknown }[];
  readonly uplink: Uplink;
  readonly state: EdgeState;
  readonly recordings: FakeRecorder;
  readonly changes: () => number;
  limitKibPerS: number | undefined;
  setIdentity(identity: BoxIdentity | null): void;
  /** Ends the agent's part and begins it anew on the same disk. */
  restart(): Promise<void>;
}

/** Stands in for the camera side only: the records are signed and chained as the recorder does it. */
export class FakeRecorder implements Recordings {
  readonly made: Take[] = [];
  private readonly ended = new Set<TakeId>();
  private closed: { name: ReturnType<Recordings["segments"]>[number]["name"]; sizeBytes: number }[] = [];
  private listeners: ((take: TakeId) => void)[] = [];
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  begin(identity: BoxIdentity, session: SessionId): Take {
    const issued = { certificatePem: identity.certificatePem, signer: createSigner(identity.keyPem) };
    const take = new Take(new EvidenceBox(identity.box, identity.point.id, issued, ""), session);
    this.made.push(take);
    this.tell(take.take);
    return take;
  }

  async segment(take: Take, sizeBytes: number): Promise<void> {
    const bytes = randomBytes(sizeBytes);
    const name = { session: take.message().session, take: take.take, seq: take.segments.length };
    const path = join(this.directory, segmentPath(name));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
    take.segment({ path, frames: 25, sizeBytes, sha256: sha256Hex(bytes) });
    this.closed.push({ name, sizeBytes });
    this.tell(take.take);
  }

  end(take: Take): void {
    take.end();
    this.ended.add(take.take);
    this.tell(take.take);
  }

  forgetListeners(): void {
    this.listeners = [];
  }

  takes(): ReturnType<Recordings["takes"]> {
    return this.made.map((take) => ({
      session: take.message().session,
      take: take.take,
      records: take.records.length,
      ended: this.ended.has(take.take),
      closed: this.closed.filter(({ name }) => name.take === take.take).length,
      damaged: 0,
    }));
  }

  async records(take: TakeId, fromN: number, limit: number) {
    return this.made.find((made) => made.take === take)!.records.slice(fromN, fromN + limit);
  }

  segments(of?: (take: RecordedTake) => boolean) {
    if (!of) return this.closed;
    const takes = new Set(this.takes().flatMap((take) => (of(take) ? [take.take] : [])));
    return this.closed.filter(({ name }) => takes.has(name.take));
  }

  async examine({ take, seq }: SegmentName): Promise<"whole" | "damaged"> {
    const { material } = this.made.find((made) => made.take === take)!.segments[seq]!;
    if ((await sha256File(material.path)).sha256 === material.sha256) return "whole";
    this.closed = this.closed.filter(({ name }) => name.take !== take || name.seq !== seq);
    return "damaged";
  }

  onRecord(listener: (take: TakeId) => void): void {
    this.listeners.push(listener);
  }

  private tell(take: TakeId): void {
    for (const listener of this.listeners) listener(take);
  }
}

export async function startUplinkBox(hub: { host: string; port: number }): Promise<UplinkBox> {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-uplink-box-"));
  const recordingsDirectory = join(directory, "recordings");
  const runDirectory = join(directory, "run");
  await mkdir(recordingsDirectory);
  await mkdir(runDirectory);
  const logged: UplinkBox["logged"] = [];
  const log = createLog(systemClock, (line) => logged.push(JSON.parse(line)), "debug");
  const recordings = new FakeRecorder(recordingsDirectory);
  let identity: BoxIdentity | null = null;
  let changes = 0;

  const begin = async () => {
    const state = await openEdgeState(directory, log, systemClock);
    const uplink = await openUplink({
      log,
      clock: systemClock,
      hub,
      runDirectory,
      agentVersion: "test",
      state,
      space: {
        isDeleted: () => false,
        keepReceipts: async () => {},
        sourceOf: async () => recordingsDirectory,
        suspect: async () => "first",
      },
      limitKibPerS: () => box.limitKibPerS,
      onOrder: () => {},
      onChange: () => void changes++,
    });
    const stop = new AbortController();
    uplink.setIdentity(identity);
    const running = uplink.run(recordings, { unkept: () => [], kept: () => {}, onChange: () => {} }, stop.signal);
    return {
      state,
      uplink,
      async end() {
        stop.abort(new Error("stopped"));
        await running;
        await uplink[Symbol.asyncDispose]();
        recordings.forgetListeners();
      },
    };
  };
  const box = {
    directory,
    logged,
    recordings,
    changes: () => changes,
    limitKibPerS: undefined as number | undefined,
    setIdentity(next: BoxIdentity | null) {
      identity = next;
      life.uplink.setIdentity(next);
    },
    get uplink() {
      return life.uplink;
    },
    get state() {
      return life.state;
    },
    async restart() {
      await life.end();
      life = await begin();
    },
    async [Symbol.asyncDispose]() {
      await life.end();
      await rm(directory, { recursive: true, force: true });
    },
  };
  let life = await begin();
  return box;
}

/** Pairs as two people on the telephone do, and gives the identity that the box has stored. */
export async function pairBox(
  box: UplinkBox,
  hub: Pick<UplinkHub, "fleet" | "port">,
  pointName: string,
  options: { caSha256?: string; onState?: (state: RoomPairing) => void } = {},
): Promise<BoxIdentity> {
  const shown: RoomPairing[] = [];
  const stop = new AbortController();
  const pairing = pair(
    {
      log: createLog(systemClock, () => {}),
      clock: systemClock,
      hub: createHubPairing({ host: "127.0.0.1", port: hub.port }),
      caSha256: () => options.caSha256,
      directory: join(box.directory, "identity"),
      agentVersion: "test",
      description: "test box",
      revoked: false,
      onState: (state) => {
        shown.push(state);
        options.onState?.(state);
      },
    },
    stop.signal,
  );
  try {
    const code = await until("a pairing code is shown", () => {
      const last = shown.at(-1);
      return last?.state === "code" && last.code;
    });
    const outcome = await hub.fleet.pairing.typeCode(code, { pointName }, "test");
    if (!outcome.ok) throw new Error(outcome.detail);
    const identity = await pairing;
    box.setIdentity(identity);
    return identity;
  } finally {
    stop.abort(new Error("the test goes on without it"));
    await pairing.catch(() => {});
  }
}

export const newSessionId = (): SessionId => makeId("session", randomId());
