import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import {
  EvidenceRecord,
  RECORDS_FILE,
  segmentFileName,
  segmentPath,
  SessionId,
  SignedRecord,
  TakeId,
  type BoxId,
  type BoxRoomSessions,
  type PointId,
  type SegmentName,
  type SegmentRecord,
} from "../../protocol/protocol.ts";
import {
  causeOf,
  isoUtc,
  listDirectory,
  makeDirectory,
  moveDurable,
  readLines,
  removeDurable,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import type { CarriedFolderView, CarriedRefusal, CarriedRunView, CarriedView } from "../http/views.ts";
import type { RecordsPort } from "./keeping.ts";
import type { Admission } from "./room.ts";

/** A box's disk may be mounted as a whole: its recordings lie this deep at most. */
const DEEP = 4;
const RECORDS_PER_MESSAGE = 200;
const WAIT_FOR_ROOM_MS = 2_000;
const CHUNK_BYTES = 1 << 20;

export interface CarriedOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  /** Where media are mounted, or their files copied to. */
  directory: string;
  /** The archive's inboxes, one folder for each box. */
  inbox: string;
  records: Pick<RecordsPort, "accept">;
  boxKey: (box: BoxId) => Promise<string | undefined>;
  admit: (box: BoxId) => Promise<Admission>;
  inboxChanged: (box: BoxId) => void;
  /** Takes note of sessions of which only the room knew. */
  adopt: (box: BoxId, message: BoxRoomSessions) => Promise<unknown>;
  audit: (actor: string, act: string, detail: string) => Promise<void>;
}

export type CarriedOutcome =
  | { ok: true; carried: CarriedView }
  | { ok: false; code: "notFound" | "wrongState"; detail: string };

/** Recordings that people bring: the second medium of a box that is no more, or its disk. */
export interface Carried {
  view(): Promise<CarriedView>;
  /** Begins to take in what a folder of the view has and this hub lacks. The folder is only read. */
  takeIn(folder: string, actor: string): Promise<CarriedOutcome>;
  /** Ends what is under way; asked for again it goes on where it was. */
  close(): Promise<void>;
}

/** As a box writes it: the exact bytes that it signed, and what they say. */
interface CarriedTake {
  folder: string;
  take: TakeId;
  items: SignedRecord[];
  records: EvidenceRecord[];
  /** Why there are no more of them. */
  unreadable: string | null;
}

/**
 * INVARIANTS
 * - What is brought goes the way of what is sent: records by the same chain and signatures, files through the inbox of the box
 *   that signed for them. Nothing is believed because somebody carried it.
 * - What is not what was signed never gets into an inbox.
 * - The medium is only read. Done twice it changes nothing.
 */
