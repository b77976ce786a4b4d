import { randomBytes } from "node:crypto";
import { join } from "node:path";
import {
  archiveSegmentFiles,
  archiveTakePath,
  parseSegmentPath,
  segmentPath,
  type BoxId,
  type PointId,
  type SegmentName,
  type SessionId,
  type SignedRecord,
  type TakeId,
} from "../../protocol/protocol.ts";
import {
  causeOf,
  fileSize,
  hashRegularFile,
  isoUtc,
  isUnreadable,
  linkDurable,
  listDirectory,
  makeDirectory,
  moveDurable,
  removeDurable,
  removeIdleDirectory,
  type Clock,
  type DirectoryItem,
  type Log,
} from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import { forAll } from "./queues.ts";
import type { Sidecars } from "./sidecars.ts";
import {
  parseStagedFileName,
  planStaged,
  sameContent,
  stagedFileName,
  type Content,
  type StagedFacts,
  type StagedFile,
  type StagedRefusal,
} from "./staged.ts";

export interface IntakeOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  directories: { inbox: string; archive: string; quarantine: string; staging: string };
  sidecars: Sidecars;
  /** False while a refused segment's time has not come: a box that lies must not keep the hub busy. */
  mayLook: (name: SegmentName) => boolean;
  onVerified: (verified: { box: BoxId; name: SegmentName; receipt: SignedRecord; first: boolean }) => void;
  onRefused: (refused: { box: BoxId; name: SegmentName; refusals: number; reason: StagedRefusal }) => void;
}

export interface Intake {
  /**
   * Handles everything that is staged for a box or lies in its inbox. Throws on errors of disk or database, when it has
   * handled what they do not concern: one file on a bad sector keeps no other waiting.
   */
  pass(box: BoxId): Promise<void>;
  /**
   * Completes segments whose file is at its place but which the database calls waiting: of a restored database, or
   * copied back by a person.
   */
  reclaim(): Promise<void>;
  /** Boxes that have something in the inbox or staged. */
  boxes(): Promise<BoxId[]>;
}

interface SegmentRow extends Content {
  box: BoxId;
  session: SessionId;
  point: PointId;
  take: TakeId;
  seq: number;
  state: "waiting" | "verified" | "damaged";
}

/** An empty folder of an inbox is left alone for this long: an rsync may be about to write into it. */
const IDLE_FOLDER_MS = 10 * 60_000;
/** Each is logged once, unless somebody leaves very many. */
const STRAYS_REMEMBERED = 1_000;

/**
 * Brings files from the boxes' inboxes into the archive.
 *
 * INVARIANTS
 * - A file is hashed only after it has left the box's reach (renamed into staging).
 * - A file in the archive is never overwritten or changed; it gets its name by link(2), which refuses an existing one.
 * - Nothing that came is deleted, except a second name of bytes that lie, read back equal, at their place.
 * - "verified" is written to the database only when file, record, signatures and receipt are on disk.
 * - One pass per box at a time (the caller's duty); boxes share no staged file and no segment.
 */
