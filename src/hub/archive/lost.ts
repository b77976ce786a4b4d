import { join } from "node:path";
import { hubCopyFiles, hubCopyFolder, type PointId, type SessionId } from "../../protocol/protocol.ts";
import { fileSize, isUnreadable } from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";

/** Rooms of a session whose box was declared lost. */
export const lostRooms = (db: HubDatabase, session: SessionId) =>
  db.selectFrom("lostRoom").selectAll().where("sessionId", "=", session).orderBy("pointId").execute();
export type LostRoom = Awaited<ReturnType<typeof lostRooms>>[number];

/** What the hub's own copy fills in one of them, in the order of time. */
export const hubCopies = (db: HubDatabase, session: SessionId, point: PointId) =>
  db
    .selectFrom("hubCopy")
    .selectAll()
    .where("sessionId", "=", session)
    .where("pointId", "=", point)
    .orderBy("n")
    .execute();

/** Where the hub's own piece lies in the archive, relative to it. */
export const pathOfPiece = (session: SessionId, point: PointId, n: number): string =>
  `${session}/${hubCopyFolder(point)}/${hubCopyFiles(n).media}`;

/** Where it lies until its bag is finished. */
export const placeOfPiece = (filled: string, session: SessionId, point: PointId, n: number): string =>
  join(filled, session, point, hubCopyFiles(n).media);

/** A piece of the hub's own copy: the only recording that there is of what a destroyed box took along. */
export interface LostPiece {
  session: SessionId;
  point: PointId;
  n: number;
  sha256: string;
  sizeBytes: number;
}

/** What the disk does not even tell the size of is in the way of another, and there. */
const sizeAt = (place: string): Promise<number | undefined> =>
  fileSize(place).catch((error: unknown) => {
    if (!isUnreadable(error)) throw error;
    return 0;
  });

/** Pieces that are neither in the archive nor where they wait for it. Few rooms ever have any. */
export async function missingPieces(
  db: HubDatabase,
  directories: { archive: string; filled: string },
): Promise<LostPiece[]> {
  const rows = await db
    .selectFrom("hubCopy")
    .select(["sessionId as session", "pointId as point", "n", "sha256", "sizeBytes"])
    .execute();
  const missing: LostPiece[] = [];
  for (const row of rows) {
    const { session, point, n } = row;
    const places = [
      join(directories.archive, pathOfPiece(session, point, n)),
      placeOfPiece(directories.filled, session, point, n),
    ];
    const found = await Promise.all(places.map(sizeAt));
    if (found.every((size) => size === undefined)) missing.push(row);
  }
  return missing;
}
