import { readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileSize, processesWith, runChecked, runProcess, systemClock } from "../../src/platform/platform.ts";
import {
  segmentFileName,
  segmentPath,
  type HubAssignment,
  type SegmentName,
  type SessionId,
} from "../../src/protocol/protocol.ts";
import { copiesOf } from "./copies.ts";
import { boxRecords } from "./count.ts";
import { flipByte } from "./flip-byte.ts";
import { freePort } from "./free-port.ts";
import { startMeddler } from "./meddler.ts";
import { GOOD_LINE, type ImpairedNamespace } from "./namespace.ts";
import type { RoomProcess, Stand } from "./stand.ts";
import { randomFrom, type Fault, type FaultKind, type Victim } from "./storm-plan.ts";
import { supervise, type Supervised } from "./supervised.ts";
import { until } from "./until.ts";

/** A room that a storm can do everything to. */
export interface StormRoom {
  room: RoomProcess;
  line: ImpairedNamespace;
  /** Read by libfaketime in each of the room's processes: what its wall clock is ahead. */
  clockFile: string;
}

/** What a fault did: nothing where nobody was there to be hit. */
export type Hit = { hit: true; detail?: string } | { hit: false; why: string };

/** Another box with the identity of a room, and a disk of its own. */
export interface Twin {
  of: RoomProcess;
  dataDirectory: string;
  /** Switches it on. */
  begin(): Promise<Supervised>;
}

const DISK_MIB = 256;
const HIT_WITHIN_MS = 4_000;
/** A segment lasts 10 s. */
const NEXT_SEGMENT_MS = 14_000;

/** A data disk of its own: a file system in memory that can be filled and made read-only. */
export const mountDisk = (dataDirectory: string): Promise<unknown> =>
  runChecked(["mount", "-t", "tmpfs", "-o", `size=${DISK_MIB}m,mode=700`, "tmpfs", dataDirectory]);

export const unmountDisk = (dataDirectory: string): Promise<unknown> => runProcess(["umount", "--lazy", dataDirectory]);

/** Environment of a room whose wall clock follows a file. */
export async function fakeClock(clockFile: string): Promise<NodeJS.ProcessEnv> {
  await writeFile(clockFile, "+0");
  const { stdout } = await runChecked(["dpkg", "-L", "libfaketime"]);
  const library = stdout.split("\n").find((line) => line.endsWith("/libfaketime.so.1"));
  if (!library) throw new Error("the package libfaketime holds no library");
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clockFile,
    FAKETIME_CACHE_DURATION: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    NO_FAKE_STAT: "1",
  };
}

/**
 * Does to a stand what a plan says. INVARIANT: every fault that lasts is undone when its time is up, also if another
 * has hit the same process meanwhile.
 */
export class Storm {
  readonly twins: Twin[] = [];
  private readonly stand: Stand;
  private readonly session: SessionId;
  private readonly rooms: readonly StormRoom[];
  private readonly random: () => number;

  constructor(stand: Stand, rooms: readonly StormRoom[], session: SessionId, seed: number) {
    this.stand = stand;
    this.rooms = rooms;
    this.session = session;
    this.random = randomFrom(seed);
  }

  /** Switches the twins on once more, one after the other: what they have recorded comes home too. */
  async bringTwinsHome(withinMs: number): Promise<void> {
    const archive = join(this.stand.hub.dataDirectory, "archive");
    const province = this.stand.province.directory;
    for (const twin of this.twins) {
      const { of, dataDirectory } = twin;
      const running = await twin.begin();
      const places = { recordings: join(dataDirectory, "recordings"), archive, province };
      const isHome = async () =>
        (await this.isOver(dataDirectory)) &&
        (await copiesOf(this.session, of.point, places)).every(({ state }) => state !== "differs");
      // What is not home by then is found by whoever counts.
      await until("the twin's recordings are home", isHome, { withinMs, everyMs: 500 }).catch(() => {});
      await running.stop();
    }
  }

