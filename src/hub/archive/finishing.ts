import { createPublicKey } from "node:crypto";
import { join } from "node:path";
import {
  BAG,
  hubCopyFiles,
  hubCopyFolder,
  LOST_FILE,
  SegmentRecord,
  type BoxId,
  type PointId,
  type SegmentName,
  type SessionId,
  type Track,
  TRACKS,
} from "../../protocol/protocol.ts";
import {
  fileSize,
  linkDurable,
  makeDirectory,
  readIfExists,
  sha256Hex,
  writeDurable,
  type Log,
} from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import {
  bagInfoText,
  DECLARATION_TEXT,
  lineOf,
  manifestText,
  payloadLines,
  type BagFile,
  type BagTake,
  type ManifestLine,
  type ViewingNote,
} from "./bag.ts";
import { contentsOf, loadTake } from "./bagged-take.ts";
import { hubCopies, lostRooms, missingPieces, placeOfPiece, type LostRoom } from "./lost.ts";
import { README_TEXT } from "./readme.ts";
import type { Sidecars } from "./sidecars.ts";

/** A recording that the archive does not have as it was verified. */
export interface LostRecording {
  box: BoxId;
  name: SegmentName;
}

export interface FinishingOptions {
  db: HubDatabase;
  log: Log;
  directories: { archive: string; finishing: string; filled: string };
  sidecars: Sidecars;
  boxKey: (box: BoxId) => Promise<string | undefined>;
  trust: { caPem: string; receiptKeyPem: string };
  /** A verified recording has gone from the archive's disk: its box still has it. */
  onLost: (lost: LostRecording) => Promise<void>;
}

/**
 * Finishes the bags of ended sessions. A bag may be finished again when a box that was cut off brings a take later:
 * payload is only ever added, and the tag files, which state what there is, are written anew.
 *
 * INVARIANTS
 * - A bag is finished only while every take that the hub knows has ended and every segment is verified, or stated by
 *   its box as damaged; but for rooms whose box was declared lost and whose holes have been filled as far as the hub's
 *   copy goes.
 * - A reader always finds a whole old or a whole new tag file; the signed tag manifest comes last, and until it
 *   fits, the bag says of itself that it is not whole.
 */
export interface Finishing {
  /** Ended sessions with additions since they were last finished. */
  due(): Promise<SessionId[]>;
  /** False while something is still missing. */
  finish(session: SessionId): Promise<boolean>;
}

