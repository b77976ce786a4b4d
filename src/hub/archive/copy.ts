import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { makeZip, predictLength } from "client-zip";
import { BAG, type SessionId } from "../../protocol/protocol.ts";
import {
  causeOf,
  fileSize,
  isUnreadable,
  isoUtc,
  readIfExists,
  sha256Hex,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import { sessionRuns } from "./rereading.ts";

/** A session's whole bag as one ZIP, to be carried away on a disk or burnt. */
export interface BagCopy {
  /** `2026-11-21 Tiếp công dân định kỳ.zip`, as every file system takes it. */
  fileName: string;
  /** Of the ZIP, to the byte. */
  sizeBytes: number;
  /** Reads as it is read from; ends with an error where a file is not what the bag states of it. Call it once. */
  open(): ReadableStream<Uint8Array>;
}

export interface CopyOptions {
  db: HubDatabase;
  clock: Clock;
  log: Log;
  directories: { archive: string };
  /** A payload file, relative to the bag, is gone or not what it was. */
  onDamaged: (session: SessionId, path: string) => Promise<void>;
}

interface Entry {
  path: string;
  sha256: string;
  sizeBytes: number;
}

const READ_BYTES = 1 << 20;
/** While a session runs, a copy takes a tenth of what it takes otherwise: hashing is done where live sound goes by. */
const BESIDE_SESSION = { restMs: 100, askEveryReads: 16 };
/** A bag is stated anew within a second when its viewing copies are done. */
const STATED_ANEW = { everyMs: 500, tries: 8 };
/** A session's day is that of the room's clock on the wall. */
const VIETNAM_MS = 7 * 3_600_000;
const NAME_LENGTH = 120;

/** @param startedAt ISO 8601 */
export function copyFileName(startedAt: string, name: string): string {
  const day = isoUtc(Date.parse(startedAt) + VIETNAM_MS).slice(0, 10);
  // eslint-disable-next-line no-control-regex -- what no file name may have
  const plain = name.replaceAll(/[\u0000-\u001f\u007f"*/:<>?\\|]+/g, " ").replaceAll(/\s+/g, " ");
  return `${[...`${day} ${plain}`]
    .slice(0, NAME_LENGTH)
    .join("")
    .replace(/[ .]+$/, "")}.zip`;
}

const isAbsent = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";
/** RFC 8493, 2.1.3. */
const linesOf = (manifest: Buffer): { sha256: string; path: string }[] =>
  manifest
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ({ sha256: line.slice(0, 64), path: line.slice(66) }));

/**
 * INVARIANTS
 * - Exactly what the signed bag names is in it, under the names that the bag's own check commands use.
 * - A copy that came to its end has been compared, byte for byte, with what the bag states.
 */
export function createCopies({ db, clock, log, directories, onDamaged }: CopyOptions) {
  /** What is in the bag; undefined while it is not whole, or is being stated anew. */
  async function entriesOf(session: SessionId): Promise<Entry[] | undefined> {
    const bag = join(directories.archive, session);
    const row = await db
      .selectFrom("bag")
      .select(["additions", "tagManifestSha256"])
      .where("sessionId", "=", session)
      .executeTakeFirst();
    const [manifest, tagManifest, signature] = await Promise.all(
      [BAG.manifest, BAG.tagManifest, BAG.tagManifestSignature].map((path) => readIfExists(join(bag, path))),
    );
    if (row?.additions !== 0 || !manifest || !tagManifest || !signature) return undefined;
    if (sha256Hex(tagManifest) !== row.tagManifestSha256) return undefined;
    const entries: Entry[] = [
      { path: BAG.tagManifest, sha256: sha256Hex(tagManifest), sizeBytes: tagManifest.length },
      { path: BAG.tagManifestSignature, sha256: sha256Hex(signature), sizeBytes: signature.length },
    ];
    for (const { path, sha256 } of [...linesOf(tagManifest), ...linesOf(manifest)]) {
      const sizeBytes = await fileSize(join(bag, path));
      if (sizeBytes === undefined) {
        log.error("archive.damaged", { path: join(bag, path) });
        await onDamaged(session, path);
        return undefined;
      }
      entries.push({ path, sha256, sizeBytes });
    }
    return entries;
  }

  async function* checked(session: SessionId, { path, sha256 }: Entry): AsyncGenerator<Uint8Array> {
    const full = join(directories.archive, session, path);
    const hash = createHash("sha256");
    let reads = 0;
    let besideSession = false;
    let failure: unknown;
    try {
      for await (const bytes of createReadStream(full, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
        hash.update(bytes);
        yield bytes;
        if (reads++ % BESIDE_SESSION.askEveryReads === 0) besideSession = await sessionRuns(db);
        if (besideSession) await clock.sleep(BESIDE_SESSION.restMs);
      }
    } catch (error) {
      failure = error;
    }
    if (failure === undefined && hash.digest("hex") === sha256) return;
    const cause = failure === undefined ? undefined : causeOf(failure);
    // Whatever else went wrong says nothing of the file.
    const isDamaged = failure === undefined || isUnreadable(failure) || isAbsent(failure);
    log.error(isDamaged ? "archive.damaged" : "copy.failed", { path: full, cause });
    if (isDamaged) await onDamaged(session, path);
    // Without a cause: the server would write its message, with our paths, to the client.
    throw new Error("a file is not what the bag states of it");
  }

  return async function copyOf(session: SessionId): Promise<BagCopy | undefined> {
    const { name, startedAt } =
      (await db.selectFrom("session").select(["name", "startedAt"]).where("id", "=", session).executeTakeFirst()) ?? {};
    let entries = await entriesOf(session);
    for (let tries = 1; !entries && tries < STATED_ANEW.tries; tries++) {
      await clock.sleep(STATED_ANEW.everyMs);
      entries = await entriesOf(session);
    }
    if (!entries || name === undefined || !startedAt) return undefined;
    const named = entries.map((entry) => ({ entry, name: `${session}/${entry.path}`, size: entry.sizeBytes }));
    return {
      fileName: copyFileName(startedAt, name),
      sizeBytes: Number(predictLength(named)),
      open() {
        let reading: AsyncGenerator<Uint8Array> | undefined;
        let isWanted = true;
        // One file is open at a time, when its turn has come.
        const inTurn = function* () {
          for (const { entry, name, size } of named) {
            if (!isWanted) return;
            reading = checked(session, entry);
            yield { name, size, input: reading };
          }
        };
        const zip = makeZip(inTurn()).getReader();
        return new ReadableStream<Uint8Array>(
          {
            async pull(controller) {
              const { done, value } = await zip.read();
              if (done) controller.close();
              else controller.enqueue(value);
            },
            // Its own way of being cancelled ends the program: it throws into its generator and listens to nobody (client-zip 2.5.1).
            async cancel() {
              isWanted = false;
              await reading?.return(undefined);
            },
          },
          { highWaterMark: 0 },
        );
      },
    };
  };
}