export function createCarried(options: CarriedOptions): Carried {
  const { db, log, clock, directory } = options;
  const closing = new AbortController();
  let run: CarriedRunView | null = null;
  let running: Promise<void> = Promise.resolve();

  async function list(): Promise<CarriedFolderView[]> {
    const found: CarriedFolderView[] = [];
    const walk = async (path: string, depth: number): Promise<void> => {
      let items;
      try {
        items = await listDirectory(path);
      } catch (error) {
        log.warn("carried.unreadable", { path, cause: causeOf(error) });
        found.push({ folder: relative(directory, path) || ".", sessions: 0, points: [], readable: false });
        return;
      }
      const folders = items.filter(({ kind }) => kind === "directory");
      const sessions = folders.flatMap(({ name }) => SessionId.safeParse(name).data ?? []);
      if (sessions.length > 0) found.push(await describe(path, sessions));
      else if (depth < DEEP) for (const { name } of folders) await walk(join(path, name), depth + 1);
    };
    await walk(directory, 0);
    return found;
  }

  async function describe(path: string, sessions: SessionId[]): Promise<CarriedFolderView> {
    const points = new Set<PointId>();
    let readable = true;
    for (const session of sessions) {
      try {
        for (const take of await takeFolders(join(path, session))) {
          const first = await firstRecord(join(path, session, take));
          if (first) points.add(first.point);
          if (first) break;
        }
      } catch (error) {
        log.warn("carried.unreadable", { path, session, cause: causeOf(error) });
        readable = false;
      }
    }
    const rows = await db
      .selectFrom("bridgePoint")
      .select("name")
      .where("id", "in", [...points])
      .orderBy("name")
      .execute();
    const names = rows.map(({ name }) => name);
    return { folder: relative(directory, path) || ".", sessions: sessions.length, points: names, readable };
  }

  async function takeSession(path: string, session: SessionId, counts: CarriedRunView): Promise<void> {
    const takes: CarriedTake[] = [];
    for (const take of await takeFolders(join(path, session)))
      takes.push(await readTake(join(path, session, take), take));
    const refuse = (reason: CarriedRefusal, detail: object): void => {
      if (!counts.refused.some((one) => one.session === session && one.reason === reason))
        counts.refused.push({ session, reason });
      log.warn("carried.refused", { session, reason, ...detail });
    };
    for (const { take, unreadable } of takes)
      if (unreadable !== null) refuse("unreadable", { take, cause: unreadable });
    const signed = takes.filter(({ records }) => records.length > 0);
    for (const [box, of] of Map.groupBy(signed, ({ records }) => records[0]!.box)) {
      if ((await options.boxKey(box)) === undefined) {
        refuse("unknownBox", { box });
        continue;
      }
      await makeKnown(box, session, of);
      for (const take of of) {
        const nextN = await sendRecords(box, session, take);
        if (nextN < take.items.length)
          refuse("recordsRefused", { box, take: take.take, taken: nextN, of: take.items.length });
        await takeFiles(box, session, take, nextN, counts);
      }
    }
  }

  /** Of a session that the hub knows only as a plan, or not at all, the room's word is all there is. */
  async function makeKnown(box: BoxId, session: SessionId, takes: readonly CarriedTake[]): Promise<void> {
    const known = await db.selectFrom("session").select("state").where("id", "=", session).executeTakeFirst();
    if (known && known.state !== "draft") return;
    const readings = takes.flatMap(({ records }) => records.map(({ at }) => at));
    const sorted = readings.sort((a, b) => (a.utc < b.utc ? -1 : 1));
    const [startedAt, endedAt] = [sorted[0]!, sorted.at(-1)!];
    const point = await db
      .selectFrom("box")
      .innerJoin("bridgePoint", "bridgePoint.id", "box.pointId")
      .select("name")
      .where("box.id", "=", box)
      .executeTakeFirst();
    const name = `Buổi tiếp tại ${point?.name ?? "phòng"}`.slice(0, 200);
    // Of no boot that the box could still speak of: its times are taken as they stand.
    const at = { ...endedAt, utc: isoUtc(clock.wallMs()), bootId: "" };
    const sessions = [{ id: session, name, adHoc: known === undefined, by: "hand" as const, startedAt, endedAt }];
    await options.adopt(box, { type: "roomSessions", at, sessions });
  }

  /** @returns how many of its records the hub has now, whoever brought them */
  async function sendRecords(box: BoxId, session: SessionId, { take, items }: CarriedTake): Promise<number> {
    let nextN = 0;
    while (nextN < items.length) {
      closing.signal.throwIfAborted();
      const message = { firstN: nextN, items: items.slice(nextN, nextN + RECORDS_PER_MESSAGE) };
      const have = await options.records.accept(box, { type: "records", session, take, ...message });
      // The hub may have more of it already than the medium.
      const next = Math.min(have.nextN, items.length);
      if (next <= nextN) break;
      nextN = next;
    }
    return nextN;
  }

  async function takeFiles(
    box: BoxId,
    session: SessionId,
    { take, folder, records }: CarriedTake,
    nextN: number,
    counts: CarriedRunView,
  ): Promise<void> {
    const rows = await db.selectFrom("segment").select(["seq", "hubState"]).where("takeId", "=", take).execute();
    const verified = new Set(rows.filter(({ hubState }) => hubState === "verified").map(({ seq }) => seq));
    for (const record of records.slice(0, nextN)) {
      if (record.kind !== "segment") continue;
      if (verified.has(record.seq)) {
        counts.had++;
        continue;
      }
      await waitForRoom(box, counts);
      const outcome = await place(
        box,
        { session, take, seq: record.seq },
        join(folder, segmentFileName(record.seq)),
        record,
      );
      counts[outcome]++;
      if (outcome !== "taken") {
        log.warn("carried.notTaken", { session, take, seq: record.seq, outcome });
        continue;
      }
      counts.takenBytes += record.sizeBytes;
      options.inboxChanged(box);
    }
  }

  async function waitForRoom(box: BoxId, counts: CarriedRunView): Promise<void> {
    for (;;) {
      closing.signal.throwIfAborted();
      const admission = await options.admit(box);
      counts.waiting = !admission.ok && admission.reason === "hubFull";
      if (admission.ok) return;
      await clock.sleep(WAIT_FOR_ROOM_MS, closing.signal);
    }
  }

  /** Copies a file into its box's inbox, if it is what the box signed. */
  async function place(
    box: BoxId,
    name: SegmentName,
    from: string,
    { sha256, sizeBytes }: SegmentRecord,
  ): Promise<"taken" | "damaged" | "missing"> {
    const to = join(options.inbox, box, segmentPath(name));
    // The intake leaves hidden files alone.
    const partial = join(dirname(to), `.${segmentFileName(name.seq)}.carried`);
    // Somebody else's file: no link is followed, and no device waited for.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    let source;
    try {
      source = await open(from, flags);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ENOENT" ? "missing" : "damaged";
    }
    await using _source = source;
    const status = await source.stat();
    if (!status.isFile() || status.size !== sizeBytes) return "damaged";
    await makeDirectory(dirname(to));
    const hash = createHash("sha256");
    try {
      await using copy = await open(partial, "w", 0o600);
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      for (;;) {
        const { bytesRead } = await source.read(buffer, 0, buffer.length, null).catch(() => ({ bytesRead: 0 }));
        if (bytesRead === 0) break;
        const bytes = buffer.subarray(0, bytesRead);
        hash.update(bytes);
        await copy.writeFile(bytes);
      }
      await copy.sync();
    } catch (error) {
      await removeDurable(partial).catch(() => {});
      throw error;
    }
    if (hash.digest("hex") !== sha256) {
      await removeDurable(partial);
      return "damaged";
    }
    await moveDurable(partial, to);
    return "taken";
  }

  async function takeAll(path: string, counts: CarriedRunView): Promise<void> {
    const items = await listDirectory(path);
    const sessions = items.flatMap(({ name, kind }) => (kind === "directory" && SessionId.safeParse(name).data) || []);
    counts.sessions = sessions.length;
    for (const session of sessions) {
      try {
        await takeSession(path, session, counts);
      } catch (error) {
        closing.signal.throwIfAborted();
        // One that cannot be read keeps no other from coming in.
        counts.refused.push({ session, reason: "unreadable" });
        log.error("carried.failed", { session, cause: causeOf(error) });
      }
      counts.sessionsDone++;
    }
  }

  return {
    async view() {
      await makeDirectory(directory);
      return { directory, folders: await list(), run };
    },
    async takeIn(folder, actor) {
      if (run && run.endedAt === null)
        return { ok: false, code: "wrongState", detail: `${run.folder} is being taken in` };
      // Only what was shown: no path of a browser's own.
      if (!(await list()).some((one) => one.folder === folder))
        return { ok: false, code: "notFound", detail: `there are no recordings in ${folder}` };
      const counts: CarriedRunView = {
        ...{ folder, startedAt: isoUtc(clock.wallMs()), endedAt: null, waiting: false },
        ...{ sessions: 0, sessionsDone: 0, taken: 0, takenBytes: 0, had: 0, damaged: 0, missing: 0, refused: [] },
      };
      await options.audit(actor, "recordingsTakenIn", folder);
      run = counts;
      log.info("carried.begun", { folder, actor });
      running = takeAll(join(directory, folder), counts)
        .catch((error: unknown) => log.warn("carried.brokenOff", { folder, cause: causeOf(error) }))
        .finally(() => {
          counts.endedAt = isoUtc(clock.wallMs());
          counts.waiting = false;
          const { taken, had, damaged, missing, refused } = counts;
          log.info("carried.ended", { folder, taken, had, damaged, missing, refused: refused.length });
        });
      return { ok: true, carried: await this.view() };
    },
    async close() {
      closing.abort(new Error("the hub is stopping"));
      await running;
    },
  };
}