export function createIntake(options: IntakeOptions): Intake {
  const { db, log, clock, directories } = options;
  const strays = new Set<string>();

  const segmentRow = async (name: SegmentName): Promise<SegmentRow | undefined> => {
    const row = await db
      .selectFrom("segment")
      .select(["boxId", "sessionId", "pointId", "sha256", "sizeBytes", "hubState"])
      .where("takeId", "=", name.take)
      .where("seq", "=", name.seq)
      .executeTakeFirst();
    return (
      row && {
        box: row.boxId,
        session: row.sessionId,
        point: row.pointId,
        take: name.take,
        seq: name.seq,
        sha256: row.sha256,
        sizeBytes: row.sizeBytes,
        state: row.hubState,
      }
    );
  };

  const placeOf = (row: SegmentRow): string =>
    join(directories.archive, row.session, archiveTakePath(row.point, row.take), archiveSegmentFiles(row.seq).media);

  /** One bad sector must not end the work on all other files. */
  const sealedAt = async (place: string): Promise<StagedFacts["sealed"]> => {
    try {
      return await hashRegularFile(place);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      log.error("archive.unreadable", { path: place, cause: causeOf(error) });
      return "unreadable";
    }
  };

  /** The same bytes refused twice are kept once. */
  const setAside = async (path: string, file: StagedFile, content: Content | undefined): Promise<void> => {
    const folder = join(directories.quarantine, file.box, file.name.session, file.name.take);
    await makeDirectory(folder);
    const stem = segmentPath(file.name).split("/").at(-1)!.replace(".ts", "");
    const kept = join(folder, content ? `${stem}.${content.sha256}.ts` : `${stem}.${file.nonce}.irregular`);
    if ((await linkDurable(path, kept)) === "exists") log.debug("archive.refusedAgain", { kept });
    await removeDurable(path);
  };

  const refuse = async (
    path: string,
    file: StagedFile,
    row: SegmentRow | undefined,
    reason: StagedRefusal,
    content: Content | undefined,
    askAgain: boolean,
  ): Promise<void> => {
    const { box, name } = file;
    log.warn("archive.refused", {
      box,
      file: segmentPath(name),
      reason,
      recordedSha256: row?.sha256,
      sha256: content?.sha256,
      recordedBytes: row?.sizeBytes,
      sizeBytes: content?.sizeBytes,
    });
    if (!askAgain || !row) return setAside(path, file, content);
    const refusals = await db.transaction().execute(async (trx) => {
      const updated = await trx
        .updateTable("segment")
        .set((eb) => ({ refusals: eb("refusals", "+", 1) }))
        .where("takeId", "=", name.take)
        .where("seq", "=", name.seq)
        .returning("refusals")
        .executeTakeFirstOrThrow();
      if (updated.refusals === 1)
        await trx
          .updateTable("take")
          .set((eb) => ({ refusedSegments: eb("refusedSegments", "+", 1) }))
          .where("id", "=", name.take)
          .execute();
      return updated.refusals;
    });
    await setAside(path, file, content);
    options.onRefused({ box, name, refusals, reason });
  };

  /** Sidecars to disk, then the database's word, then the box is told. */
  const certify = async (row: SegmentRow): Promise<void> => {
    const receipt = await options.sidecars.certify(row, isoUtc(clock.wallMs()));
    const first = await db.transaction().execute(async (trx) => {
      const before = await trx
        .selectFrom("segment")
        .select(["hubState", "refusals"])
        .where("takeId", "=", row.take)
        .where("seq", "=", row.seq)
        .executeTakeFirstOrThrow();
      if (before.hubState === "verified") return false;
      await trx
        .updateTable("segment")
        .set({ hubState: "verified", hubReceipt: receipt.record, hubReceiptSignature: receipt.signature })
        .where("takeId", "=", row.take)
        .where("seq", "=", row.seq)
        .execute();
      await trx
        .updateTable("take")
        .set((eb) => ({
          hubSegments: eb("hubSegments", "+", 1),
          refusedSegments: eb("refusedSegments", "-", before.hubState === "waiting" && before.refusals > 0 ? 1 : 0),
          // A whole copy has turned up after all.
          damagedSegments: eb("damagedSegments", "-", before.hubState === "damaged" ? 1 : 0),
        }))
        .where("id", "=", row.take)
        .execute();
      // A damaged file that was asked for again after the bag was finished: its receipt has changed.
      await trx
        .updateTable("bag")
        .set((eb) => ({ additions: eb("additions", "+", 1) }))
        .where("sessionId", "=", row.session)
        .execute();
      return true;
    });
    const name = { session: row.session, take: row.take, seq: row.seq };
    options.onVerified({ box: row.box, name, receipt, first });
  };

  const settle = async (file: StagedFile): Promise<void> => {
    const path = join(directories.staging, stagedFileName(file));
    const row = await segmentRow(file.name);
    const own = row && row.box === file.box && row.session === file.name.session ? row : undefined;
    const staged = await hashRegularFile(path, { sync: true });
    const place = own && placeOf(own);
    const sealed = place === undefined ? undefined : await sealedAt(place);
    let record: StagedFacts["record"] = "none";
    if (row) record = own ? { sha256: own.sha256, sizeBytes: own.sizeBytes, state: own.state } : "foreign";
    for (const step of planStaged({ record, staged, sealed })) {
      switch (step.do) {
        case "wait":
          break;
        case "refuse":
          await refuse(path, file, own, step.reason, staged, step.askAgain);
          break;
        case "setAside":
          log.error("archive.damaged", {
            file: segmentPath(file.name),
            sha256: sealed === "unreadable" ? sealed : sealed!.sha256,
          });
          await setAside(place!, file, sealed === "unreadable" ? undefined : sealed);
          break;
        case "link":
          await makeDirectory(join(place!, ".."));
          if ((await linkDurable(path, place!)) === "exists") throw new Error(`${place!} appeared meanwhile`);
          break;
        case "certify":
          await certify(own!);
          break;
        case "drop":
          await removeDurable(path);
          break;
      }
    }
  };

  /** Out of the box's reach; what is no plain file stays where it is and is never followed. */
  const stage = async (box: BoxId, name: SegmentName, path: string): Promise<void> => {
    if ((await fileSize(path)) === undefined) return;
    const file: StagedFile = { box, name, nonce: randomBytes(6).toString("hex") };
    await moveDurable(path, join(directories.staging, stagedFileName(file)));
    await settle(file);
  };

  const stray = (box: BoxId, path: string, item: DirectoryItem): void => {
    // rsync's own: a partial folder, and hidden temporary names while a file is on its way.
    if (item.name.startsWith(".") && item.kind !== "other") return;
    if (strays.size >= STRAYS_REMEMBERED) strays.clear();
    if (strays.has(`${box}/${path}`)) return;
    strays.add(`${box}/${path}`);
    log.warn("archive.stray", { box, path, kind: item.kind });
  };

  /** Files that are whole and have a record, with where they lie; folders of which nothing is left go. */
  const arrived = async (box: BoxId): Promise<{ name: SegmentName; path: string }[]> => {
    const found: { name: SegmentName; path: string }[] = [];
    const root = join(directories.inbox, box);
    for (const session of await listDirectory(root)) {
      if (session.kind !== "directory") {
        stray(box, session.name, session);
        continue;
      }
      const takes = await listDirectory(join(root, session.name));
      for (const take of takes) {
        const folder = `${session.name}/${take.name}`;
        if (take.kind !== "directory") {
          stray(box, folder, take);
          continue;
        }
        const items = await listDirectory(join(root, folder));
        for (const item of items) {
          const path = `${folder}/${item.name}`;
          const name = parseSegmentPath(path);
          if (!name || item.kind !== "file") stray(box, path, item);
          else if (options.mayLook(name) && (await segmentRow(name))) found.push({ name, path: join(root, path) });
        }
        if (items.length === 0) await removeIdleDirectory(join(root, folder), IDLE_FOLDER_MS, clock.wallMs());
      }
      if (takes.length === 0) await removeIdleDirectory(join(root, session.name), IDLE_FOLDER_MS, clock.wallMs());
    }
    return found;
  };

  const stagedFiles = async (): Promise<StagedFile[]> => {
    const items = await listDirectory(directories.staging);
    return items.flatMap(({ name }) => parseStagedFileName(name) ?? []);
  };

  return {
    async pass(box) {
      const staged = (await stagedFiles()).filter((file) => file.box === box);
      const settling = forAll(staged, 1, settle);
      await settling.catch(() => {});
      await forAll(await arrived(box), 1, ({ name, path }) => stage(box, name, path));
      await settling;
    },

    async boxes() {
      const inboxes = await listDirectory(directories.inbox);
      const staged = await stagedFiles();
      const names = inboxes.filter(({ kind }) => kind === "directory").map(({ name }) => name as BoxId);
      return [...new Set([...names, ...staged.map(({ box }) => box)])];
    },

    async reclaim() {
      const rows = await db
        .selectFrom("segment")
        .select(["takeId", "seq", "sessionId"])
        .where("hubState", "=", "waiting")
        .execute();
      for (const { takeId, seq, sessionId } of rows) {
        const row = await segmentRow({ session: sessionId, take: takeId, seq });
        if (row && sameContent(row, await sealedAt(placeOf(row)))) await certify(row);
      }
    },
  };
}