  /** Whether a box has heard that the session has ended, and has closed all that it recorded of it. */
  private async isOver(dataDirectory: string): Promise<boolean> {
    const state = JSON.parse(await readFile(join(dataDirectory, "state.json"), "utf8")) as {
      assignment: HubAssignment | null;
    };
    const known = state.assignment?.sessions.find(({ id }) => id === this.session);
    if (known && known.state !== "ended") return false;
    const recordings = join(dataDirectory, "recordings");
    const closed = (await boxRecords(recordings, this.session)).filter(({ kind }) => kind === "takeEnd");
    const takes = await readdir(join(recordings, this.session)).catch(() => []);
    const isOpen = async (take: string) =>
      !closed.some((end) => end.take === take) &&
      // An encoder that was stopped before its first frame leaves a folder behind.
      ((await fileSize(join(recordings, this.session, take, segmentFileName(0)))) ?? 0) > 0;
    return !(await Promise.all(takes.map(isOpen))).includes(true);
  }

  /** Resolves when the fault is over. */
  async strike({ fault, room, forMs }: Fault): Promise<Hit> {
    const there = this.rooms[room]!;
    const last = () => systemClock.sleep(forMs);
    switch (fault.do) {
      case "kill":
        return this.signal(there, fault.victim, async (pid) => void process.kill(pid, "SIGKILL"));
      case "freeze":
        return this.signal(there, fault.victim, async (pid) => {
          process.kill(pid, "SIGSTOP");
          await last();
          // Somebody may have given up waiting for it.
          if (isThere(pid)) process.kill(pid, "SIGCONT");
        });
      case "cutLine":
        await there.line.cut();
        await last();
        await there.line.mend();
        return { hit: true };
      case "badLine": {
        const { delayMs, loss, kbps } = fault;
        there.line.impair({ delayMs, loss, kbps });
        await last();
        there.line.impair(GOOD_LINE);
        return { hit: true };
      }
      case "corruptTransit":
        there.room.cable!.corruptNext();
        return { hit: true };
      case "meddle":
        return this.meddle(there, last);
      case "fillDisk":
        return this.fillDisk(there, last);
      case "readOnlyDisk":
        return this.makeReadOnly(there, last);
      case "damageSegment":
        return this.damage(there);
      case "jumpClock":
        return jumpClock(there, fault, last);
      case "twin":
    }
    return this.twin(there, last);
  }

  private async signal(there: StormRoom, victim: Victim, act: (pid: number) => Promise<void>): Promise<Hit> {
    const pid = await until(`${victim} of ${there.room.name}`, () => this.pidOf(there.room, victim), {
      withinMs: HIT_WITHIN_MS,
      everyMs: 5,
    }).catch(() => undefined);
    if (pid === undefined) return { hit: false, why: `no ${victim} was running` };
    await act(pid);
    return { hit: true };
  }

  private pidOf(room: RoomProcess, victim: Victim): number | undefined {
    const processes = () => processesWith(join(room.runDirectory, "encoder/"));
    switch (victim) {
      case "hub":
        return this.stand.hub.process.pid;
      case "agent":
        return room.process.pid;
      case "encoder":
        return processes().find(({ argv }) => argv[0] === "ffmpeg")?.pid;
      case "camera":
        return processes().find(({ argv }) => argv.some((argument) => argument.endsWith("virtual-room-main.ts")))?.pid;
      case "rsync":
    }
    return childrenOf(room.process.pid, "rsync")[0];
  }

  /** Messages are repeated and put in another order on the way. */
  private async meddle({ room }: StormRoom, last: () => Promise<void>): Promise<Hit> {
    const hub = { host: "127.0.0.1", port: this.stand.hub.tlsPort };
    await using meddler = await startMeddler({
      hub,
      authority: join(this.stand.hub.dataDirectory, "authority"),
      identity: join(room.dataDirectory, "identity"),
      random: this.random,
    });
    room.cable!.lead({ host: "127.0.0.1", port: meddler.port });
    await last();
    room.cable!.lead(hub);
    const { repeated, heldBack } = meddler.done;
    if (repeated + heldBack === 0) return { hit: false, why: "no message passed" };
    return { hit: true, detail: `${repeated} messages repeated, ${heldBack} held back` };
  }

  private async fillDisk({ room }: StormRoom, last: () => Promise<void>): Promise<Hit> {
    const filler = join(room.dataDirectory, "filler");
    await runProcess(["dd", "if=/dev/zero", `of=${filler}`, "bs=64k", "status=none"]);
    const { bavail } = await statfs(room.dataDirectory);
    await last();
    await rm(filler);
    return { hit: true, detail: `${bavail} blocks left` };
  }

