import { createPublicKey, X509Certificate, type KeyObject } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import {
  archiveRecordFile,
  archiveSegmentFiles,
  archiveTakePath,
  BAG,
  GENESIS,
  HubCopyStatement,
  hubCopyFolder,
  LOST_FILE,
  LostStatement,
  Receipt,
  SignedRecord,
  type BoxId,
  type EvidenceRecord,
  type PointId,
  type SegmentRecord,
  type TakeId,
} from "../protocol/protocol.ts";
import { completeLines, hashRegularFile, listDirectory, readIfExists, sha256Hex } from "../platform/platform.ts";
import { checkNextRecord, emptyChain } from "./chain.ts";
import { isNote, type Difference, type DifferenceCode } from "./differences.ts";
import { signatureHolds } from "./signature.ts";

export interface BagReport {
  /** No difference but notes. */
  whole: boolean;
  differences: Difference[];
  takes: number;
  /** Those of the screen, among `takes`. */
  screenTakes: number;
  segments: number;
  gaps: number;
  frames: number;
  /** Pieces of the live stream that the hub put where a lost box's recording is missing; not among the segments. */
  hubCopies: number;
  /** SHA-256 of the certificate on which everything rests, AA:BB:…; compare it with the published one. */
  caFingerprint: string | null;
  /** SHA-256 of the hub's public key (DER), hex: the key of receipts and manifests; compare it too. */
  hubKeySha256: string | null;
}

const ChainLine = SignedRecord.extend({ countersignature: z.base64() });
type ChainLine = z.infer<typeof ChainLine>;

const same = (a: Buffer | undefined, b: string | Buffer): boolean => a !== undefined && a.equals(Buffer.from(b));
const der = (base64: string): Buffer => Buffer.from(base64, "base64");

/** Reads a manifest (RFC 8493 §2.1.3): hash by path. A path that leaves the bag is a line that cannot be read. */
function parseManifest(text: string): { lines: Map<string, string>; bad: string[] } {
  const lines = new Map<string, string>();
  const bad: string[] = [];
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const match = /^([0-9a-f]{64}) [ *](\S.*)$/.exec(line);
    if (!match || match[2]!.startsWith("/") || match[2]!.split("/").includes("..")) bad.push(line);
    else lines.set(match[2]!, match[1]!);
  }
  return { lines, bad };
}

async function* filesBelow(root: string, folder: string): AsyncGenerator<string> {
  for (const { name, kind } of await listDirectory(join(root, folder))) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (kind === "directory") yield* filesBelow(root, path);
    else yield path;
  }
}

/**
 * Checks a session's bag: manifests against files both ways, the hub's signature over them, each box's certificate,
 * each take's chain with both signatures, each recording against its signed record, each receipt.
 * Differences are data; throws only where the bag's disk cannot be read.
 * @param options.caSha256 fingerprint the bag must rest on: 64 hex digits, colons allowed
 */
