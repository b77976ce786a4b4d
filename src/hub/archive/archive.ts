import { dirname, join } from "node:path";
import {
  segmentPath,
  type BoxId,
  type HubMessage,
  type SegmentName,
  type SessionId,
  type SignedRecord,
  type TakeId,
} from "../../protocol/protocol.ts";
import {
  backoffMs,
  causeOf,
  linkDurable,
  makeDirectory,
  removeTemporaries,
  runForever,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import type { Signer } from "../../evidence/evidence.ts";
import type { HubDatabase } from "../database/database.ts";
import { createCopies, type BagCopy } from "./copy.ts";
import { createFinishing, type LostRecording } from "./finishing.ts";
import { createIntake } from "./intake.ts";
import { createKeeping, type RecordsPort } from "./keeping.ts";
import { createLoudness, type Loudness } from "./loudness.ts";
import { missingPieces, placeOfPiece, type LostPiece } from "./lost.ts";
import { createQueues, forAll } from "./queues.ts";
import { createRecordings, type Recordings } from "./recordings.ts";
import { segmentKey } from "./records.ts";
import { createRereading } from "./rereading.ts";
import { watchRoom, type Admission, type HubRoom, type RoomLimits } from "./room.ts";
import { createSidecars } from "./sidecars.ts";
import { checkArchiveIdentity, checkOneFileSystem } from "./storage.ts";
import { takeBack } from "./taking-back.ts";
import { createViewing } from "./viewing.ts";
import { createWake } from "./wake.ts";

export { createCarried, type Carried } from "./carried.ts";
export type { RecordsPort } from "./keeping.ts";
export { pathOfPiece, type LostPiece } from "./lost.ts";
export { createQueues } from "./queues.ts";
export { sessionRuns } from "./rereading.ts";
export { STORAGE_FILE, storageText } from "./storage.ts";
export { createWake } from "./wake.ts";
export type { LostRecording } from "./finishing.ts";
export type { HubRoom } from "./room.ts";

export interface ArchiveOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  /** All three on one file system: files travel between them by rename. */
  directories: {
    /** The rsync module's parent: one folder per box. */
    inbox: string;
    /** One BagIt bag per session. */
    archive: string;
    /** What did not match its record, kept for people to look at. */
    quarantine: string;
    /** Finished pieces of the hub's own copy of lost rooms, by session and point; on the same file system too. */
    filled: string;
  };
  /** Countersigns records, signs receipts and finished bags. */
  signer: Signer;
  trust: {
    caPem: string;
    /** Public key of `signer`, PEM. */
    receiptKeyPem: string;
  };
  /** Certificate of a box, PEM; replaced and revoked boxes' too. */
  boxKey: (box: BoxId) => Promise<string | undefined>;
  send: (box: BoxId, message: HubMessage) => void;
  limits: RoomLimits;
  /** How long after its last reading a recording is read again. */
  rereadEveryMs: number;
}

/** Segments that have been verified at the province. */
export interface ProvinceCopy {
  box: BoxId;
  session: SessionId;
  receipts: readonly SignedRecord[];
}

export interface Archive extends Recordings, Pick<Loudness, "loudness"> {
  readonly records: RecordsPort;
  /** Something may have arrived for this box: called while and after its rsync runs. */
  inboxChanged(box: BoxId): void;
  /** Whether this box may send files now. */
  admit(box: BoxId): Promise<Admission>;
  /** How much room there is for recordings, as last looked at. */
  room(): HubRoom;
  /** The state of that room has changed. */
  onRoom(listener: () => void): void;
  /**
   * A verified recording is not what was recorded any more: it counts as not arrived, and its box, which has it, is asked for
   * it. What lies there goes to quarantine when it comes.
   */
  fetchAgain: (lost: LostRecording) => Promise<void>;
  /**
   * Takes in what another store has given back, as if its box had sent it.
   * @param path on the archive's file system; keeps that name too
   */
  giveBack: (lost: LostRecording, path: string) => Promise<void>;
  /** An ended session's whole bag, to be carried away; undefined while something of it is missing or being stated anew. */
  copyOf: (session: SessionId) => Promise<BagCopy | undefined>;
  /** Pieces of the hub's own copy that its disk has lost, and the way back for one. */
  missingPieces: () => Promise<LostPiece[]>;
  giveBackPiece: (piece: LostPiece, path: string) => Promise<void>;
  /** Hands the province's receipts to the box and tells the listeners. */
  noteCopied: (copy: ProvinceCopy) => void;
  /** Called at most a few times a second per session. Gives the function that ends it. */
  onChange(listener: (session: SessionId) => void): () => void;
  /** Works off inboxes, finishes bags, makes viewing copies, until the signal. Retries everything for ever. */
  run(signal: AbortSignal): Promise<void>;
}

