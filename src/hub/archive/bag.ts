import {
  archiveRecordFile,
  archiveSegmentFiles,
  archiveTakePath,
  BAG,
  type BoxId,
  type PointId,
  type SessionId,
  type SignedRecord,
  type TakeId,
} from "../../protocol/protocol.ts";
import { sha256Hex } from "../../platform/platform.ts";

/** What the database holds of one ended take. */
export interface BagTake {
  take: TakeId;
  box: BoxId;
  point: PointId;
  /** In the order of the chain. */
  records: { n: number; kind: string; record: string; signature: string; countersignature: string }[];
  /** The verified ones in the order of recording; a segment with a record only is stated as damaged. */
  segments: { seq: number; n: number; sha256: string; sizeBytes: number; receipt: SignedRecord }[];
}

export interface BagFile {
  /** Relative to the bag. */
  path: string;
  data: string | Buffer;
}

export interface ManifestLine {
  path: string;
  sha256: string;
  sizeBytes: number;
}

/** A line of chain.jsonl: the box's record and signature, and the hub's signature over the same bytes. */
export interface ChainLine extends SignedRecord {
  countersignature: string;
}

const fromBase64 = (text: string): Buffer => Buffer.from(text, "base64");
export const lineOf = ({ path, data }: BagFile): ManifestLine => ({
  path,
  sha256: sha256Hex(data),
  sizeBytes: Buffer.byteLength(data),
});

export const chainText = (take: BagTake): string =>
  take.records
    .map(
      ({ record, signature, countersignature }) =>
        `${JSON.stringify({ record, signature, countersignature } satisfies ChainLine)}\n`,
    )
    .join("");

/** Everything small that lies in a take's folder, by content; and the recordings themselves, by hash. */
export function takeContents(take: BagTake, chainSignature: Buffer): { small: BagFile[]; media: ManifestLine[] } {
  const folder = archiveTakePath(take.point, take.take);
  const small: BagFile[] = [
    { path: `${folder}/${BAG.chain}`, data: chainText(take) },
    { path: `${folder}/${BAG.chainSignature}`, data: chainSignature },
  ];
  const media: ManifestLine[] = [];
  let seqs = 0;
  for (const { kind, n, record, signature } of take.records) {
    const own = archiveRecordFile(n);
    const names = kind === "segment" ? archiveSegmentFiles(seqs++) : { record: own, recordSignature: `${own}.sig` };
    small.push(
      { path: `${folder}/${names.record}`, data: record },
      { path: `${folder}/${names.recordSignature}`, data: fromBase64(signature) },
    );
  }
  for (const { seq, sha256, sizeBytes, receipt } of take.segments) {
    const names = archiveSegmentFiles(seq);
    media.push({ path: `${folder}/${names.media}`, sha256, sizeBytes });
    small.push(
      { path: `${folder}/${names.receipt}`, data: receipt.record },
      { path: `${folder}/${names.receiptSignature}`, data: fromBase64(receipt.signature) },
    );
  }
  return { small, media };
}

export const payloadLines = (contents: ReturnType<typeof takeContents>): ManifestLine[] => [
  ...contents.media,
  ...contents.small.map(lineOf),
];

/** RFC 8493 §2.1.3: `<hash>  <path>`, which is also what `sha256sum -c` reads. */
export const manifestText = (lines: readonly ManifestLine[]): string =>
  lines
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ sha256, path }) => `${sha256}  ${path}\n`)
    .join("");

export interface BagInfo {
  session: SessionId;
  name: string;
  startedAt: string | null;
  endedAt: string | null;
  /** Day on which the newest of its recordings was verified. */
  baggedAt: string;
  rooms: { point: PointId; name: string; takes: number; frames: number }[];
  /** Of rooms whose screen was recorded too. */
  screens: BagInfo["rooms"];
  payload: { files: number; bytes: number };
}

/** A label's value is one line, whatever somebody typed as a name. */
const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim();

/** bag-info.txt (RFC 8493 §2.2.2). */
export function bagInfoText(info: BagInfo): string {
  const lines: [string, string][] = [
    ["External-Identifier", info.session],
    ["External-Description", info.name],
    ["Bagging-Date", info.baggedAt.slice(0, 10)],
    ["Payload-Oxum", `${info.payload.bytes}.${info.payload.files}`],
    ["Bag-Software-Agent", "Diem Cau"],
    ["Session-Started", info.startedAt ?? ""],
    ["Session-Ended", info.endedAt ?? ""],
    ...info.rooms.map(({ point, name, takes, frames }): [string, string] => [
      takes === 0 ? "Room-Without-Recording" : "Room",
      takes === 0 ? `${point} ${name}` : `${point} ${name}; takes ${takes}; frames ${frames}`,
    ]),
    ...info.screens.map(({ point, name, takes, frames }): [string, string] => [
      "Screen",
      `${point} ${name}; takes ${takes}; frames ${frames}`,
    ]),
  ];
  return lines.map(([label, value]) => `${label}: ${oneLine(value)}\n`).join("");
}

export const DECLARATION_TEXT = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/** Sources of a room's viewing copy, and what came of them: viewing/<point>.json. */
export interface ViewingNote {
  v: 1;
  sources: string[];
  sha256: string;
  sizeBytes: number;
}