export async function verifyBag(bag: string, options: { caSha256?: string } = {}): Promise<BagReport> {
  const report: BagReport = {
    whole: false,
    differences: [],
    takes: 0,
    screenTakes: 0,
    segments: 0,
    gaps: 0,
    frames: 0,
    hubCopies: 0,
    caFingerprint: null,
    hubKeySha256: null,
  };
  const found = (code: DifferenceCode, path: string, detail?: string) =>
    void report.differences.push(detail === undefined ? { code, path } : { code, path, detail });
  const read = (path: string) => readIfExists(join(bag, path));
  const [declaration, manifestText, tagText, caPem, hubPem] = await Promise.all(
    [BAG.declaration, BAG.manifest, BAG.tagManifest, BAG.ca, BAG.hubKey].map(read),
  );
  if (
    !declaration?.toString("utf8").startsWith("BagIt-Version: 1.0\n") ||
    !manifestText ||
    !tagText ||
    !caPem ||
    !hubPem
  ) {
    found("noBag", bag);
    return report;
  }
  let ca: X509Certificate;
  let hubKey: KeyObject;
  try {
    ca = new X509Certificate(caPem);
    hubKey = createPublicKey(hubPem);
  } catch (error) {
    found("noBag", "keys", (error as Error).message);
    return report;
  }
  report.caFingerprint = ca.fingerprint256;
  report.hubKeySha256 = sha256Hex(hubKey.export({ type: "spki", format: "der" }));
  const plainHex = (text: string) => text.replaceAll(":", "").toLowerCase();
  if (options.caSha256 !== undefined && plainHex(options.caSha256) !== plainHex(ca.fingerprint256))
    found("authorityNotExpected", BAG.ca, ca.fingerprint256);

  const tagSignature = await read(BAG.tagManifestSignature);
  const tagManifest = tagText.toString("utf8");
  if (!tagSignature || !signatureHolds({ record: tagManifest, signature: tagSignature.toString("base64") }, hubKey))
    found("tagManifestSignature", BAG.tagManifestSignature);

  const payload = parseManifest(manifestText.toString("utf8"));
  const tags = parseManifest(tagManifest);
  for (const [path, { lines, bad }] of [[BAG.manifest, payload] as const, [BAG.tagManifest, tags] as const]) {
    for (const line of bad) found("manifestLine", path, line);
    for (const [file, sha256] of lines) {
      const content = await hashRegularFile(join(bag, file));
      if (!content) found("missing", file);
      else if (content.sha256 !== sha256) found("changed", file, `SHA-256 ${content.sha256}`);
    }
  }
  for (const required of [BAG.manifest, BAG.declaration, BAG.info, BAG.ca, BAG.hubKey])
    if (!tags.lines.has(required)) found("unlisted", required);
  for await (const file of filesBelow(bag, "")) {
    const listed = file.startsWith("data/") ? payload.lines.has(file) : tags.lines.has(file);
    if (!listed && file !== BAG.tagManifest && file !== BAG.tagManifestSignature) found("unlisted", file);
  }

  const keys = await boxKeys(bag, ca, found);
  const lost = await lostRooms(bag, hubKey, payload.lines, found);
  report.hubCopies = lost.pieces;
  const firstPrevs: { path: string; prev: string }[] = [];
  const tips = new Set<string>([GENESIS]);
  const chains = [...payload.lines.keys()].filter((path) => basename(path) === BAG.chain);
  const recorded: { record: SegmentRecord; folder: string }[] = [];
  const damaged = new Set<string>();
  for (const path of chains) {
    report.takes++;
    const take = await checkTake(
      bag,
      path,
      { keys, hubKey, hashes: payload.lines, isLost: lost.points.has(path.split("/")[1]!) },
      found,
    );
    for (const record of take.records) {
      if (record.kind === "segment") {
        report.segments++;
        report.frames += record.frames;
        recorded.push({ record, folder: dirname(path) });
      }
      if (record.kind === "takeStart" && record.track === "screen") report.screenTakes++;
      if (record.kind === "gap") report.gaps++;
      if (record.kind === "gap" && record.segment) damaged.add(`${record.segment.take}/${record.segment.seq}`);
    }
    if (take.records[0]) firstPrevs.push({ path, prev: take.records[0].prev });
    if (take.tip !== undefined) tips.add(take.tip);
  }
  for (const { record, folder } of recorded) {
    const media = `${folder}/${archiveSegmentFiles(record.seq).media}`;
    // The box has signed that it lost this one, perhaps in a later take.
    if (damaged.has(`${record.take}/${record.seq}`) && !payload.lines.has(media)) found("segmentDamaged", media);
    else await checkSegment(record, folder, read, hubKey, payload.lines, found);
  }
  for (const folder of takeFolders(payload.lines.keys()))
    if (!lost.folders.has(folder) && !chains.includes(`${folder}/${BAG.chain}`))
      found("missing", `${folder}/${BAG.chain}`);
  for (const { path, prev } of firstPrevs) if (!tips.has(prev)) found("takeMissing", path, prev);

  report.whole = report.differences.every(isNote);
  return report;
}

