import { createPublicKey, type KeyObject } from "node:crypto";
import { dirname, join } from "node:path";
import {
  archiveSegmentFiles,
  archiveTakePath,
  Receipt,
  type PointId,
  type SessionId,
  type SignedRecord,
  type TakeId,
} from "../../protocol/protocol.ts";
import {
  createManyDurable,
  makeDirectory,
  moveDurable,
  readIfExists,
  sha256Hex,
  type Log,
} from "../../platform/platform.ts";
import { signatureHolds, type Signer } from "../../evidence/evidence.ts";
import type { HubDatabase } from "../database/database.ts";

export interface SidecarOptions {
  db: HubDatabase;
  log: Log;
  directories: { archive: string; quarantine: string; staging: string };
  signer: Signer;
  receiptKeyPem: string;
}

export interface SegmentFact {
  session: SessionId;
  point: PointId;
  take: TakeId;
  seq: number;
  sha256: string;
  sizeBytes: number;
}

/** Writes the small files beside the recordings: each is made once and then only compared. */
export interface Sidecars {
  /** Record, its signature, receipt and its signature beside one segment. Gives the receipt. */
  certify(segment: SegmentFact, at: string): Promise<SignedRecord>;
  /** Creates what is missing; what is there with other bytes is set aside first. Paths are within a session's bag. */
  ensure(session: SessionId, files: readonly { path: string; data: string | Uint8Array }[]): Promise<void>;
  /** Signs a file's text; the signature that lies there already is kept while it holds. */
  signatureOf(session: SessionId, path: string, text: string): Promise<Buffer>;
}

export const der = (signature: string): Buffer => Buffer.from(signature, "base64");

export function createSidecars(options: SidecarOptions): Sidecars {
  const { db, log, directories, signer } = options;
  const hubKey: KeyObject = createPublicKey(options.receiptKeyPem);

  const ensure: Sidecars["ensure"] = async (session, files) => {
    const bag = join(directories.archive, session);
    const wanted = files.map(({ path, data }) => ({ path: join(bag, path), data }));
    for (const folder of new Set(wanted.map(({ path }) => dirname(path)))) await makeDirectory(folder);
    const existing = new Set(await createManyDurable(wanted, directories.staging));
    for (const { path, data } of wanted) {
      if (!existing.has(path)) continue;
      const there = await readIfExists(path);
      if (there?.equals(Buffer.from(data))) continue;
      log.error("archive.damaged", { path });
      const kept = join(directories.quarantine, session, `${path.slice(bag.length + 1)}.${sha256Hex(there ?? "")}`);
      await makeDirectory(dirname(kept));
      await moveDurable(path, kept);
      await createManyDurable([{ path, data }], directories.staging);
    }
  };

  const signatureOf: Sidecars["signatureOf"] = async (session, path, text) => {
    const there = await readIfExists(join(directories.archive, session, path));
    if (there && signatureHolds({ record: text, signature: there.toString("base64") }, hubKey)) return there;
    return der(signer(text).signature);
  };

  /** A receipt that a crash left on disk before the database knew of it, if it says what is to be said. */
  const leftReceipt = async (segment: SegmentFact, path: string): Promise<string | undefined> => {
    const text = (await readIfExists(join(directories.archive, segment.session, path)))?.toString("utf8");
    if (text === undefined) return undefined;
    try {
      const receipt = Receipt.parse(JSON.parse(text));
      const { store, session, take, seq, sha256, sizeBytes } = receipt;
      const same =
        store === "hub" &&
        session === segment.session &&
        take === segment.take &&
        seq === segment.seq &&
        sha256 === segment.sha256 &&
        sizeBytes === segment.sizeBytes;
      return same ? text : undefined;
    } catch {
      return undefined;
    }
  };

  return {
    ensure,
    signatureOf,

    async certify(segment, at) {
      const { session, take, seq, sha256, sizeBytes } = segment;
      const row = await db
        .selectFrom("segment")
        .innerJoin("record", (join) =>
          join.onRef("record.takeId", "=", "segment.takeId").onRef("record.n", "=", "segment.n"),
        )
        .select(["record.record", "record.signature", "segment.hubReceipt", "segment.hubReceiptSignature"])
        .where("segment.takeId", "=", take)
        .where("segment.seq", "=", seq)
        .executeTakeFirstOrThrow();
      const folder = archiveTakePath(segment.point, take);
      const files = archiveSegmentFiles(seq);
      const receiptPath = `${folder}/${files.receipt}`;
      const receiptSignaturePath = `${folder}/${files.receiptSignature}`;
      const record =
        row.hubReceipt ??
        (await leftReceipt(segment, receiptPath)) ??
        JSON.stringify({
          v: 1,
          kind: "receipt",
          store: "hub",
          session,
          take,
          seq,
          sha256,
          sizeBytes,
          at,
        } satisfies Receipt);
      const signature = row.hubReceiptSignature
        ? der(row.hubReceiptSignature)
        : await signatureOf(session, receiptSignaturePath, record);
      await ensure(session, [
        { path: `${folder}/${files.record}`, data: row.record },
        { path: `${folder}/${files.recordSignature}`, data: der(row.signature) },
        { path: receiptPath, data: record },
        { path: receiptSignaturePath, data: signature },
      ]);
      return { record, signature: signature.toString("base64") };
    },
  };
}
