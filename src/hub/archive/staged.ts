import { BoxId, parseSegmentPath, segmentPath, type SegmentName } from "../../protocol/protocol.ts";

/** A file that was moved out of a box's inbox, and from there on only the hub can touch. */
export interface StagedFile {
  box: BoxId;
  name: SegmentName;
  /** Tells apart several that came for one segment: 12 hex digits. */
  nonce: string;
}

const NONCE = /^[0-9a-f]{12}$/;

/** `box-….session-….take-….000012.ts.0123456789ab`: all that is needed to go on after a crash. */
export const stagedFileName = ({ box, name, nonce }: StagedFile): string =>
  `${box}.${segmentPath(name).replaceAll("/", ".")}.${nonce}`;

export function parseStagedFileName(text: string): StagedFile | undefined {
  const [box, session, take, seq, suffix, nonce, ...rest] = text.split(".");
  const owner = BoxId.safeParse(box);
  const name = parseSegmentPath(`${session}/${take}/${seq}.${suffix}`);
  if (!owner.success || !name || nonce === undefined || !NONCE.test(nonce) || rest.length > 0) return undefined;
  return { box: owner.data, name, nonce };
}

export interface Content {
  sha256: string;
  sizeBytes: number;
}

export interface StagedFacts {
  /** What the box's signed record says; "foreign" where the segment is another box's or another session's. */
  record: (Content & { state: "waiting" | "verified" | "damaged" }) | "none" | "foreign";
  /** The staged file; undefined if it is no regular file. */
  staged: Content | undefined;
  /** What lies at the segment's place in the archive; "unreadable" where the disk does not give it back. */
  sealed: Content | "unreadable" | undefined;
}

export type StagedRefusal = "notRegular" | "foreign" | "sizeDiffers" | "hashDiffers";

/**
 * - setAside: the file at the segment's place is not what was recorded; it goes to quarantine, never away.
 * - link: the staged file gets its place in the archive, as a second name.
 * - certify: record, signatures and receipt beside it, then the database says "verified" and the box is told.
 * - drop: the staged name goes; its bytes have just been read, equal, at their place.
 */
export type StagedStep =
  | { do: "wait" }
  | { do: "refuse"; reason: StagedRefusal; askAgain: boolean }
  | { do: "setAside" }
  | { do: "link" }
  | { do: "certify" }
  | { do: "drop" };

export const sameContent = (a: Content, b: StagedFacts["sealed"]): boolean =>
  b !== undefined && b !== "unreadable" && a.sha256 === b.sha256 && a.sizeBytes === b.sizeBytes;

/**
 * What to do with one staged file. The staged name is the note of what is under way: it goes last, and each step may
 * be done twice, so that after a crash anywhere the same plan from the new facts ends in the same state.
 */
export function planStaged({ record, staged, sealed }: StagedFacts): StagedStep[] {
  if (!staged) return [{ do: "refuse", reason: "notRegular", askAgain: record !== "foreign" && record !== "none" }];
  if (record === "none") return [{ do: "wait" }];
  if (record === "foreign") return [{ do: "refuse", reason: "foreign", askAgain: false }];
  if (!sameContent(staged, record))
    return [
      {
        do: "refuse",
        reason: staged.sizeBytes === record.sizeBytes ? "hashDiffers" : "sizeDiffers",
        askAgain: record.state === "waiting",
      },
    ];
  const steps: StagedStep[] = [];
  if (!sameContent(staged, sealed)) {
    if (sealed) steps.push({ do: "setAside" });
    steps.push({ do: "link" });
  }
  return [...steps, { do: "certify" }, { do: "drop" }];
}