type Found = (code: DifferenceCode, path: string, detail?: string) => void;

/** Folders data/<point>/<take> that the manifest names anything in. */
function takeFolders(paths: Iterable<string>): Set<string> {
  const folders = new Set<string>();
  for (const path of paths) folders.add(path.split("/").slice(0, 3).join("/"));
  return folders;
}

/** Keys of the boxes whose certificate the bag's authority has issued. */
async function boxKeys(bag: string, ca: X509Certificate, found: Found): Promise<Map<string, KeyObject>> {
  const keys = new Map<string, KeyObject>();
  for (const { name } of await listDirectory(join(bag, "keys"))) {
    const box = /^(box-[a-z2-7]{16})\.crt\.pem$/.exec(name)?.[1] as BoxId | undefined;
    if (box === undefined) continue;
    const path = BAG.boxCertificate(box);
    try {
      const certificate = new X509Certificate((await readIfExists(join(bag, path)))!);
      if (!certificate.checkIssued(ca) || !certificate.verify(ca.publicKey)) {
        found("certificate", path);
        continue;
      }
      const pem = (await readIfExists(join(bag, BAG.boxKey(box))))?.toString("utf8") ?? "";
      if (!createPublicKey(pem).equals(certificate.publicKey)) found("boxKey", BAG.boxKey(box));
      keys.set(box, certificate.publicKey);
    } catch (error) {
      found("certificate", path, (error as Error).message);
    }
  }
  return keys;
}

interface Grounds {
  keys: ReadonlyMap<string, KeyObject>;
  hubKey: KeyObject;
  /** Payload manifest. */
  hashes: ReadonlyMap<string, string>;
  /** The hub has signed that this room's box was lost. */
  isLost: boolean;
}

/** Rooms of which the hub says that the box was lost, and what it put there instead: statements against files. */
async function lostRooms(bag: string, hubKey: KeyObject, hashes: ReadonlyMap<string, string>, found: Found) {
  const lost = { points: new Set<string>(), folders: new Set<string>(), pieces: 0 };
  const statementIn = async (path: string): Promise<unknown> => {
    const text = (await readIfExists(join(bag, path)))?.toString("utf8") ?? "";
    const signature = (await readIfExists(join(bag, `${path}.sig`)))?.toString("base64") ?? "";
    return signatureHolds({ record: text, signature }, hubKey) ? JSON.parse(text) : undefined;
  };
  const session = await sessionOf(bag);
  for (const path of [...hashes.keys()].filter((each) => basename(each) === LOST_FILE)) {
    const point = path.split("/")[1] as PointId;
    const folder = hubCopyFolder(point);
    const statement = LostStatement.safeParse(await statementIn(path)).data;
    if (statement?.session !== session || statement?.point !== point || path !== `${folder}/${LOST_FILE}`) {
      found("hubCopy", path);
      continue;
    }
    lost.points.add(point);
    lost.folders.add(folder);
    for (const media of [...hashes.keys()].filter((each) => each.startsWith(`${folder}/`) && each.endsWith(".ts"))) {
      const piece = HubCopyStatement.safeParse(await statementIn(media.replace(/ts$/, "json"))).data;
      if (piece?.session === session && piece?.point === point && piece.sha256 === hashes.get(media)) lost.pieces++;
      else found("hubCopy", media);
    }
  }
  return lost;
}

