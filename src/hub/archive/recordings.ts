import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import {
  archiveTakePath,
  hubCopyFiles,
  hubCopyFolder,
  parseSegmentPath,
  GapRecord,
  HubCopyStatement,
  segmentPath,
  type PointId,
  type SessionId,
  type TakeId,
  type Track,
} from "../../protocol/protocol.ts";
import { isoUtc, type Clock } from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import type {
  CopyView,
  GapView,
  RecordingOverview,
  RecordingSummaryView,
  RecordingView,
  RoomRecordingView,
  SegmentView,
  TrackView,
} from "../http/views.ts";
import { eventView } from "../reception/reception.ts";
import { hubCopies } from "./lost.ts";
import { roomOverview } from "./overview.ts";
import { placeGap, placeRoom, shifted, type TimeBasis } from "./placing.ts";
import {
  HUB_COPY,
  layOut,
  playableMs,
  playlistText,
  withCopies,
  type PlacedSegment,
  type TimelineSegment,
} from "./timeline.ts";

/** What the desk is shown of the archive, and what a player is given. */
export interface Recordings {
  /**
   * The ledger of what is recorded or should be, newest first: every session that was started, has a recording, or
   * whose time has passed without either.
   */
  summaries(): Promise<RecordingSummaryView[]>;
  summary(session: SessionId): Promise<RecordingSummaryView | undefined>;
  /** With every segment: tens of megabytes for many rooms and hours. */
  recording(session: SessionId): Promise<RecordingView | undefined>;
  overview(session: SessionId): Promise<RecordingOverview | undefined>;
  /** One room with every segment. */
  roomRecording(session: SessionId, point: PointId): Promise<RoomRecordingView | undefined>;
  /** What can be played of one track of a room, in its order; also while the session runs. */
  placed(session: SessionId, point: PointId, track: Track): Promise<PlacedSegment[]>;
  /** HLS playlist of one track of a room; undefined while nothing of it is verified. */
  playlist(session: SessionId, point: PointId, track?: Track): Promise<string | undefined>;
  /** Where the verified segments of a room's camera lie in the hub's time, milliseconds since 1970. */
  verifiedSpans(session: SessionId, point: PointId): Promise<{ fromMs: number; toMs: number }[]>;
  hubCopyFile(session: SessionId, point: PointId, file: string): Promise<string | undefined>;
  /** Path of a verified segment's file, of either track; undefined for anything else. */
  segmentFile(session: SessionId, point: PointId, take: TakeId, file: string): Promise<string | undefined>;
}

interface TakeTotals {
  pointId: PointId;
  track: Track;
  nextSeq: number;
  ended: 0 | 1;
  sizeBytes: number;
  hubSegments: number;
  provinceSegments: number;
  refusedSegments: number;
  damagedSegments: number;
  gaps: number;
  durationMs: number;
  rereadAt: string | null;
  provinceRereadAt: string | null;
}

const TOTALS = [
  "sessionId",
  "pointId",
  "track",
  "nextSeq",
  "ended",
  "sizeBytes",
  "hubSegments",
  "provinceSegments",
  "refusedSegments",
  "damagedSegments",
  "gaps",
  "durationMs",
  "rereadAt",
  "provinceRereadAt",
] as const;
const SESSION = ["id", "name", "state", "scheduledAt", "startedAt", "endedAt", "companionUrl"] as const;

/** A room says that it records within seconds of the start; one that has said nothing after this is missed. */
const SILENT_MS = 2 * 60_000;
/** People come late; a session that has not begun after this was missed. */
const OVERDUE_MS = 15 * 60_000;

/** Rooms of which there should be a recording by now and is none: absence of evidence is shown. */
export function unrecordedRooms(
  session: Pick<RecordingSummaryView["session"], "state" | "scheduledAt" | "startedAt">,
  rooms: readonly PointId[],
  takes: readonly { pointId: PointId }[],
  nowMs: number,
): number {
  const { state, scheduledAt, startedAt } = session;
  const since = state === "draft" ? scheduledAt : startedAt;
  const patienceMs = state === "draft" ? OVERDUE_MS : SILENT_MS;
  if (since === null || (state !== "ended" && nowMs - Date.parse(since) < patienceMs)) return 0;
  return rooms.filter((room) => !takes.some(({ pointId }) => pointId === room)).length;
}

const sum = (
  takes: readonly TakeTotals[],
  key: Exclude<keyof TakeTotals, "pointId" | "track" | "rereadAt" | "provinceRereadAt">,
): number => takes.reduce((total, take) => total + take[key], 0);