const takeFolders = async (session: string): Promise<TakeId[]> =>
  (await listDirectory(session)).flatMap(
    ({ name, kind }) => (kind === "directory" && TakeId.safeParse(name).data) || [],
  );

/** Of a take that was never begun for good there is none. */
async function firstRecord(folder: string): Promise<EvidenceRecord | undefined> {
  for await (const line of readLines(join(folder, RECORDS_FILE))) return parsed(line)?.record;
  return undefined;
}

/** Its records up to the first that cannot be read: a card that is worn out gives back anything, or nothing. */
async function readTake(folder: string, take: TakeId): Promise<CarriedTake> {
  const read: CarriedTake = { folder, take, items: [], records: [], unreadable: null };
  try {
    for await (const line of readLines(join(folder, RECORDS_FILE))) {
      const one = parsed(line);
      if (!one) throw new Error(`line ${read.items.length + 1} is no record`);
      read.items.push(one.signed);
      read.records.push(one.record);
    }
  } catch (error) {
    read.unreadable = causeOf(error);
  }
  return read;
}

function parsed(line: string): { signed: SignedRecord; record: EvidenceRecord } | undefined {
  try {
    const signed = SignedRecord.parse(JSON.parse(line));
    return { signed, record: EvidenceRecord.parse(JSON.parse(signed.record)) };
  } catch {
    return undefined;
  }
}