export function createFinishing(options: FinishingOptions): Finishing {
  const { db, log, directories, sidecars } = options;

  /** Puts everything small of one take in its place and looks that every recording is there. */
  const finishTake = async (session: SessionId, take: BagTake): Promise<ManifestLine[] | undefined> => {
    const bag = join(directories.archive, session);
    const contents = await contentsOf(sidecars, session, take);
    for (const [index, { path, sizeBytes }] of contents.media.entries()) {
      if ((await fileSize(join(bag, path))) === sizeBytes) continue;
      log.error("archive.damaged", { path });
      await options.onLost({ box: take.box, name: { session, take: take.take, seq: take.segments[index]!.seq } });
      return undefined;
    }
    const missing: BagFile[] = [];
    for (const file of contents.small)
      if ((await fileSize(join(bag, file.path))) !== Buffer.byteLength(file.data)) missing.push(file);
    await sidecars.ensure(session, missing);
    return payloadLines(contents);
  };

  /** Puts the hub's pieces of a lost room beside what its box had sent. */
  const finishLost = async (
    session: SessionId,
    { pointId, statement, signature }: LostRoom,
  ): Promise<ManifestLine[]> => {
    const bag = join(directories.archive, session);
    const folder = hubCopyFolder(pointId);
    const small: BagFile[] = [
      { path: `${folder}/${LOST_FILE}`, data: statement },
      { path: `${folder}/${LOST_FILE}.sig`, data: Buffer.from(signature, "base64") },
    ];
    const media: ManifestLine[] = [];
    for (const piece of await hubCopies(db, session, pointId)) {
      const names = hubCopyFiles(piece.n);
      const path = `${folder}/${names.media}`;
      await makeDirectory(join(bag, folder));
      if ((await fileSize(join(bag, path))) === undefined)
        await linkDurable(placeOfPiece(directories.filled, session, pointId, piece.n), join(bag, path));
      media.push({ path, sha256: piece.sha256, sizeBytes: piece.sizeBytes });
      small.push(
        { path: `${folder}/${names.statement}`, data: piece.statement },
        { path: `${folder}/${names.signature}`, data: Buffer.from(piece.signature, "base64") },
      );
    }
    await sidecars.ensure(session, small);
    return [...media, ...small.map(lineOf)];
  };

  const keyFiles = async (boxes: readonly BoxId[]): Promise<BagFile[]> => {
    const files: BagFile[] = [
      { path: BAG.ca, data: options.trust.caPem },
      { path: BAG.hubKey, data: options.trust.receiptKeyPem },
    ];
    for (const box of boxes) {
      const certificate = await options.boxKey(box);
      if (certificate === undefined) throw new Error(`the certificate of ${box} is unknown, though it has records`);
      files.push(
        { path: BAG.boxCertificate(box), data: certificate },
        {
          path: BAG.boxKey(box),
          data: createPublicKey(certificate).export({ type: "spki", format: "pem" }),
        },
      );
    }
    return files;
  };

  /** Viewing copies that are there and whole. */
  const viewingLines = async (bag: string, points: readonly PointId[]): Promise<ManifestLine[]> => {
    const lines: ManifestLine[] = [];
    for (const point of points)
      for (const track of TRACKS) {
        const text = await readIfExists(join(bag, BAG.viewingSources(point, track)));
        if (!text) continue;
        const { sha256, sizeBytes } = JSON.parse(text.toString("utf8")) as ViewingNote;
        if ((await fileSize(join(bag, BAG.viewing(point, track)))) !== sizeBytes) continue;
        lines.push(
          { path: BAG.viewing(point, track), sha256, sizeBytes },
          { path: BAG.viewingSources(point, track), sha256: sha256Hex(text), sizeBytes: text.length },
        );
      }
    return lines;
  };

  const replace = async (bag: string, { path, data }: BagFile): Promise<void> => {
    const full = join(bag, path);
    if ((await readIfExists(full))?.equals(Buffer.from(data))) return;
    await makeDirectory(join(full, ".."));
    await writeDurable(full, data, 0o640, directories.finishing);
  };

  return {
    async due() {
      const rows = await db
        .selectFrom("bag")
        .innerJoin("session", "session.id", "bag.sessionId")
        .select("session.id")
        .where("bag.additions", ">", 0)
        .where("session.state", "=", "ended")
        .execute();
      return rows.map(({ id }) => id);
    },

    async finish(session) {
      const { additions, manifestSha256: manifestBefore } = await db
        .selectFrom("bag")
        .select(["additions", "manifestSha256"])
        .where("sessionId", "=", session)
        .executeTakeFirstOrThrow();
      const rows = await db
        .selectFrom("take")
        .select(["id", "boxId", "pointId", "track", "ended", "nextSeq", "hubSegments", "damagedSegments"])
        .where("sessionId", "=", session)
        .orderBy("startedAt")
        .orderBy("id")
        .execute();
      const lost = await lostRooms(db, session);
      if (lost.some(({ filledAt }) => filledAt === null)) return false;
      // On the disk of a hub that was restored they are not, until the province has given them back.
      if (lost.length > 0 && (await missingPieces(db, directories)).some((piece) => piece.session === session))
        return false;
      const isLost = (point: PointId) => lost.some(({ pointId }) => pointId === point);
      const lacks = (take: (typeof rows)[number]) =>
        !isLost(take.pointId) && (take.ended === 0 || take.hubSegments + take.damagedSegments < take.nextSeq);
      if (rows.some(lacks)) return false;

      const bag = join(directories.archive, session);
      const payload: ManifestLine[] = [];
      const frames = new Map<string, number>();
      const count = (point: PointId, track: Track, more: number) =>
        frames.set(`${point} ${track}`, (frames.get(`${point} ${track}`) ?? 0) + more);
      let baggedAt = "";
      for (const row of rows) {
        const take = await loadTake(db, row);
        const lines = await finishTake(session, take);
        if (!lines) return false;
        payload.push(...lines);
        const held = new Set(take.segments.map(({ n }) => n));
        for (const { n, record } of take.records)
          if (held.has(n)) count(take.point, row.track, SegmentRecord.parse(JSON.parse(record)).frames);
        for (const { receipt } of take.segments) {
          const { at } = JSON.parse(receipt.record) as { at: string };
          if (at > baggedAt) baggedAt = at;
        }
      }
      for (const room of lost) payload.push(...(await finishLost(session, room)));
      const { name, startedAt, endedAt } = await db
        .selectFrom("session")
        .select(["name", "startedAt", "endedAt"])
        .where("id", "=", session)
        .executeTakeFirstOrThrow();
      const points = await db
        .selectFrom("sessionPoint")
        .innerJoin("bridgePoint", "bridgePoint.id", "sessionPoint.pointId")
        .select(["bridgePoint.id", "bridgePoint.name"])
        .where("sessionId", "=", session)
        .orderBy("bridgePoint.id")
        .execute();

      const recordedIn = (track: Track) =>
        points.map(({ id: point, name }) => ({
          ...{ point, name, frames: frames.get(`${point} ${track}`) ?? 0 },
          takes: rows.filter((row) => row.pointId === point && row.track === track).length,
        }));

      const manifest = manifestText(payload);
      const tags: BagFile[] = [
        { path: BAG.declaration, data: DECLARATION_TEXT },
        {
          path: BAG.info,
          data: bagInfoText({
            session,
            name,
            startedAt,
            endedAt,
            baggedAt: baggedAt || (endedAt ?? ""),
            rooms: recordedIn("room"),
            screens: recordedIn("screen").filter(({ takes }) => takes > 0),
            payload: {
              files: payload.length,
              bytes: payload.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
            },
          }),
        },
        { path: BAG.readme, data: README_TEXT },
        ...(await keyFiles([...new Set(rows.map(({ boxId }) => boxId))])),
        { path: BAG.manifest, data: manifest },
      ];
      for (const file of tags) await replace(bag, file);
      const tagManifest = manifestText([
        ...tags.map(({ path, data }) => ({ path, sha256: sha256Hex(data), sizeBytes: Buffer.byteLength(data) })),
        ...(await viewingLines(
          bag,
          points.map(({ id }) => id),
        )),
      ]);
      const signature = await sidecars.signatureOf(session, BAG.tagManifestSignature, tagManifest);
      await replace(bag, { path: BAG.tagManifest, data: tagManifest });
      await replace(bag, { path: BAG.tagManifestSignature, data: signature });

      const manifestSha256 = sha256Hex(manifest);
      await db
        .updateTable("bag")
        .set((eb) => ({
          // What was added meanwhile stays due.
          additions: eb("additions", "-", additions),
          manifestSha256,
          tagManifestSha256: sha256Hex(tagManifest),
          ...(manifestSha256 === manifestBefore ? {} : { viewing: 0 as const }),
        }))
        .where("sessionId", "=", session)
        .execute();
      log.info("archive.finished", { session, files: payload.length, takes: rows.length });
      return true;
    },
  };
}