async function checkTake(
  bag: string,
  path: string,
  { keys, hubKey, hashes, isLost }: Grounds,
  found: Found,
): Promise<{ records: EvidenceRecord[]; tip: string | undefined }> {
  const folder = path.slice(0, -BAG.chain.length - 1);
  const [, point, takeId] = folder.split("/") as [string, PointId, TakeId];
  const records: EvidenceRecord[] = [];
  const read = (name: string) => readIfExists(join(bag, folder, name));
  const text = (await read(BAG.chain))?.toString("utf8") ?? "";
  const signature = await read(BAG.chainSignature);
  if (!signature || !signatureHolds({ record: text, signature: signature.toString("base64") }, hubKey))
    found("chainSignature", `${folder}/${BAG.chainSignature}`);

  let tip = emptyChain(takeId);
  for (const [index, raw] of completeLines(text).entries()) {
    const where = `${path}:${index + 1}`;
    const line = parseLine(raw);
    const box = line && boxOf(line.record);
    const key = box === undefined ? undefined : keys.get(box);
    if (!line) {
      found("chainLine", where);
      break;
    }
    if (!key) {
      found("chainBroken", where, `${box ?? "?"}: keys/`);
      break;
    }
    const verdict = checkNextRecord(tip, line, key);
    if (!verdict.ok) {
      found("chainBroken", where, verdict.detail);
      break;
    }
    tip = verdict.tip;
    const { record } = verdict;
    if (!signatureHolds({ record: line.record, signature: line.countersignature }, hubKey))
      found("countersignature", where);
    if (folder !== archiveTakePath(record.point, record.take) || record.point !== point) found("wrongPlace", where);
    if (isLost && record.kind === "segment" && !hashes.has(`${folder}/${archiveSegmentFiles(record.seq).media}`)) {
      found("boxLost", where);
      continue;
    }
    records.push(record);
    const files =
      record.kind === "segment"
        ? [archiveSegmentFiles(record.seq).record, archiveSegmentFiles(record.seq).recordSignature]
        : [archiveRecordFile(record.n), `${archiveRecordFile(record.n)}.sig`];
    const contents = [line.record, der(line.signature)];
    for (const [position, name] of files.entries())
      if (!same(await read(name), contents[position]!)) found("recordFile", `${folder}/${name}`);
  }
  if (!tip.ended) found(isLost ? "boxLost" : "chainNotEnded", path);
  const sessions = new Set(records.map(({ session }) => session));
  if (sessions.size > 1 || (records[0] && (await sessionOf(bag)) !== records[0].session)) found("wrongPlace", path);
  return { records, tip: tip.prev };
}

function parseLine(raw: string): ChainLine | undefined {
  try {
    return ChainLine.parse(JSON.parse(raw));
  } catch {
    return undefined;
  }
}

/** Whose key to try; the signature then decides whether it was that box. */
function boxOf(record: string): string | undefined {
  try {
    return (JSON.parse(record) as { box?: string }).box;
  } catch {
    return undefined;
  }
}

/** The session that bag-info.txt names: the bag may have been copied into a folder of another name. */
async function sessionOf(bag: string): Promise<string | undefined> {
  const text = (await readIfExists(join(bag, BAG.info)))?.toString("utf8") ?? "";
  return /^External-Identifier: (\S+)$/m.exec(text)?.[1];
}

async function checkSegment(
  record: SegmentRecord,
  folder: string,
  read: (path: string) => Promise<Buffer | undefined>,
  hubKey: KeyObject,
  hashes: ReadonlyMap<string, string>,
  found: Found,
): Promise<void> {
  const names = archiveSegmentFiles(record.seq);
  // The file has been hashed against the manifest; here the manifest is held against the box's word.
  const media = `${folder}/${names.media}`;
  if (hashes.get(media) !== record.sha256) found("segmentDiffers", media, `SHA-256 ${record.sha256}`);
  const text = (await read(`${folder}/${names.receipt}`))?.toString("utf8") ?? "";
  const signature = (await read(`${folder}/${names.receiptSignature}`))?.toString("base64") ?? "";
  if (!signatureHolds({ record: text, signature }, hubKey)) found("receiptSignature", `${folder}/${names.receipt}`);
  let receipt: Receipt | undefined;
  try {
    receipt = Receipt.parse(JSON.parse(text));
  } catch {
    receipt = undefined;
  }
  const { session, take, seq, sha256, sizeBytes } = record;
  const fits =
    receipt?.store === "hub" &&
    receipt.session === session &&
    receipt.take === take &&
    receipt.seq === seq &&
    receipt.sha256 === sha256 &&
    receipt.sizeBytes === sizeBytes;
  if (!fits) found("receipt", `${folder}/${names.receipt}`);
}
