import { join } from "node:path";
import { BAG, type BoxId, type Receipt, type SessionId, type SignedRecord } from "../../protocol/protocol.ts";
import {
  causeOf,
  hashRegularFile,
  isoUtc,
  isUnreadable,
  readIfExists,
  runChecked,
  runForever,
  sha256Hex,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import type { Signer } from "../../evidence/evidence.ts";
import { createWake, STORAGE_FILE, type LostPiece, type LostRecording, type ProvinceCopy } from "../archive/archive.ts";
import type { HubDatabase } from "../database/database.ts";
import { createBringingBack } from "./bringing-back.ts";
import {
  differencesIn,
  filesOfBag,
  filesOfSegment,
  parseTarget,
  ProvinceError,
  rsyncArgv,
  SOME_MISSING,
  type DueRow,
  type RsyncMode,
} from "./plan.ts";
import { createRereading } from "./rereading.ts";
import { createStorage } from "./storage.ts";

export interface ProvinceOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  archiveDirectory: string;
  /** `rsync://host:port/module/path`, `user@host:path` or an absolute path. */
  target: string;
  /** For a daemon that asks for one: rsync's --password-file. */
  passwordFile?: string;
  signer: Signer;
  onCopied: (copy: ProvinceCopy) => void;
  /** The hub's own copy is not what was recorded, or its disk does not give it back. */
  onSourceDamaged: (damaged: LostRecording) => Promise<void>;
  /** A recording that the hub had lost: a file on the archive's file system, equal to its record. */
  onBroughtBack: (lost: LostRecording, path: string) => Promise<void>;
  /** The same for pieces of the hub's own copy. */
  missingPieces: () => Promise<readonly LostPiece[]>;
  onPieceBroughtBack: (piece: LostPiece, path: string) => Promise<void>;
  /** Whether the hub's disk has room for what it has lost. */
  hasRoom: () => boolean;
  /** How long after its last reading a copy is read again. */
  rereadEveryMs: number;
  onReread: (session: SessionId) => void;
}

export interface Province {
  /**
   * Copies what is verified at the hub and not yet there, and brings back what the hub has lost and is there, until the
   * signal. Retries for ever.
   */
  run(signal: AbortSignal): Promise<void>;
  /** Something new may be there to copy. */
  nudge(): void;
}

const BATCH_SEGMENTS = 200;
const LOOK_EVERY_MS = 60_000;
/** In the archive's folder: on its file system, and no bag. */
const UNDER_WAY = ".province";

/**
 * Copies the archive to the province's storage, and back what the hub has lost; reads the copies again.
 *
 * INVARIANTS
 * - Nothing is ever deleted at the target.
 * - Before each batch the target shows the identity file that this hub left there; an unmounted or swapped disk is
 *   refused and nothing written.
 * - A receipt is signed only after the hub's file has been read and found equal to its record, and the copy has been
 *   read at the target and found equal to the hub's file.
 * - A bag's tag files go only when all its segments are there: a bag that looks whole at the province is whole.
 * Throws ProvinceError "badTarget" at once for a target that cannot be read.
 */
