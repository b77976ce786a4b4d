import { open } from "node:fs/promises";
import { join } from "node:path";
import {
  hubCopyFiles,
  type BoxId,
  type HubCopyStatement,
  type PointId,
  type SessionId,
} from "../../protocol/protocol.ts";
import {
  hashRegularFile,
  isoUtc,
  listDirectory,
  makeDirectory,
  removeDurable,
  runChecked,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import type { Signer } from "../../evidence/evidence.ts";
import type { HubCopyTable, HubDatabase } from "../database/database.ts";
import { cutPiece } from "./cut.ts";
import { holesOf, planPieces, type Piece, type Span, type StretchOnDisk } from "./plan.ts";
import { parseStretchPath, stretchTimes } from "./stretch.ts";

export interface FillOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  /** Of its own: nothing but these copies is in it, and whatever is not needed any more is removed from it. */
  directory: string;
  /** Signs what the hub says of a lost room. */
  signer: Signer;
  /** What the archive holds of a room already. */
  held: (session: SessionId, point: PointId) => Promise<Span[]>;
}

/** Folder of finished pieces, below that of the copies; the archive takes them from there. */
export const filledFolder = (directory: string, session: SessionId, point: PointId): string =>
  join(directory, "filled", session, point);

/** Rooms that were declared lost and of which the holes have not been filled yet. */
export const dueRooms = (db: HubDatabase) =>
  db.selectFrom("lostRoom").select(["sessionId", "pointId"]).where("filledAt", "is", null).execute();

/**
 * Fills what is missing of a lost room's recording from the hub's copies. May be done twice: it begins anew with what
 * is on disk, and the database knows of the pieces only when all are there.
 */
export async function fillRoom(
  { db, log, clock, directory, signer, held }: FillOptions,
  session: SessionId,
  point: PointId,
  signal: AbortSignal,
): Promise<void> {
  const { startedAt, endedAt } = await db
    .selectFrom("session")
    .select(["startedAt", "endedAt"])
    .where("id", "=", session)
    .executeTakeFirstOrThrow();
  const whole = { fromMs: Date.parse(startedAt ?? ""), toMs: Date.parse(endedAt ?? "") };
  const pieces = planPieces(holesOf(whole, await held(session, point)), await stretchesOf(directory, session, point));
  const folder = filledFolder(directory, session, point);
  await makeDirectory(folder);
  const rows: HubCopyTable[] = [];
  for (const piece of pieces) {
    signal.throwIfAborted();
    const made = await makePiece(piece, join(folder, hubCopyFiles(rows.length).media), signal);
    if (!made) continue;
    const startedAtUtc = isoUtc(piece.offsetMs + made.firstMs);
    const statement: HubCopyStatement = {
      v: 1,
      kind: "hubCopy",
      session,
      point,
      box: piece.box,
      n: rows.length,
      startedAt: startedAtUtc,
      durationMs: made.lastMs - made.firstMs,
      sizeBytes: made.sizeBytes,
      sha256: made.sha256,
      picture: piece.picture === undefined ? "none" : piece.picture.kind === "video" ? "large" : "small",
      sound: piece.sounds.length > 0,
      at: isoUtc(clock.wallMs()),
    };
    const signed = signer(JSON.stringify(statement));
    rows.push({
      sessionId: session,
      pointId: point,
      n: statement.n,
      startedAt: startedAtUtc,
      durationMs: statement.durationMs,
      sizeBytes: made.sizeBytes,
      sha256: made.sha256,
      statement: signed.record,
      signature: signed.signature,
    });
  }
  await db.transaction().execute(async (trx) => {
    if (rows.length > 0) await trx.insertInto("hubCopy").values(rows).execute();
    await trx
      .updateTable("lostRoom")
      .set({ filledAt: isoUtc(clock.wallMs()) })
      .where("sessionId", "=", session)
      .where("pointId", "=", point)
      .execute();
    await trx
      .insertInto("bag")
      .values({
        sessionId: session,
        additions: 1,
        manifestSha256: null,
        tagManifestSha256: null,
        provinceTagManifestSha256: null,
      })
      .onConflict((conflict) =>
        conflict.column("sessionId").doUpdateSet((eb) => ({ additions: eb("bag.additions", "+", 1) })),
      )
      .execute();
  });
  log.info("hubCopy.filled", { session, point, pieces: rows.length });
}

async function stretchesOf(directory: string, session: SessionId, point: PointId): Promise<StretchOnDisk[]> {
  const folder = join(directory, session, point);
  const found: StretchOnDisk[] = [];
  for (const { name } of await listDirectory(folder)) {
    const stretch = parseStretchPath(`${session}/${point}/${name}`);
    if (!stretch) continue;
    const path = join(folder, name);
    const file = await open(path);
    try {
      const times = await stretchTimes(async (position, bytes) => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, position);
        return buffer.subarray(0, bytesRead);
      });
      if (times) found.push({ ...stretch, ...times, path });
    } finally {
      await file.close();
    }
  }
  return found;
}

/** As the box's own segments are: MPEG-TS, nothing encoded anew. */
async function makePiece(piece: Piece, to: string, signal: AbortSignal) {
  const cut = `${to}.flv`;
  const times = await cutPiece(piece, cut);
  if (times) {
    const words = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-i", cut];
    await runChecked(
      [
        "nice",
        "-n",
        "19",
        ...words,
        "-map",
        "0",
        "-c",
        "copy",
        "-muxdelay",
        "0",
        "-muxpreload",
        "0",
        "-f",
        "mpegts",
        to,
      ],
      { signal },
    );
  }
  await removeDurable(cut);
  if (!times) return undefined;
  const content = await hashRegularFile(to, { sync: true });
  if (!content) throw new Error(`ffmpeg ended well, but there is no ${to}`);
  return { ...times, ...content };
}

/** Boxes that recorded, or were to record, this room. */
export async function boxesOf(db: HubDatabase, session: SessionId, point: PointId): Promise<BoxId[]> {
  const takes = await db
    .selectFrom("take")
    .select("boxId")
    .where("sessionId", "=", session)
    .where("pointId", "=", point)
    .distinct()
    .execute();
  return takes.map(({ boxId }) => boxId);
}