  /** As a kernel does after an I/O error: what was writing is gone, and nothing can be written. */
  private async makeReadOnly({ room }: StormRoom, last: () => Promise<void>): Promise<Hit> {
    const mount = (mode: "ro" | "rw") => ["mount", "-o", `remount,${mode}`, room.dataDirectory];
    const remount = async (mode: "ro" | "rw") => (await runProcess(mount(mode))).code === 0;
    // An agent that was started meanwhile has a view of its own of what is mounted, and how.
    const remountThere = async () =>
      (await runProcess(["nsenter", "--target", `${room.process.pid}`, "--mount", ...mount("rw")])).code === 0;
    const begun = await until(
      "nobody writes",
      async () => {
        for (const { pid } of processesWith(join(room.runDirectory, "encoder/"))) killIfThere(pid);
        room.process.kill("SIGKILL");
        return remount("ro");
      },
      { withinMs: HIT_WITHIN_MS, everyMs: 20 },
    ).catch(() => false);
    if (!begun) return { hit: false, why: "the disk was never free of writers" };
    await last();
    await until("the disk can be written again", async () => (await remount("rw")) && (await remountThere()));
    return { hit: true };
  }

  /** Changes bytes in the next segment that is closed, before the hub can have it. */
  private async damage({ room }: StormRoom): Promise<Hit> {
    const known = new Set((await this.segments(room)).map(segmentPath));
    room.cable!.cut();
    try {
      const name = await until(
        "a segment is closed",
        async () => (await this.segments(room)).find((segment) => !known.has(segmentPath(segment))),
        { withinMs: NEXT_SEGMENT_MS },
      ).catch(() => undefined);
      if (!name) return { hit: false, why: "no segment was closed in time" };
      const path = segmentPath(name);
      await flipByte(join(room.dataDirectory, "recordings", path));
      return { hit: true, detail: path };
    } finally {
      room.cable!.mend();
    }
  }

  private async segments(room: RoomProcess): Promise<SegmentName[]> {
    const records = await boxRecords(join(room.dataDirectory, "recordings"), this.session).catch(() => []);
    return records.flatMap((record) => (record.kind === "segment" ? [record] : []));
  }

  /** A second box with the same keys, on the same line, in the same session; then it is switched off. */
  private async twin({ room, line }: StormRoom, last: () => Promise<void>): Promise<Hit> {
    const directory = join(dirname(room.config), `twin-${this.twins.length + 1}`);
    const dataDirectory = join(directory, "data");
    await mkdir(dataDirectory, { recursive: true });
    await cp(join(room.dataDirectory, "identity"), join(dataDirectory, "identity"), { recursive: true });
    await cp(join(room.dataDirectory, "state.json"), join(dataDirectory, "state.json"));
    const config = join(directory, "box.json");
    const own = JSON.parse(await readFile(room.config, "utf8")) as Record<string, unknown>;
    const places = { dataDirectory, runDirectory: join(directory, "run"), room: { port: await freePort() } };
    await writeFile(config, JSON.stringify({ ...own, ...places }));
    const main = join(import.meta.dirname, "../../src/edge/start.js");
    const begin = () =>
      supervise([...line.enter, process.execPath, main, "--config", config], { logFile: join(directory, "box.log") });
    this.twins.push({ of: room, dataDirectory, begin });
    const running = await begin();
    await last();
    await running.stop();
    return { hit: true };
  }
}

async function jumpClock(
  { clockFile }: StormRoom,
  { byMs }: Extract<FaultKind, { do: "jumpClock" }>,
  last: () => Promise<void>,
): Promise<Hit> {
  await writeFile(clockFile, `${byMs < 0 ? "-" : "+"}${Math.abs(byMs) / 1_000}`);
  await last();
  await writeFile(clockFile, "+0");
  return { hit: true };
}

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

function killIfThere(pid: number): void {
  if (isThere(pid)) process.kill(pid, "SIGKILL");
}

/** Processes of that name that a process has started: fields 2 and 4 of /proc/PID/stat (proc(5)). */
const childrenOf = (parent: number, name: string): number[] =>
  readdirSync("/proc").flatMap((pid) => {
    try {
      const [, comm, ppid] = /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))!;
      return comm === name && Number(ppid) === parent ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