/** The earliest of all; null where there is none, or one that was never. */
const leastOf = (times: readonly (string | null)[]): string | null =>
  times.reduce((least, at) => (at === null || least === null ? null : at < least ? at : least), times[0] ?? null);

/** What is to be recorded in each room. */
export const tracksOf = (session: { companionUrl: string | null }): readonly Track[] =>
  session.companionUrl === null ? ["room"] : ["room", "screen"];

/**
 * A room without a take of each track is not complete: absence of evidence is no evidence of a whole recording.
 * @param tracks what is to be recorded in each room
 */
export function copiesOf(
  takes: readonly TakeTotals[],
  rooms: readonly PointId[],
  tracks: readonly Track[],
  sessionEnded: boolean,
): CopyView {
  const recorded = sum(takes, "nextSeq");
  const hub = sum(takes, "hubSegments");
  const province = sum(takes, "provinceSegments");
  /** What is lost and stated as lost cannot be waited for. */
  const damaged = sum(takes, "damagedSegments");
  const closed =
    sessionEnded &&
    takes.every(({ ended }) => ended === 1) &&
    rooms.every((room) => tracks.every((each) => takes.some((take) => take.pointId === room && take.track === each)));
  return {
    recorded,
    recordedBytes: sum(takes, "sizeBytes"),
    hub,
    province,
    refused: sum(takes, "refusedSegments"),
    hubComplete: closed && hub + damaged === recorded,
    provinceComplete: closed && hub + damaged === recorded && province === hub,
    rereadAt: leastOf(takes.filter(({ hubSegments }) => hubSegments > 0).map(({ rereadAt }) => rereadAt)),
    provinceRereadAt: leastOf(
      takes.filter(({ provinceSegments }) => provinceSegments > 0).map(({ provinceRereadAt }) => provinceRereadAt),
    ),
  };
}

/** The least certain of them: one word for the room. */
const timesOf = (bases: readonly TimeBasis[]): TimeBasis =>
  bases.includes("box") ? "box" : bases.includes("corrected") ? "corrected" : "hub";