export function createProvince(options: ProvinceOptions): Province {
  const { db, log, clock, archiveDirectory, signer } = options;
  const target = parseTarget(options.target);
  const folder = join(archiveDirectory, UNDER_WAY);
  const wake = createWake(clock);
  const backWake = createWake(clock);

  const rsync = async (
    files: readonly string[],
    cwd: string,
    mode: RsyncMode,
    signal: AbortSignal,
  ): Promise<string[]> => {
    const { stdout } = await runChecked(rsyncArgv(target, mode, options.passwordFile), {
      cwd,
      // --rsh would need a space in an argument.
      env: { ...process.env, RSYNC_RSH: "ssh -o BatchMode=yes -o ConnectTimeout=10" },
      input: files.map((file) => `${file}\n`).join(""),
      signal,
      fine: mode === "fetch" ? [SOME_MISSING] : [],
    });
    return mode === "check" ? differencesIn(stdout) : [];
  };

  /** Reads the copies at the target. Gives what differs. */
  const compare = async (files: readonly string[], signal: AbortSignal): Promise<string[]> => {
    if (target.kind !== "path") return rsync(files, archiveDirectory, "check", signal);
    const different: string[] = [];
    for (const file of files) {
      signal.throwIfAborted();
      const here = await hashRegularFile(join(archiveDirectory, file));
      const there = await hashRegularFile(join(target.address, file));
      if (!here || here.sha256 !== there?.sha256) different.push(file);
    }
    return different;
  };

  const copy = async (files: readonly string[], signal: AbortSignal): Promise<void> => {
    await rsync(files, archiveDirectory, "copy", signal);
    const different = await compare(files, signal);
    if (different.length > 0)
      throw new ProvinceError("differs", `${different.length} copies differ at the province, first: ${different[0]}`);
  };

  const { checkStorage } = createStorage({
    ...{ db, log, clock, target, folder },
    rsync: (mode, signal) => rsync([STORAGE_FILE], folder, mode, signal),
  });

  const dueSegments = (): Promise<DueRow[]> => {
    return db
      .selectFrom("segment")
      .select([
        "sessionId as session",
        "pointId as point",
        "takeId as take",
        "seq",
        "boxId as box",
        "sha256",
        "sizeBytes",
      ])
      .where("hubState", "=", "verified")
      .where("provinceState", "=", "waiting")
      .limit(BATCH_SEGMENTS)
      .execute();
  };

  /** The hub's files that still are what was recorded: rot must not spread with a receipt on it. */
  const intactOf = async (rows: readonly DueRow[], signal: AbortSignal): Promise<DueRow[]> => {
    const intact: DueRow[] = [];
    for (const row of rows) {
      signal.throwIfAborted();
      const { media } = filesOfSegment(row);
      const content = await hashRegularFile(join(archiveDirectory, media)).catch((error: unknown) => {
        if (!isUnreadable(error)) throw error;
        log.error("province.sourceUnreadable", { file: media, cause: causeOf(error) });
      });
      if (content?.sha256 === row.sha256 && content.sizeBytes === row.sizeBytes) {
        intact.push(row);
        continue;
      }
      log.error("province.sourceDamaged", { file: media, recordedSha256: row.sha256, sha256: content?.sha256 });
      const { box, session, take, seq } = row;
      await options.onSourceDamaged({ box, name: { session, take, seq } });
    }
    return intact;
  };

  const noteVerified = async (rows: readonly DueRow[]): Promise<void> => {
    const at = isoUtc(clock.wallMs());
    const receipts = rows.map(({ session, take, seq, sha256, sizeBytes }) =>
      signer(
        JSON.stringify({
          v: 1,
          kind: "receipt",
          store: "province",
          session,
          take,
          seq,
          sha256,
          sizeBytes,
          at,
        } satisfies Receipt),
      ),
    );
    await db.transaction().execute(async (trx) => {
      for (const [index, { take, seq }] of rows.entries()) {
        const { record, signature } = receipts[index]!;
        await trx
          .updateTable("segment")
          .set({ provinceState: "verified", provinceReceipt: record, provinceReceiptSignature: signature })
          .where("takeId", "=", take)
          .where("seq", "=", seq)
          .execute();
      }
      for (const [take, of] of Map.groupBy(rows, (row) => row.take))
        await trx
          .updateTable("take")
          .set((eb) => ({ provinceSegments: eb("provinceSegments", "+", of.length) }))
          .where("id", "=", take)
          .execute();
    });
    const copies = new Map<string, { box: BoxId; session: SessionId; receipts: SignedRecord[] }>();
    for (const [index, { box, session }] of rows.entries()) {
      const key = `${box} ${session}`;
      const entry = copies.get(key) ?? { box, session, receipts: [] };
      entry.receipts.push(receipts[index]!);
      copies.set(key, entry);
    }
    for (const entry of copies.values()) options.onCopied(entry);
  };

  const copySegments = async (signal: AbortSignal): Promise<boolean> => {
    const due = await dueSegments();
    if (due.length === 0) return false;
    await checkStorage(signal);
    const rows = await intactOf(due, signal);
    if (rows.length === 0) return true;
    const files = rows.flatMap((row) => {
      const { media, small } = filesOfSegment(row);
      return [media, ...small];
    });
    await copy(files, signal);
    await noteVerified(rows);
    log.info("province.copied", { segments: rows.length });
    return true;
  };

  const dueBags = async (): Promise<SessionId[]> => {
    const rows = await db
      .selectFrom("bag")
      .innerJoin("take", "take.sessionId", "bag.sessionId")
      .select("bag.sessionId")
      .where("bag.tagManifestSha256", "is not", null)
      .where((eb) =>
        eb.or([
          eb("bag.provinceTagManifestSha256", "is", null),
          eb("bag.provinceTagManifestSha256", "!=", eb.ref("bag.tagManifestSha256")),
        ]),
      )
      .groupBy("bag.sessionId")
      .having((eb) => eb(eb.fn.sum("take.provinceSegments"), "=", eb.fn.sum("take.hubSegments")))
      .execute();
    return rows.map(({ sessionId }) => sessionId);
  };

  const copyBag = async (session: SessionId, signal: AbortSignal): Promise<void> => {
    const read = (path: string) => readIfExists(join(archiveDirectory, session, path));
    const tagManifest = await read(BAG.tagManifest);
    const manifest = await read(BAG.manifest);
    if (!tagManifest || !manifest)
      throw new ProvinceError("sourceDamaged", `the bag of ${session} has lost a manifest`);
    await checkStorage(signal);
    await copy(filesOfBag(session, manifest.toString("utf8"), tagManifest.toString("utf8")), signal);
    // Finished anew meanwhile: what is there now is not what was copied, and the next round copies it.
    await db
      .updateTable("bag")
      .set({ provinceTagManifestSha256: sha256Hex(tagManifest) })
      .where("sessionId", "=", session)
      .execute();
    log.info("province.bagCopied", { session });
  };

  const runOnce = async (signal: AbortSignal): Promise<void> => {
    const before = await db.selectFrom("storage").select("target").where("name", "=", "province").executeTakeFirst();
    // Configured anew: what an earlier target holds is due again, which nothing else would notice.
    if (before && before.target !== target.address) await checkStorage(signal);
    for (;;) {
      while (await copySegments(signal)) signal.throwIfAborted();
      // One bag's trouble does not hold up the others; it is thrown when all have had their turn.
      const results = [];
      for (const session of await dueBags()) results.push(...(await Promise.allSettled([copyBag(session, signal)])));
      const failed = results.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
      await wake.within(LOOK_EVERY_MS, signal);
      signal.throwIfAborted();
    }
  };

  const bringingBack = createBringingBack({
    ...{ db, log, clock, folder: join(folder, "back"), hasRoom: options.hasRoom },
    ...{ onFetched: options.onBroughtBack, onPieceFetched: options.onPieceBroughtBack },
    missingPieces: options.missingPieces,
    async fetch(files, into, signal) {
      await checkStorage(signal);
      await rsync(files, into, "fetch", signal);
    },
  });
  const bringBack = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      while (await bringingBack.batch(signal)) signal.throwIfAborted();
      await backWake.within(LOOK_EVERY_MS, signal);
      signal.throwIfAborted();
    }
  };

  const rereading = createRereading({
    ...{ db, log, clock, everyMs: options.rereadEveryMs, intactOf },
    async compare(files, signal) {
      await checkStorage(signal);
      return compare(files, signal);
    },
  });
  const reread = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const session = await rereading.next(signal);
      if (session) {
        options.onReread(session);
        wake.now();
      } else await clock.sleep(Math.min(LOOK_EVERY_MS, options.rereadEveryMs), signal);
      signal.throwIfAborted();
    }
  };

  return {
    nudge() {
      wake.now();
      backWake.now();
    },
    async run(signal) {
      const retry = { clock, log, baseMs: 1_000, capMs: 60_000 };
      await Promise.all([
        runForever({ ...retry, name: "province" }, signal, runOnce),
        runForever({ ...retry, name: "province.bringingBack" }, signal, bringBack),
        runForever({ ...retry, name: "province.rereading" }, signal, reread),
      ]);
    },
  };
}
