import type { BoxId, PointId, SessionId, TakeId } from "./ids.ts";
import type { Track } from "./records.ts";

/**
 * The only place where names of segments, streams and archive files are made and read. All paths are relative,
 * POSIX, and made of characters that need no escaping anywhere ([a-z0-9._/-]).
 */

export interface SegmentName {
  session: SessionId;
  take: TakeId;
  /** 0-based position of the segment in its take. */
  seq: number;
}

/** Six digits: a take of 10-second segments may run for 115 days. */
const SEQ_DIGITS = 6;
const BODY = "[a-z2-7]{16}";
const SEGMENT_PATH = new RegExp(`^(session-${BODY})/(take-${BODY})/(\\d{${SEQ_DIGITS}})\\.ts$`);

export const segmentFileName = (seq: number): string => `${String(seq).padStart(SEQ_DIGITS, "0")}.ts`;

/** A take's signed records, a line each, beside its segments. */
export const RECORDS_FILE = "records.jsonl";

/** printf pattern of {@link segmentFileName}, for FFmpeg's segment muxer. */
export const SEGMENT_FILE_PATTERN = `%0${SEQ_DIGITS}d.ts`;

/** `session-…/take-…/000012.ts`: below the box's recordings folder and below the box's inbox at the hub. */
export const segmentPath = (name: SegmentName): string => `${name.session}/${name.take}/${segmentFileName(name.seq)}`;

/** Reads what {@link segmentPath} wrote; undefined for any other text, so a stray file never looks like evidence. */
export function parseSegmentPath(path: string): SegmentName | undefined {
  const match = SEGMENT_PATH.exec(path);
  if (!match) return undefined;
  return { session: match[1] as SessionId, take: match[2] as TakeId, seq: Number(match[3]) };
}

/**
 * rsync keeps interrupted files in this folder beside the file (`--partial-dir`). Besides it the hub's inbox takes
 * nothing but names of {@link segmentPath}.
 */
export const PARTIAL_DIRECTORY = ".rsync-partial";

/** Folder of one room's take inside a session's BagIt bag: `data/point-…/take-…`. */
export const archiveTakePath = (point: PointId, take: TakeId): string => `data/${point}/${take}`;

/** Names of one segment's files in its take's folder of the bag; each signature is DER, over the file before it. */
export function archiveSegmentFiles(seq: number) {
  const stem = segmentFileName(seq).slice(0, -".ts".length);
  return {
    media: `${stem}.ts`,
    record: `${stem}.json`,
    recordSignature: `${stem}.json.sig`,
    receipt: `${stem}.receipt.json`,
    receiptSignature: `${stem}.receipt.json.sig`,
  } as const;
}

/** A record that is not a segment's, by its place in the chain. */
export const archiveRecordFile = (n: number): string => `record-${String(n).padStart(SEQ_DIGITS, "0")}.json`;

/** Folder of a bag for what the hub's own copy of the live stream fills in one lost room: `data/point-…/hub-copy`. */
export const hubCopyFolder = (point: PointId): string => `data/${point}/hub-copy`;

/** The signed statement that a room's box was lost, in {@link hubCopyFolder}; its signature lies beside it as `.sig`. */
export const LOST_FILE = "lost.json";

/** Names of one piece in {@link hubCopyFolder}; the signature is DER, over the statement. */
export function hubCopyFiles(n: number) {
  const stem = `copy-${String(n).padStart(SEQ_DIGITS, "0")}`;
  return { media: `${stem}.ts`, statement: `${stem}.json`, signature: `${stem}.json.sig` } as const;
}

const viewingStem = (point: PointId, track: Track): string => `viewing/${point}${track === "room" ? "" : `-${track}`}`;

/** Files of a bag that are named once. Paths are relative to the bag, which is the folder named after its session. */
export const BAG = {
  declaration: "bagit.txt",
  info: "bag-info.txt",
  manifest: "manifest-sha256.txt",
  tagManifest: "tagmanifest-sha256.txt",
  tagManifestSignature: "tagmanifest-sha256.txt.sig",
  readme: "README.txt",
  ca: "keys/ca.pem",
  hubKey: "keys/hub.pub.pem",
  boxCertificate: (box: BoxId) => `keys/${box}.crt.pem`,
  boxKey: (box: BoxId) => `keys/${box}.pub.pem`,
  chain: "chain.jsonl",
  chainSignature: "chain.jsonl.sig",
  viewing: (point: PointId, track: Track) => `${viewingStem(point, track)}.mp4`,
  viewingSources: (point: PointId, track: Track) => `${viewingStem(point, track)}.json`,
} as const;

/** What a box publishes: the large picture, the small one for grids and poor lines, and the sound; apart from each other. */
export const LIVE_KINDS = ["video", "small", "audio"] as const;
export type LiveKind = (typeof LIVE_KINDS)[number];
/** The picture that a viewer is shown while the one it asked for is not published. */
export const OTHER_PICTURE = { video: "small", small: "video" } as const satisfies Partial<Record<LiveKind, LiveKind>>;

/**
 * RTMP stream name. The run (8 characters of base32) differs each time an encoder starts: node-media-server shifts
 * sound and picture by separate offsets when a name comes back within 30 s.
 */
export interface LiveStreamName {
  box: BoxId;
  kind: LiveKind;
  run: string;
}

const LIVE_NAME = new RegExp(`^(box-${BODY})_(${LIVE_KINDS.join("|")})_([a-z2-7]{8})$`);
export const RTMP_APP = "live";

export const liveStreamName = (name: LiveStreamName): string => `${name.box}_${name.kind}_${name.run}`;

export function parseLiveStreamName(text: string): LiveStreamName | undefined {
  const match = LIVE_NAME.exec(text);
  if (!match) return undefined;
  return { box: match[1] as BoxId, kind: match[2] as LiveKind, run: match[3]! };
}