const RECEIPTS_PER_MESSAGE = 500;
const CHANGE_DELAY_MS = 200;
const PASSES_AT_ONCE = 4;
/** A session's end is not announced to the archive; asking costs one small query. */
const FINISH_EVERY_MS = 1_000;
/** Inboxes are looked through even when nobody says that they changed. */
const SCAN_EVERY_MS = 60_000;
const ASK_AGAIN_BASE_MS = 1_000;
const ASK_AGAIN_CAP_MS = 10 * 60_000;

/**
 * The hub's archive.
 *
 * INVARIANTS
 * - Only `run` touches inboxes and archive; everything else sets flags and wakes it.
 * - The storage's identity is checked before each batch; nothing is written to a directory that is not the archive.
 */
export function createArchive(options: ArchiveOptions): Archive {
  const { db, log, clock } = options;
  const hidden = (name: string) => join(options.directories.archive, name);
  // Each loop has a folder of its own for what is under way, and clears it when it starts.
  const directories = {
    ...options.directories,
    staging: hidden(".staging"),
    finishing: hidden(".finishing"),
    viewing: hidden(".viewing"),
    loudness: hidden(".loudness"),
    rereading: hidden(".rereading"),
  };
  const listeners = new Set<(session: SessionId) => void>();
  const changed = new Set<SessionId>();
  const dirty = new Set<BoxId>();
  const wake = createWake(clock);
  const finishWake = createWake(clock);
  const viewingWake = createWake(clock);
  const loudnessWake = createWake(clock);
  /** Refused segments: when the next file may be looked at, and the box is asked for it. */
  const askAgain = new Map<string, { box: BoxId; name: SegmentName; reason: string; atMs: number }>();

  const tellListeners = async (): Promise<void> => {
    await clock.sleep(CHANGE_DELAY_MS);
    const sessions = [...changed];
    changed.clear();
    for (const session of sessions) for (const listener of listeners) listener(session);
  };
  const noteChange = (session: SessionId): void => {
    if (changed.size === 0) void tellListeners();
    changed.add(session);
  };

  const sendReceipts = (box: BoxId, receipts: readonly SignedRecord[]): void => {
    for (let first = 0; first < receipts.length; first += RECEIPTS_PER_MESSAGE)
      options.send(box, { type: "receipts", items: receipts.slice(first, first + RECEIPTS_PER_MESSAGE) });
  };

  const inboxChanged = (box: BoxId): void => {
    dirty.add(box);
    wake.now();
  };

  /** A box that has come back may have missed that something was refused or has gone, of whichever take. */
  const remind = async (box: BoxId): Promise<void> => {
    const refused = await db
      .selectFrom("segment")
      .select(["sessionId", "takeId", "seq"])
      .where("boxId", "=", box)
      .where("hubState", "=", "waiting")
      .where("refusals", ">", 0)
      .execute();
    for (const { sessionId: session, takeId: take, seq } of refused)
      if (!askAgain.has(segmentKey(take, seq)))
        options.send(box, { type: "resend", session, take, seq, reason: "refused" });
  };

  const records = createKeeping({
    db,
    log,
    clock,
    signer: options.signer,
    boxKey: options.boxKey,
    onAccepted({ box, session, records: accepted }) {
      // A file may have come before its record.
      if (accepted.some(({ kind }) => kind === "segment")) inboxChanged(box);
      if (accepted.some(({ kind }) => kind === "takeEnd")) finishWake.now();
      noteChange(session);
    },
    onAsked(box) {
      inboxChanged(box);
      remind(box).catch((error: unknown) => log.warn("archive.remindFailed", { box, cause: causeOf(error) }));
    },
  });

  const sidecarsIn = (staging: string) =>
    createSidecars({
      db,
      log,
      directories: { ...directories, staging },
      signer: options.signer,
      receiptKeyPem: options.trust.receiptKeyPem,
    });
  const askLater = (box: BoxId, name: SegmentName, refusals: number, reason: string): void => {
    const atMs = clock.monotonicMs() + backoffMs(refusals, ASK_AGAIN_BASE_MS, ASK_AGAIN_CAP_MS);
    askAgain.set(segmentKey(name.take, name.seq), { box, name, reason, atMs });
    noteChange(name.session);
    wake.now();
  };
  const fetchAgain = async ({ box, name }: LostRecording): Promise<void> => {
    const times = await takeBack(db, name.take, name.seq);
    if (times !== undefined) askLater(box, name, times, "lost");
  };
  const intake = createIntake({
    db,
    log,
    clock,
    directories,
    sidecars: sidecarsIn(directories.staging),
    mayLook: ({ take, seq }) => (askAgain.get(segmentKey(take, seq))?.atMs ?? 0) <= clock.monotonicMs(),
    onVerified({ box, name, receipt, first }) {
      askAgain.delete(segmentKey(name.take, name.seq));
      options.send(box, { type: "receipts", items: [receipt] });
      if (!first) return;
      noteChange(name.session);
      finishWake.now();
    },
    onRefused: ({ box, name, refusals, reason }) => askLater(box, name, refusals, reason),
  });
  const finishing = createFinishing({
    db,
    log,
    directories,
    sidecars: sidecarsIn(directories.finishing),
    boxKey: options.boxKey,
    trust: options.trust,
    onLost: fetchAgain,
  });
  const rereading = createRereading({
    ...{ db, log, clock, directories, everyMs: options.rereadEveryMs },
    sidecars: sidecarsIn(directories.rereading),
    onLost: fetchAgain,
  });
  const copyOf = createCopies({
    ...{ db, clock, log, directories },
    async onDamaged(session, path) {
      // Of a disk that has just gone every file is missing.
      await checkArchiveIdentity(db, directories.archive);
      const [, , take, file] = path.split("/");
      const seq = Number(/^(\d+)\.ts$/.exec(file ?? "")?.[1] ?? Number.NaN);
      const row = await db
        .selectFrom("take")
        .select(["id", "boxId"])
        .where("id", "=", take as TakeId)
        .executeTakeFirst();
      // Of anything else the archive's own reading makes a new one.
      if (row && !Number.isNaN(seq)) await fetchAgain({ box: row.boxId, name: { session, take: row.id, seq } });
    },
  });
  const viewing = createViewing({ db, log, directories });
  const recordings = createRecordings({ db, clock, archive: directories.archive });
  const loudness = createLoudness({
    ...{ log, directories, placed: (...of) => recordings.placed(...of) },
    onWanted: () => loudnessWake.now(),
  });
  const roomListeners: (() => void)[] = [];
  const space = watchRoom({
    log,
    clock,
    inbox: directories.inbox,
    limits: options.limits,
    onChange: () => roomListeners.forEach((listener) => listener()),
  });

  /** Sends what is due; gives the time until the next is. */
  const askDue = (): number => {
    const nowMs = clock.monotonicMs();
    let nextMs = SCAN_EVERY_MS;
    for (const [key, { box, name, reason, atMs }] of askAgain) {
      if (atMs > nowMs) {
        nextMs = Math.min(nextMs, atMs - nowMs);
        continue;
      }
      askAgain.delete(key);
      dirty.add(box);
      options.send(box, { type: "resend", ...name, reason });
    }
    return nextMs;
  };

  // One at a time: the very first check makes the identity.
  const queues = createQueues();
  const checkStorage = (): Promise<void> =>
    queues.run("storage", async () => {
      await checkArchiveIdentity(db, directories.archive);
      for (const directory of Object.values(directories)) await makeDirectory(directory);
      await checkOneFileSystem(Object.values(directories));
    });

  const watchSpace = async (signal: AbortSignal): Promise<void> => {
    await checkStorage();
    await space.run(signal);
  };

  const passAll = async (signal: AbortSignal): Promise<void> => {
    const boxes = [...dirty];
    dirty.clear();
    await forAll(boxes, PASSES_AT_ONCE, async (box) => {
      if (!signal.aborted) await intake.pass(box);
    });
  };

  const takeIn = async (signal: AbortSignal): Promise<void> => {
    await checkStorage();
    await removeTemporaries(directories.staging);
    for (;;) {
      await intake.reclaim();
      for (const box of await intake.boxes()) dirty.add(box);
      let nextMs = askDue();
      const scanAtMs = clock.monotonicMs() + SCAN_EVERY_MS;
      while (clock.monotonicMs() < scanAtMs) {
        if (dirty.size > 0) {
          await checkArchiveIdentity(db, directories.archive);
          await passAll(signal);
        }
        nextMs = askDue();
        if (dirty.size === 0) await wake.within(Math.min(nextMs, scanAtMs - clock.monotonicMs()), signal);
        signal.throwIfAborted();
      }
    }
  };

  const finish = async (signal: AbortSignal): Promise<void> => {
    await checkStorage();
    await removeTemporaries(directories.finishing);
    for (;;) {
      const due = await finishing.due();
      if (due.length > 0) await checkArchiveIdentity(db, directories.archive);
      await forAll(due, 1, async (session) => {
        if (signal.aborted || !(await finishing.finish(session))) return;
        noteChange(session);
        viewingWake.now();
      });
      await finishWake.within(FINISH_EVERY_MS, signal);
      signal.throwIfAborted();
    }
  };

  const view = async (signal: AbortSignal): Promise<void> => {
    await checkStorage();
    await removeTemporaries(directories.viewing);
    for (;;) {
      await checkArchiveIdentity(db, directories.archive);
      await forAll(await viewing.due(), 1, async (session) => {
        // A viewing copy can be made at any time; room for recordings comes first.
        if (signal.aborted || space.room().state !== "ok") return;
        await viewing.make(session, signal);
        finishWake.now();
        const points = await db.selectFrom("sessionPoint").select("pointId").where("sessionId", "=", session).execute();
        await loudness.prepare(
          session,
          points.map(({ pointId }) => pointId),
        );
      });
      await viewingWake.within(SCAN_EVERY_MS, signal);
      signal.throwIfAborted();
    }
  };

  const measure = async (signal: AbortSignal): Promise<void> => {
    await checkStorage();
    await removeTemporaries(directories.loudness);
    for (;;) {
      const hasRoom = space.room().state === "ok";
      if (hasRoom) await checkArchiveIdentity(db, directories.archive);
      if (!hasRoom || !(await loudness.measureNext(signal))) await loudnessWake.within(SCAN_EVERY_MS, signal);
      signal.throwIfAborted();
    }
  };

  const reread = async (signal: AbortSignal): Promise<void> => {
    await checkStorage();
    await removeTemporaries(directories.rereading);
    for (;;) {
      await checkArchiveIdentity(db, directories.archive);
      const session = await rereading.next(signal);
      if (session) noteChange(session);
      else await clock.sleep(Math.min(SCAN_EVERY_MS, options.rereadEveryMs), signal);
      signal.throwIfAborted();
    }
  };

  return {
    records,
    inboxChanged,
    ...recordings,
    loudness: (...of) => loudness.loudness(...of),
    admit: (box) => space.admit(box),
    room: () => space.room(),
    onRoom: (listener) => void roomListeners.push(listener),
    fetchAgain,
    copyOf,
    async giveBack({ box, name }, path) {
      const place = join(directories.inbox, box, segmentPath(name));
      await makeDirectory(dirname(place));
      // What is there already, its box is sending.
      await linkDurable(path, place);
      inboxChanged(box);
    },
    missingPieces: () => missingPieces(db, directories),
    async giveBackPiece({ session, point, n }, path) {
      const place = placeOfPiece(directories.filled, session, point, n);
      await makeDirectory(dirname(place));
      await linkDurable(path, place);
      finishWake.now();
    },
    noteCopied({ box, session, receipts }) {
      sendReceipts(box, receipts);
      noteChange(session);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async run(signal) {
      const retry = { clock, log, baseMs: 500 };
      await Promise.all([
        runForever({ ...retry, name: "archive", capMs: 30_000 }, signal, takeIn),
        runForever({ ...retry, name: "archive.room", capMs: 30_000 }, signal, watchSpace),
        runForever({ ...retry, name: "archive.finish", capMs: 60_000 }, signal, finish),
        runForever({ ...retry, name: "archive.viewing", capMs: 10 * 60_000 }, signal, view),
        runForever({ ...retry, name: "archive.rereading", capMs: 10 * 60_000 }, signal, reread),
        runForever({ ...retry, name: "archive.loudness", capMs: 10 * 60_000 }, signal, measure),
      ]);
    },
  };
}
