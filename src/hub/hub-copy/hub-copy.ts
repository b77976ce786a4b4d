import { rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { BoxId, LiveStreamName, LostStatement, PointId, SessionId } from "../../protocol/protocol.ts";
import { causeOf, isoUtc, listDirectory, makeDirectory, runForever } from "../../platform/platform.ts";
import { createWake } from "../archive/archive.ts";
import type { IngestSink, PublishSink } from "../ingest/ingest.ts";
import { roleOf } from "../live/live.ts";
import { boxesOf, dueRooms, fillRoom, type FillOptions } from "./fill.ts";
import { StretchWriter } from "./writer.ts";

export interface HubCopyOptions extends FillOptions {
  /** A room was declared lost, or its holes were filled. */
  onChange: (session: SessionId) => void;
}

export type LostOutcome =
  | { ok: true }
  /** `wrongState`: the session has not ended, or nothing of this room is missing. */
  | { ok: false; code: "notFound" | "wrongState"; detail: string };

/** What the hub keeps of the live streams until it holds the recordings themselves. */
export interface HubCopy {
  /** The same sink, with a copy kept of what passes while its room is in session. */
  keeping(next: IngestSink): IngestSink;
  /** Sessions, rooms or boxes changed: who is recorded is asked again. */
  changed(): void;
  /** This room's box will not come back: what is missing is filled from the copy, and everybody is told so. */
  declareLost(session: SessionId, point: PointId, actor: string): Promise<LostOutcome>;
  run(signal: AbortSignal): Promise<void>;
}

interface Room {
  session: SessionId;
  point: PointId;
}

const LOOK_EVERY_MS = 10_000;
const FILL_LOOK_MS = 60_000;
/** Recordings come first: below this the copies stop. */
const FREE_BYTES = 5e9;

/**
 * INVARIANTS
 * - The live view never waits: a tag is handed on first, and kept by reference.
 * - Of the two pictures the large one is kept, and the small one while there is no large one.
 * - A room's copy goes only when its session and all its takes have ended and every segment is verified.
 */
export function createHubCopy(options: HubCopyOptions): HubCopy {
  const { db, log, clock, directory } = options;
  const rooms = new Map<BoxId, Room>();
  const publishes = new Set<Publish>();
  const fillWake = createWake(clock);
  let roomy = true;

  const roomOf = (box: BoxId): Room | undefined => (roomy ? rooms.get(box) : undefined);
  const hasLarge = (box: BoxId) =>
    [...publishes].some(({ name, begun }) => name.box === box && name.kind === "video" && begun);

  async function learnRooms(): Promise<void> {
    const rows = await db
      .selectFrom("sessionPoint")
      .innerJoin("session", "session.id", "sessionPoint.sessionId")
      .innerJoin("box", "box.pointId", "sessionPoint.pointId")
      .select(["box.id as box", "sessionPoint.pointId as point", "session.id as session"])
      .where("session.state", "=", "live")
      .where("box.revokedAt", "is", null)
      .execute();
    rooms.clear();
    for (const { box, ...room } of rows) rooms.set(box, room);
    for (const publish of publishes) publish.look();
  }

  /** Rooms of which the hub holds everything that there will ever be. */
  async function isDone(session: SessionId, point: PointId): Promise<boolean> {
    const takes = await db
      .selectFrom("take")
      .innerJoin("session", "session.id", "take.sessionId")
      .select(["ended", "nextSeq", "hubSegments", "state"])
      .where("sessionId", "=", session)
      .where("pointId", "=", point)
      .execute();
    return (
      takes.length > 0 &&
      takes.every(
        ({ ended, nextSeq, hubSegments, state }) => state === "ended" && ended === 1 && hubSegments === nextSeq,
      )
    );
  }

  async function tidy(): Promise<void> {
    for (const session of await listDirectory(directory)) {
      if (session.kind !== "directory" || !session.name.startsWith("session-")) continue;
      for (const point of await listDirectory(join(directory, session.name)))
        if (await isDone(session.name as SessionId, point.name as PointId)) {
          await rm(join(directory, session.name, point.name), { recursive: true, force: true });
          log.info("hubCopy.removed", { session: session.name, point: point.name });
        }
      if ((await listDirectory(join(directory, session.name))).length === 0)
        await rm(join(directory, session.name), { recursive: true });
    }
  }

  async function lookAtDisk(): Promise<void> {
    const { bavail, bsize } = await statfs(directory);
    const now = bavail * bsize > FREE_BYTES;
    if (now === roomy) return;
    roomy = now;
    log.warn(now ? "hubCopy.roomAgain" : "hubCopy.noRoom", { freeBytes: bavail * bsize });
    for (const publish of publishes) publish.look();
  }

  /** One publish, and the stretch of it that is being kept. */
  class Publish implements PublishSink {
    readonly name: LiveStreamName;
    readonly #next: PublishSink;
    #config: Buffer | undefined;
    #writer: StretchWriter | undefined;

    constructor(name: LiveStreamName, next: PublishSink) {
      this.name = name;
      this.#next = next;
    }

    get begun(): boolean {
      return this.#config !== undefined;
    }

    tag(timestampMs: number, tag: Buffer, message: Buffer): void {
      this.#next.tag(timestampMs, tag, message);
      const { kind, box, run } = this.name;
      const role = roleOf(kind, tag);
      if (role === "config") {
        if (this.#config?.equals(tag)) return;
        this.#config = Buffer.from(tag);
        void this.end();
        // The small picture is kept no longer.
        if (kind === "video") for (const publish of publishes) if (publish.name.box === box) publish.look();
        return;
      }
      if (this.#writer) {
        if (!this.#writer.add(tag)) void this.end();
        return;
      }
      const room = (role === "key" || role === "sound") && this.#config ? this.#wanted() : undefined;
      if (!room || !this.#config) return;
      const stretch = { ...room, box, kind, run, startedMs: Math.floor(clock.wallMs()) };
      this.#writer = new StretchWriter(directory, stretch, this.#config, { clock, log });
      this.#writer.add(tag);
    }

    close(): void {
      this.#next.close();
      publishes.delete(this);
      void this.end();
    }

    #wanted(): Room | undefined {
      const room = roomOf(this.name.box);
      return room && this.name.kind === "small" && hasLarge(this.name.box) ? undefined : room;
    }

    /** Ends what is not to be kept any more. */
    look(): void {
      const room = this.#writer && this.#wanted();
      if (room?.session !== this.#writer?.stretch.session) void this.end();
    }

    async end(): Promise<void> {
      const writer = this.#writer;
      this.#writer = undefined;
      await writer?.close().catch((error: unknown) => log.error("hubCopy.closeFailed", { cause: causeOf(error) }));
    }
  }

  return {
    keeping: (next) => ({
      open(name) {
        const publish = new Publish(name, next.open(name));
        publishes.add(publish);
        return publish;
      },
    }),
    changed() {
      learnRooms().catch((error: unknown) => log.error("hubCopy.failed", { cause: causeOf(error) }));
    },
    async declareLost(session, point, actor) {
      const row = await db
        .selectFrom("sessionPoint")
        .innerJoin("session", "session.id", "sessionPoint.sessionId")
        .select("state")
        .where("sessionId", "=", session)
        .where("pointId", "=", point)
        .executeTakeFirst();
      if (!row) return { ok: false, code: "notFound", detail: "there is no such room in this session" };
      if (row.state !== "ended") return { ok: false, code: "wrongState", detail: `the session is ${row.state}` };
      if (await isDone(session, point))
        return { ok: false, code: "wrongState", detail: "everything of this room is here" };
      const at = isoUtc(clock.wallMs());
      const statement: LostStatement = {
        ...{ v: 1, kind: "boxLost", session, point },
        boxes: await boxesOf(db, session, point),
        declaredBy: actor,
        at,
      };
      const signed = options.signer(JSON.stringify(statement));
      await db.transaction().execute(async (trx) => {
        const made = await trx
          .insertInto("lostRoom")
          .values({
            ...{ sessionId: session, pointId: point, declaredAt: at, declaredBy: actor, filledAt: null },
            ...{ statement: signed.record, signature: signed.signature },
          })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst();
        if (made.numInsertedOrUpdatedRows === 0n) return;
        await trx
          .insertInto("auditEntry")
          .values({ at, actor, act: "boxLost", detail: JSON.stringify({ session, point }) })
          .execute();
      });
      log.warn("hubCopy.boxLost", { session, point, actor });
      options.onChange(session);
      fillWake.now();
      return { ok: true };
    },
    async run(signal) {
      const filling = runForever(
        { name: "hubCopy.fill", clock, log, baseMs: 1_000, capMs: 60_000 },
        signal,
        async () => {
          for (;;) {
            for (const { sessionId, pointId } of await dueRooms(db)) {
              await fillRoom(options, sessionId, pointId, signal);
              options.onChange(sessionId);
            }
            await fillWake.within(FILL_LOOK_MS, signal);
            signal.throwIfAborted();
          }
        },
      );
      await runForever({ name: "hubCopy", clock, log, baseMs: 1_000, capMs: 60_000 }, signal, async () => {
        await makeDirectory(directory);
        for (;;) {
          await learnRooms();
          await lookAtDisk();
          await tidy();
          await clock.sleep(LOOK_EVERY_MS, signal);
        }
      });
      await filling;
      roomy = false;
      await Promise.all([...publishes].map((publish) => publish.end()));
    },
  };
}