export function createRecordings(options: { db: HubDatabase; clock: Clock; archive: string }): Recordings {
  const { db, clock, archive } = options;
  const roomsOf = (session: SessionId) =>
    db
      .selectFrom("sessionPoint")
      .innerJoin("bridgePoint", "bridgePoint.id", "sessionPoint.pointId")
      .select(["bridgePoint.id", "bridgePoint.name", "sessionPoint.role"])
      .where("sessionPoint.sessionId", "=", session)
      .orderBy("sessionPoint.role")
      .orderBy("bridgePoint.name")
      .execute();

  const summarize = (
    { companionUrl, ...session }: NonNullable<Awaited<ReturnType<typeof sessionRow>>>,
    rooms: readonly PointId[],
    takes: readonly TakeTotals[],
  ): RecordingSummaryView => ({
    session,
    rooms: rooms.length,
    unrecorded: unrecordedRooms(session, rooms, takes, clock.wallMs()),
    copies: copiesOf(takes, rooms, tracksOf({ companionUrl }), session.state === "ended"),
    gaps: sum(takes, "gaps"),
    durationMs: Math.max(
      0,
      ...rooms.map((room) =>
        sum(
          takes.filter(({ pointId, track }) => pointId === room && track === "room"),
          "durationMs",
        ),
      ),
    ),
  });

  /** In the order of recording, in the hub's time. */
  const timeline = async (session: SessionId, point: PointId, track: Track) => {
    const places = await placeRoom(db, session, point, track);
    const rows = await db
      .selectFrom("segment")
      .selectAll()
      .where("sessionId", "=", session)
      .where("pointId", "=", point)
      .orderBy("seq")
      .execute();
    const ofTake = Map.groupBy(rows, ({ takeId }) => takeId);
    const segments = [...places.values()].flatMap(({ take, shiftMs }) =>
      (ofTake.get(take) ?? []).map((row) => ({
        row,
        entry: {
          take: row.takeId,
          seq: row.seq,
          startedAt: shifted(row.startedAt, shiftMs),
          streamStartMs: row.streamStartMs,
          streamEndMs: row.streamEndMs,
          verified: row.hubState === "verified",
        } satisfies TimelineSegment,
      })),
    );
    return { places, segments };
  };

  const placedOf = async (
    session: SessionId,
    point: PointId,
    track: Track,
    segments: Awaited<ReturnType<typeof timeline>>["segments"],
    finished: boolean,
  ) => {
    // The live stream that they are made of is the room's.
    const copies = finished && track === "room" ? await hubCopies(db, session, point) : [];
    const pieces = copies.map(({ n, startedAt, durationMs }): TimelineSegment => ({
      ...{ take: HUB_COPY, seq: n, startedAt, streamStartMs: 0, streamEndMs: durationMs, verified: true },
    }));
    const entries = segments.map(({ entry }) => entry);
    return { copies, placed: layOut(withCopies(entries, pieces), finished) };
  };

  const placedNow = async ({ id, state }: RecordingSummaryView["session"], point: PointId, track: Track) => {
    const { segments } = await timeline(id, point, track);
    return (await placedOf(id, point, track, segments, state === "ended")).placed;
  };

  const sessionRow = (session: SessionId) =>
    db.selectFrom("session").select(SESSION).where("id", "=", session).executeTakeFirst();

  const lostRoom = (session: SessionId, point: PointId) =>
    db
      .selectFrom("lostRoom")
      .select(["declaredAt as at", "declaredBy as by", "filledAt"])
      .where("sessionId", "=", session)
      .where("pointId", "=", point)
      .executeTakeFirst();

  const trackOf = async (span: RecordingSummaryView["session"], id: PointId, track: Track) => {
    const { id: session } = span;
    const { places, segments } = await timeline(session, id, track);
    const { copies, placed } = await placedOf(session, id, track, segments, span.state === "ended");
    const offsets = new Map(placed.map(({ take, seq, playlistMs }) => [`${take}/${seq}`, playlistMs]));
    const gaps = await db
      .selectFrom("gap")
      .innerJoin("record", (join) => join.onRef("record.takeId", "=", "gap.takeId").onRef("record.n", "=", "gap.n"))
      .select(["gap.takeId", "cause", "fromAt", "toAt", "durationMs", "detail", "record"])
      .where("gap.sessionId", "=", session)
      .where("gap.pointId", "=", id)
      .orderBy("fromAt")
      .execute();
    // The times of a damaged segment are those of its take, whichever take states its loss.
    const shiftOf = ({ takeId, record }: (typeof gaps)[number]) =>
      places.get(GapRecord.parse(JSON.parse(record)).segment?.take ?? takeId)?.shiftMs ?? 0;
    const view: TrackView = {
      playlist:
        placed.length > 0 ? `/api/recordings/${session}/${id}/${track === "room" ? "index" : track}.m3u8` : null,
      playableMs: playableMs(placed),
      times: timesOf([...places.values()].map(({ basis }) => basis)),
      segments: segments.map(({ row, entry }): SegmentView => {
        const waiting = row.refusals > 0 ? ("refused" as const) : ("waiting" as const);
        return {
          take: row.takeId,
          seq: row.seq,
          startedAt: entry.startedAt,
          durationMs: Math.max(0, row.streamEndMs - row.streamStartMs),
          sizeBytes: row.sizeBytes,
          sha256: row.sha256,
          frames: row.frames,
          playlistMs: offsets.get(`${row.takeId}/${row.seq}`) ?? null,
          hub: row.hubState === "waiting" ? waiting : row.hubState,
          province: row.provinceState,
        };
      }),
      gaps: gaps
        .filter(({ takeId }) => places.has(takeId))
        .map((row): GapView => {
          const { takeId: take, cause, fromAt: from, toAt: to, durationMs, detail } = row;
          return placeGap({ take, cause, from, to, durationMs, detail }, shiftOf(row), span);
        }),
    };
    return { view, copies, offsets };
  };

  const room = async (
    span: RecordingSummaryView["session"],
    tracks: readonly Track[],
    { id, name, role }: Awaited<ReturnType<typeof roomsOf>>[number],
  ): Promise<RoomRecordingView> => {
    const { id: session } = span;
    const takes = await db
      .selectFrom("take")
      .select(TOTALS)
      .where("sessionId", "=", session)
      .where("pointId", "=", id)
      .execute();
    const { view, copies, offsets } = await trackOf(span, id, "room");
    const hasScreen = tracks.includes("screen") || takes.some(({ track }) => track === "screen");
    const alarms = await db
      .selectFrom("alarm")
      .select(["cause", "raisedAt", "clearedAt", "facts"])
      .where("sessionId", "=", session)
      .where("pointId", "=", id)
      .orderBy("raisedAt")
      .execute();
    return {
      point: { id, name },
      role,
      copies: copiesOf(takes, [id], tracks, span.state === "ended"),
      ...view,
      screen: hasScreen ? (await trackOf(span, id, "screen")).view : null,
      alarms,
      lost: (await lostRoom(session, id)) ?? null,
      hubCopies: copies.map(({ n, startedAt, durationMs, sizeBytes, sha256, statement }) => ({
        ...{ startedAt, durationMs, sizeBytes, sha256 },
        picture: HubCopyStatement.parse(JSON.parse(statement)).picture,
        playlistMs: offsets.get(`${HUB_COPY}/${n}`) ?? null,
      })),
    };
  };

  const summary: Recordings["summary"] = async (id) => {
    const session = await sessionRow(id);
    if (!session) return undefined;
    const rooms = await db.selectFrom("sessionPoint").select("pointId").where("sessionId", "=", id).execute();
    const takes = await db.selectFrom("take").select(TOTALS).where("sessionId", "=", id).execute();
    return summarize(
      session,
      rooms.map(({ pointId }) => pointId),
      takes,
    );
  };

  /** Everything of a session, each room as `show` makes it. */
  const whole = async <T>(id: SessionId, show: (room: RoomRecordingView) => T) => {
    const overview = await summary(id);
    if (!overview) return undefined;
    const rooms: T[] = [];
    const tracks = tracksOf({ companionUrl: (await sessionRow(id))?.companionUrl ?? null });
    for (const point of await roomsOf(id)) {
      rooms.push(show(await room(overview.session, tracks, point)));
      // Hours of a room are milliseconds of database; what is live goes on between two of them.
      await setImmediate();
    }
    const events = await db
      .selectFrom("sessionEvent")
      .leftJoin("bridgePoint", "bridgePoint.id", "sessionEvent.pointId")
      .select([
        "sessionEvent.at",
        "sessionEvent.kind",
        "sessionEvent.actor",
        "sessionEvent.pointId",
        "bridgePoint.name",
        "sessionEvent.cause",
        "sessionEvent.detail",
      ])
      .where("sessionEvent.sessionId", "=", id)
      .orderBy("sessionEvent.id")
      .execute();
    return {
      session: overview.session,
      copies: overview.copies,
      rooms,
      events: events.map(eventView),
    };
  };

  return {
    summary,

    async summaries() {
      const overdue = isoUtc(clock.wallMs() - OVERDUE_MS);
      const sessions = await db
        .selectFrom("session")
        .select(SESSION)
        .where((where) =>
          where.or([
            where("startedAt", "is not", null),
            where("scheduledAt", "<=", overdue),
            where("id", "in", where.selectFrom("take").select("sessionId")),
          ]),
        )
        .execute();
      const when = ({ startedAt, scheduledAt }: (typeof sessions)[number]) => startedAt ?? scheduledAt ?? "";
      sessions.sort((a, b) => (when(a) < when(b) ? 1 : -1));
      const members = Map.groupBy(await db.selectFrom("sessionPoint").selectAll().execute(), (row) => row.sessionId);
      const takes = Map.groupBy(await db.selectFrom("take").select(TOTALS).execute(), (row) => row.sessionId);
      return sessions.map((session) =>
        summarize(
          session,
          (members.get(session.id) ?? []).map(({ pointId }) => pointId),
          takes.get(session.id) ?? [],
        ),
      );
    },

    recording: (id) => whole(id, (each) => each),
    overview: (id) => whole(id, roomOverview),

    async roomRecording(id, point) {
      const session = await sessionRow(id);
      const found = (await roomsOf(id)).find((each) => each.id === point);
      return session && found && room(session, tracksOf(session), found);
    },

    async placed(id, point, track) {
      const session = await sessionRow(id);
      return session ? placedNow(session, point, track) : [];
    },

    async playlist(id, point, track = "room") {
      const session = await sessionRow(id);
      const placed = session ? await placedNow(session, point, track) : [];
      return placed.length > 0 ? playlistText(placed, session?.state === "ended") : undefined;
    },

    async verifiedSpans(session, point) {
      const { segments } = await timeline(session, point, "room");
      return segments.flatMap(({ entry: { startedAt, streamStartMs, streamEndMs, verified } }) => {
        const fromMs = Date.parse(startedAt);
        return verified ? [{ fromMs, toMs: fromMs + streamEndMs - streamStartMs }] : [];
      });
    },

    async hubCopyFile(session, point, file) {
      const copies = await hubCopies(db, session, point);
      const found = copies.some(({ n }) => hubCopyFiles(n).media === file);
      return found ? join(archive, session, hubCopyFolder(point), file) : undefined;
    },

    async segmentFile(session, point, take, file) {
      const name = parseSegmentPath(`${session}/${take}/${file}`);
      if (!name) return undefined;
      const row = await db
        .selectFrom("segment")
        .select("seq")
        .where("takeId", "=", name.take)
        .where("seq", "=", name.seq)
        .where("sessionId", "=", session)
        .where("pointId", "=", point)
        .where("hubState", "=", "verified")
        .executeTakeFirst();
      return row && join(archive, session, archiveTakePath(point, name.take), segmentPath(name).split("/").at(-1)!);
    },
  };
}
