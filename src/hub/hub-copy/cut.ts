import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { FLV_AUDIO, FlvReader, flvHeader, flvTag, readFlvAudio, readFlvVideo, type FlvTag } from "../../media/media.ts";
import type { Piece, StretchOnDisk } from "./plan.ts";

/**
 * Writes one piece as FLV: configurations, then picture and sound by their time. The picture begins at the last key
 * frame before the piece, since what follows refers to it.
 * @returns times of the stream of its first and last frame, or undefined where nothing is in it
 */
export async function cutPiece(piece: Piece, to: string): Promise<{ firstMs: number; lastMs: number } | undefined> {
  const picture = piece.picture ? pictureOf(piece.picture, piece) : nothing();
  const sound = soundOf(piece);
  const file = await open(to, "w", 0o600);
  let times: { firstMs: number; lastMs: number } | undefined;
  try {
    await file.appendFile(flvHeader({ audio: piece.sounds.length > 0, video: piece.picture !== undefined }));
    let [nextPicture, nextSound] = [await picture.next(), await sound.next()];
    while (!nextPicture.done || !nextSound.done) {
      const pictureFirst =
        nextSound.done || (!nextPicture.done && nextPicture.value.timestampMs <= nextSound.value.timestampMs);
      const { value } = pictureFirst ? nextPicture : nextSound;
      const tag = value as FlvTag;
      await file.appendFile(flvTag(tag.type, tag.timestampMs, tag.body));
      if (!isConfig(tag)) times = { firstMs: times?.firstMs ?? tag.timestampMs, lastMs: tag.timestampMs };
      if (pictureFirst) nextPicture = await picture.next();
      else nextSound = await sound.next();
    }
  } finally {
    await file.close();
  }
  return times;
}

const isConfig = (tag: FlvTag): boolean =>
  (tag.type === FLV_AUDIO ? readFlvAudio(tag.body) : readFlvVideo(tag.body)).kind === "config";

async function* nothing(): AsyncGenerator<FlvTag> {}

/** Whole tags of a file; one that a crash cut off at its end is not among them. */
async function* tagsOf({ path }: StretchOnDisk): AsyncGenerator<FlvTag> {
  const reader = new FlvReader();
  for await (const chunk of createReadStream(path)) yield* reader.push(chunk as Buffer);
}

async function* pictureOf(stretch: StretchOnDisk, piece: Piece): AsyncGenerator<FlvTag> {
  let before: FlvTag[] = [];
  let begun = false;
  for await (const tag of tagsOf(stretch)) {
    const video = readFlvVideo(tag.body);
    if (video.kind === "config") yield { ...tag, timestampMs: Math.round(piece.streamFromMs) };
    if (video.kind !== "frame") continue;
    if (tag.timestampMs > piece.streamToMs) return;
    if (!begun) {
      if (video.key) before = [];
      before.push(tag);
      if (tag.timestampMs < piece.streamFromMs) continue;
      begun = true;
      yield* before;
    } else yield tag;
  }
}

async function* soundOf({ sounds, streamFromMs, streamToMs }: Piece): AsyncGenerator<FlvTag> {
  for (const [i, stretch] of sounds.entries())
    for await (const tag of tagsOf(stretch)) {
      const isFrame = readFlvAudio(tag.body).kind === "frame";
      if (!isFrame && i === 0) yield { ...tag, timestampMs: Math.round(streamFromMs) };
      if (isFrame && tag.timestampMs >= streamFromMs && tag.timestampMs <= streamToMs) yield tag;
    }
}
