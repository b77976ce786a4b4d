import type { BoxId, LiveKind, PointId, SessionId } from "../../protocol/protocol.ts";
import { FLV_HEADER_BYTES, isFlvHeader } from "../../media/media.ts";

/** One unbroken run of one live stream, in a file of its own: an FLV stream as it came. */
export interface Stretch {
  session: SessionId;
  point: PointId;
  box: BoxId;
  kind: LiveKind;
  /** Of the encoder: streams of one run have one time line. */
  run: string;
  /** Wall clock of the hub when its first frame arrived. */
  startedMs: number;
}

const ID = "[a-z2-7]{16}";
const PATH = new RegExp(
  `^(session-${ID})/(point-${ID})/(box-${ID})_(video|small|audio)_([a-z2-7]{8})_(\\d{13})\\.flv$`,
);

/** Below the folder of the hub's copies: `session-…/point-…/box-…_video_abcdefgh_1795000000000.flv`. */
export const stretchPath = ({ session, point, box, kind, run, startedMs }: Stretch): string =>
  `${session}/${point}/${box}_${kind}_${run}_${String(startedMs).padStart(13, "0")}.flv`;

/** Reads what {@link stretchPath} wrote; undefined for any other file. */
export function parseStretchPath(path: string): Stretch | undefined {
  const match = PATH.exec(path);
  if (!match) return undefined;
  const [, session, point, box, kind, run, startedMs] = match;
  return {
    session: session as SessionId,
    point: point as PointId,
    box: box as BoxId,
    kind: kind as LiveKind,
    run: run!,
    startedMs: Number(startedMs),
  };
}

/** What one FLV file holds between its first and its last whole frame, in time of the stream. */
export interface StretchTimes {
  firstMs: number;
  lastMs: number;
}

/**
 * Walks over the tags of a file that may have been cut off anywhere.
 * @param read gives so many bytes at a position, fewer at the end
 */
export async function stretchTimes(
  read: (position: number, bytes: number) => Promise<Uint8Array>,
): Promise<StretchTimes | undefined> {
  if (!isFlvHeader(await read(0, FLV_HEADER_BYTES))) return undefined;
  let times: StretchTimes | undefined;
  let at = FLV_HEADER_BYTES;
  for (;;) {
    const head = await read(at, HEAD_BYTES);
    if (head.length < HEAD_BYTES) return times;
    const bodyBytes = (head[1]! << 16) | (head[2]! << 8) | head[3]!;
    const next = at + TAG_HEADER_BYTES + bodyBytes;
    const tail = await read(next, PREVIOUS_SIZE_BYTES);
    if (tail.length < PREVIOUS_SIZE_BYTES) return times;
    // The second byte of the body is 0 for configuration.
    if (head[TAG_HEADER_BYTES + 1] === 1) {
      const timestampMs = ((head[7]! << 24) | (head[4]! << 16) | (head[5]! << 8) | head[6]!) >>> 0;
      times = { firstMs: times?.firstMs ?? timestampMs, lastMs: timestampMs };
    }
    at = next + PREVIOUS_SIZE_BYTES;
  }
}

const TAG_HEADER_BYTES = 11;
const HEAD_BYTES = TAG_HEADER_BYTES + 2;
const PREVIOUS_SIZE_BYTES = 4;
