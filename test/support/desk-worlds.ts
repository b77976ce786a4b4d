import { createHash } from "node:crypto";
import type {
  AccountView,
  CarriedView,
  ConnectionTestView,
  CopyView,
  GapView,
  RecordingSummaryView,
  RecordingView,
  RoomRecordingView,
  HubDiskView,
  ReleasesView,
  RoomView,
  SegmentView,
  SessionEventView,
  SessionView,
  TestedRoomView,
} from "../../src/hub/http/views.ts";
import {
  lampsOf,
  makeId,
  stageForRoom,
  type Health,
  type PointId,
  type PointRole,
  type SessionId,
  type SessionState,
  type Stage,
  type StageRoom,
} from "../../src/protocol/protocol.ts";
import type { RoomSoundTest, RoomState } from "../../src/protocol/room.ts";
import { releasesOf } from "./desk-releases.ts";

/** Examples of what the hub says, to the letter of src/hub/http/views.ts, around a given moment. */
export interface World {
  rooms: RoomView[];
  sessions: SessionView[];
  /** Of the sessions that run. */
  stages: Stage[];
  recordings: RecordingView[];
  waitingBoxes: number;
  hubDisk: HubDiskView;
  releases: ReleasesView;
  carried: CarriedView;
  accounts: AccountView[];
}
type BareWorld = Omit<World, "releases" | "carried" | "accounts">;

export const WORLDS = ["empty", "ordinary", "full", "trouble"] as const;
export type WorldName = (typeof WORLDS)[number];

const ROOMY: HubDiskView = { state: "ok", freeBytes: 2.4e12 };
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const SEGMENT_MS = 10_000;

/** The same text always gives the same identifier. */
const id = <P extends "box" | "point" | "session" | "take">(prefix: P, text: string) =>
  makeId(prefix, createHash("sha256").update(`${prefix} ${text}`).digest().subarray(0, 10));
export const pointId = (name: string): PointId => id("point", name);
export const sessionId = (name: string): SessionId => id("session", name);

const iso = (ms: number): string => new Date(ms).toISOString();

export const health = (change: Partial<Health> = {}): Health => ({
  agentVersion: "0.1.0",
  bootId: "6f2d5b0e-7c7b-4a53-9a57-2f9a0d1d6c11",
  uptimeS: 86_400,
  cpuPercent: 31,
  memoryUsedBytes: 1.9e9,
  memoryTotalBytes: 8e9,
  diskFreeBytes: 187.4e9,
  diskTotalBytes: 250e9,
  temperatureC: 52,
  encoder: { state: "preview", fps: 25, frames: 90_000, droppedFrames: 0, duplicatedFrames: 0, speed: 1 },
  picture: "ok",
  sound: { state: "ok", levelLufs: -23.4, speech: true },
  link: { control: "up", live: "up", sync: "up", roundTripMs: 18 },
  recording: { session: null, take: null, seconds: 0, growing: false, unsyncedSegments: 0, unsyncedBytes: 0 },
  source: "Logitech C920, micrô để bàn",
  soundTest: { at: iso(Date.now() - 75 * MINUTE_MS), voice: "heard", echo: "good", returnLossDb: 42, atLeast: false },
  devices: {
    cameras: [
      {
        id: "usb:046d:0892:8A2F3D50@0000:00:14.0/2#1.0",
        name: "HD Pro Webcam C920",
        state: "inUse",
        wanted: true,
        port: "2",
      },
      { id: "usb:046d:0990@0000:00:14.0/4.1#1.0", name: "USB2.0 Camera", state: "ready", wanted: false, port: "4.1" },
    ],
    microphones: [
      {
        id: "usb:0b0e:0420:50C971@0000:00:14.0/3#1.0",
        name: "Jabra SPEAK 510 USB",
        state: "absent",
        wanted: true,
        port: "3",
      },
      {
        id: "usb:046d:0892:8A2F3D50@0000:00:14.0/2#1.2",
        name: "C920 (USB Audio)",
        state: "inUse",
        wanted: false,
        port: "2",
      },
      { id: "at:0000:00:1f.3#0", name: "HDA Intel PCH (ALC887-VD Analog)", state: "failed", wanted: false },
    ],
  },
  ...change,
});

const room = (name: string, change: Partial<RoomView> = {}): RoomView => ({
  point: { id: pointId(name), name },
  box: id("box", name),
  connected: true,
  seenAt: null,
  health: health(),
  alarms: [],
  live: ["video", "audio"],
  session: null,
  pendingSegments: 0,
  ...change,
});

const event = (
  atMs: number,
  kind: SessionEventView["kind"],
  actor: string | null,
  point?: string,
): SessionEventView => ({
  at: iso(atMs),
  kind,
  actor,
  point: point === undefined ? null : { id: pointId(point), name: point },
});

interface SessionPlan {
  name: string;
  points: string[];
  state: SessionState;
  scheduledMs?: number;
  startedMs?: number;
  endedMs?: number;
  events?: SessionEventView[];
  tests?: SessionView["tests"];
  testsToCome?: SessionView["testsToCome"];
}

const CLERK = "Nguyễn Thị Minh Nguyệt";

export const session = (nowMs: number, plan: SessionPlan): SessionView => ({
  id: sessionId(plan.name),
  name: plan.name,
  state: plan.state,
  scheduledAt: plan.scheduledMs === undefined ? null : iso(plan.scheduledMs),
  plannedMinutes: 240,
  companion: null,
  createdAt: iso(nowMs - 30 * HOUR_MS),
  startedAt: plan.startedMs === undefined ? null : iso(plan.startedMs),
  endedAt: plan.endedMs === undefined ? null : iso(plan.endedMs),
  adHoc: false,
  tests: plan.tests ?? [],
  testsToCome: plan.testsToCome ?? [],
  points: plan.points.map((name, i) => ({ id: pointId(name), name, role: i === 0 ? "central" : "delegate" })),
  events: [
    event(nowMs - 30 * HOUR_MS, "created", CLERK),
    ...(plan.startedMs === undefined ? [] : [event(plan.startedMs, "started", CLERK)]),
    ...(plan.events ?? []),
    ...(plan.endedMs === undefined ? [] : [event(plan.endedMs, "ended", CLERK)]),
  ],
});

/** A connection test that the hub made by itself. */
const testOf = (
  scheduledMs: number,
  minutesBefore: number,
  found: { points: string[]; others: Record<string, TestedRoomView["troubles"]>; lateMs?: number },
): ConnectionTestView => {
  const dueMs = scheduledMs - minutesBefore * MINUTE_MS;
  return {
    ...{ minutesBefore, dueAt: iso(dueMs), at: iso(dueMs + (found.lateMs ?? 2_000)), actor: null },
    rooms: found.points.map((name) => {
      const troubles = found.others[name] ?? [];
      const clear = troubles.length === 0;
      return { point: { id: pointId(name), name }, clear, troubles, soundTest: clear ? "passed" : null };
    }),
  };
};

/** The rooms of a session as they are while it runs. */
const inSession = (rooms: RoomView[], of: SessionView): RoomView[] =>
  rooms.map((view) => {
    const role: PointRole | undefined = of.points.find((point) => point.id === view.point.id)?.role;
    if (!role || (of.state !== "live" && of.state !== "paused")) return view;
    const take = id("take", `${of.name} ${view.point.name}`);
    const growing = of.state === "live";
    const recording = { session: of.id, take, seconds: 1_820, growing, unsyncedSegments: 1, unsyncedBytes: 2e6 };
    return {
      ...view,
      session: { id: of.id, name: of.name, role, state: of.state },
      pendingSegments: 1,
      health: view.health && {
        ...view.health,
        encoder: { ...view.health.encoder, state: growing ? "recording" : "preview" },
        recording: view.health.recording.session ? view.health.recording : recording,
      },
    };
  });

/** The stage of a running session as the hub would state it; `seats` by the names of the rooms. */
export function stageOf(
  of: Pick<SessionView, "id" | "points" | "startedAt">,
  rooms: readonly RoomView[],
  change: Partial<Omit<Stage, "rooms">> & { seats?: Record<string, Partial<StageRoom>> } = {},
): Stage {
  const { seats, ...rest } = change;
  const at = of.startedAt ?? iso(0);
  const views = new Map(rooms.map((view) => [view.point.id, view]));
  return {
    session: of.id,
    revision: 7,
    layout: { mode: "auto", onScreen: [], by: null, at, revision: 1 },
    speakers: [],
    rooms: of.points.map(({ id, name, role }, i) => {
      const view = views.get(id);
      return {
        point: { id, name },
        role,
        box: view?.box ?? null,
        connected: view?.connected ?? false,
        live: view?.live ?? [],
        place: i <= 8 ? "in" : "standby",
        muted: null,
        gainDb: 0,
        hand: null,
        speaking: false,
        message: null,
        ...seats?.[name],
      };
    }),
    paused: null,
    interruption: null,
    watchers: [
      { name: CLERK, kind: "desk" },
      ...of.points.slice(0, 9).map(({ name }) => ({ name, kind: "room" as const })),
    ],
    ...rest,
  };
}

interface RoomPlan {
  name: string;
  /** Verified at the hub and at the province, of all that was recorded. */
  hub: number;
  province: number;
  refused?: number;
  rereadAt?: string;
  gaps?: { cause: GapView["cause"]; fromMs: number; lengthMs: number; detail: string }[];
}

function roomRecording(of: SessionView, plan: RoomPlan, role: PointRole, endMs: number): RoomRecordingView {
  const startMs = Date.parse(of.startedAt!);
  const gaps = plan.gaps ?? [];
  const segments: SegmentView[] = [];
  let takeNumber = 0;
  let seq = 0;
  let playlistMs = 0;
  for (let at = startMs + 1_200; at < endMs;) {
    const gap = gaps.find(({ fromMs, lengthMs }) => at >= startMs + fromMs && at < startMs + fromMs + lengthMs);
    if (gap) {
      at = startMs + gap.fromMs + gap.lengthMs;
      takeNumber += 1;
      seq = 0;
      continue;
    }
    const until = Math.min(endMs, ...gaps.map(({ fromMs }) => startMs + fromMs).filter((ms) => ms > at));
    const durationMs = Math.min(SEGMENT_MS, until - at);
    segments.push({
      take: id("take", `${of.name} ${plan.name} ${takeNumber}`),
      seq,
      startedAt: iso(at),
      durationMs,
      sizeBytes: Math.round(durationMs * 252),
      sha256: createHash("sha256").update(`${plan.name} ${takeNumber} ${seq}`).digest("hex"),
      frames: Math.round(durationMs / 40),
      playlistMs: null,
      hub: "waiting",
      province: "waiting",
    });
    seq += 1;
    at += durationMs;
  }
  const hub = Math.floor(segments.length * plan.hub);
  const province = Math.floor(segments.length * plan.province);
  segments.forEach((segment, i) => {
    if (i < hub) {
      segment.hub = "verified";
      segment.playlistMs = playlistMs;
      playlistMs += segment.durationMs;
    } else if (i < hub + (plan.refused ?? 0)) segment.hub = "refused";
    if (i < province) segment.province = "verified";
  });
  const ended = of.state === "ended";
  return {
    point: { id: pointId(plan.name), name: plan.name },
    role,
    lost: null,
    screen: null,
    hubCopies: [],
    copies: {
      recorded: segments.length,
      recordedBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      hub,
      province,
      refused: plan.refused ?? 0,
      hubComplete: ended && hub === segments.length,
      provinceComplete: ended && province === segments.length,
      rereadAt: plan.rereadAt ?? null,
      provinceRereadAt: plan.rereadAt ?? null,
    },
    playlist: hub > 0 ? `/api/recordings/${of.id}/${pointId(plan.name)}/index.m3u8` : null,
    playableMs: playlistMs,
    times: "hub",
    segments,
    alarms: gaps
      .filter(({ cause }) => cause === "deviceLost")
      .map(({ fromMs }) => ({
        cause: "cameraNone",
        raisedAt: new Date(startMs + fromMs + 2_000).toISOString(),
        clearedAt: new Date(startMs + fromMs + 9_000).toISOString(),
        facts: "no camera",
      })),
    gaps: [
      gapView(of, plan.name, 0, "starting", startMs, 1_200, "first frame 1200 ms after the start"),
      ...gaps.map(({ cause, fromMs, lengthMs, detail }, i) =>
        gapView(of, plan.name, i + 1, cause, startMs + fromMs, lengthMs, detail),
      ),
    ],
  };
}

const gapView = (
  of: SessionView,
  name: string,
  take: number,
  cause: GapView["cause"],
  fromMs: number,
  durationMs: number,
  detail: string,
): GapView => ({
  take: id("take", `${of.name} ${name} ${take}`),
  cause,
  from: iso(fromMs),
  to: iso(fromMs + durationMs),
  durationMs,
  detail,
});

export function recording(of: SessionView, rooms: RoomPlan[], endMs: number): RecordingView {
  const views = rooms.map((plan) =>
    roomRecording(of, plan, of.points.find(({ name }) => name === plan.name)?.role ?? "delegate", endMs),
  );
  return {
    session: { id: of.id, name: of.name, state: of.state, startedAt: of.startedAt, endedAt: of.endedAt },
    copies: views.map(({ copies }) => copies).reduce(addCopies),
    rooms: views,
    events: of.events,
  };
}

const addCopies = (a: CopyView, b: CopyView): CopyView => ({
  recorded: a.recorded + b.recorded,
  recordedBytes: a.recordedBytes + b.recordedBytes,
  hub: a.hub + b.hub,
  province: a.province + b.province,
  refused: a.refused + b.refused,
  hubComplete: a.hubComplete && b.hubComplete,
  provinceComplete: a.provinceComplete && b.provinceComplete,
  rereadAt: a.rereadAt,
  provinceRereadAt: a.provinceRereadAt,
});

export function summaryOf({ session: of, copies, rooms }: RecordingView): RecordingSummaryView {
  const startMs = Date.parse(of.startedAt ?? "1970-01-01T00:00:00Z");
  const ends = rooms.map(({ segments }) => segments.at(-1)).filter((segment) => segment !== undefined);
  const endMs = Math.max(startMs, ...ends.map(({ startedAt, durationMs }) => Date.parse(startedAt) + durationMs));
  const gaps = rooms.reduce((sum, room) => sum + room.gaps.filter(({ cause }) => cause !== "starting").length, 0);
  const unrecorded = rooms.filter(({ segments }) => segments.length === 0).length;
  return {
    session: { ...of, scheduledAt: null },
    rooms: rooms.length,
    unrecorded,
    copies,
    gaps,
    durationMs: endMs - startMs,
  };
}

// ---- the four worlds

const CENTRE = "Ban Tiếp công dân tỉnh";
const COMMUNE = "Xã Tịnh Khê";
const DEPARTMENT = "Sở Nông nghiệp và Môi trường";
export const THREE = [CENTRE, COMMUNE, DEPARTMENT];

export function worldOf(name: WorldName, nowMs: number): World {
  const world = bareWorldOf(name, nowMs);
  return {
    ...world,
    ...releasesOf(name, world.rooms, nowMs),
    carried: carriedOf(name, world, nowMs),
    accounts: accountsOf(nowMs),
  };
}

function accountsOf(nowMs: number): AccountView[] {
  const account = (id: string, login: string, name: string, change: Partial<AccountView>): AccountView => ({
    ...{ id, login, name, role: "operator", mustChangePassword: false, createdAt: iso(nowMs - 300 * HOUR_MS) },
    ...{ closedAt: null, ...change },
  });
  return [
    account("user-1", "quantri", CLERK, { role: "administrator" }),
    account("user-2", "hoa.lt", "Lê Thị Hoa", {}),
    account("user-3", "dung.pv", "Phạm Văn Dũng", { mustChangePassword: true }),
    account("user-4", "thanhtra", "Đoàn Thanh tra tỉnh", { role: "observer" }),
    account("user-5", "binh.tq", "Trần Quốc Bình", { closedAt: iso(nowMs - 40 * HOUR_MS) }),
  ];
}

function carriedOf(name: WorldName, { sessions }: BareWorld, nowMs: number): CarriedView {
  const directory = "/var/lib/diemcau-hub/recording-import";
  const [folder, card] = ["o-dia-1/lib/diemcau/recordings", "the-2/recordings"];
  const run = {
    ...{ folder, startedAt: iso(nowMs - 4 * MINUTE_MS), endedAt: null, waiting: false, sessions: 12, sessionsDone: 5 },
    ...{ taken: 212, takenBytes: 1.1e9, had: 1_840, damaged: 0, missing: 0, refused: [] },
  };
  if (name === "full")
    return { directory, folders: [{ folder, sessions: 12, points: [COMMUNE], readable: true }], run };
  if (name !== "trouble") return { directory, folders: [], run: null };
  const folders = [
    { folder, sessions: 12, points: [COMMUNE], readable: true },
    { folder: card, sessions: 0, points: [], readable: false },
  ];
  const refused = [
    { session: sessions[0]!.id, reason: "recordsRefused" as const },
    { session: sessionId("của trung tâm khác"), reason: "unknownBox" as const },
  ];
  const ended = { endedAt: iso(nowMs - MINUTE_MS), sessionsDone: 12, damaged: 3, missing: 1, refused };
  return { directory, folders, run: { ...run, ...ended } };
}

function bareWorldOf(name: WorldName, nowMs: number): BareWorld {
  switch (name) {
    case "empty":
      return { rooms: [], sessions: [], stages: [], recordings: [], waitingBoxes: 0, hubDisk: ROOMY };
    case "ordinary":
      return ordinary(nowMs);
    case "full":
      return full(nowMs);
    default:
      return trouble(nowMs);
  }
}

function ordinary(nowMs: number): BareWorld {
  const startedMs = nowMs - 31 * MINUTE_MS;
  const live = session(nowMs, {
    name: "Tiếp công dân định kỳ tháng 11",
    points: THREE,
    state: "live",
    scheduledMs: startedMs - 2 * MINUTE_MS,
    startedMs,
  });
  const next = session(nowMs, {
    name: "Vụ việc bồi thường đất dự án cảng Dung Quất",
    points: THREE,
    state: "draft",
    scheduledMs: nowMs + 130 * MINUTE_MS,
    events: [
      {
        ...event(nowMs + 130 * MINUTE_MS - 24 * HOUR_MS, "tested", null),
        detail: {
          test: { minutesBefore: 1_440, clear: 2, rooms: 3, others: [{ name: COMMUNE, trouble: "offline" }] },
        },
      },
    ],
    tests: [testOf(nowMs + 130 * MINUTE_MS, 1_440, { points: THREE, others: { [COMMUNE]: ["offline"] } })],
    testsToCome: [{ minutesBefore: 120, dueAt: iso(nowMs + 10 * MINUTE_MS) }],
  });
  const someday = session(nowMs, { name: "Tiếp công dân đột xuất", points: [CENTRE, COMMUNE], state: "draft" });
  const past = session(nowMs, {
    name: "Tiếp công dân định kỳ tháng 10",
    points: THREE,
    state: "ended",
    startedMs: nowMs - 26 * HOUR_MS,
    endedMs: nowMs - 26 * HOUR_MS + 14 * MINUTE_MS,
    events: [
      event(nowMs - 26 * HOUR_MS + 50_000, "layoutChanged", CLERK),
      { ...event(nowMs - 26 * HOUR_MS + 2 * MINUTE_MS, "marked", CLERK), detail: { text: "Ông Bình trình bày" } },
      event(nowMs - 26 * HOUR_MS + 3.5 * MINUTE_MS, "muted", CLERK, DEPARTMENT),
      event(nowMs - 26 * HOUR_MS + 4 * MINUTE_MS, "unmuted", CLERK, DEPARTMENT),
      { ...event(nowMs - 26 * HOUR_MS + 6 * MINUTE_MS, "interrupted", CLERK), detail: { text: "Mất điện" } },
      event(nowMs - 26 * HOUR_MS + 7 * MINUTE_MS, "interruptionEnded", CLERK),
      { ...event(nowMs - 26 * HOUR_MS + 8 * MINUTE_MS, "alarmRaised", null, COMMUNE), cause: "soundSilent" },
      event(nowMs - 26 * HOUR_MS + 8.3 * MINUTE_MS, "calledUp", CLERK, COMMUNE),
      { ...event(nowMs - 26 * HOUR_MS + 9 * MINUTE_MS, "marked", CLERK), detail: { text: "Sở Nông nghiệp trả lời" } },
      { ...event(nowMs - 26 * HOUR_MS + 9.3 * MINUTE_MS, "marked", CLERK), detail: { text: "Kết luận của chủ trì" } },
    ],
  });
  const older = session(nowMs, {
    name: "Vụ việc đường vào khu tái định cư Sơn Tịnh",
    points: THREE,
    state: "ended",
    startedMs: nowMs - 7 * 24 * HOUR_MS,
    endedMs: nowMs - 7 * 24 * HOUR_MS + 10 * MINUTE_MS,
  });
  const all = (share: number, provinceShare: number) =>
    THREE.map((name) => ({ name, hub: share, province: provinceShare }));
  const rooms = inSession(
    THREE.map((name) => room(name)),
    live,
  );
  return {
    rooms,
    sessions: [live, next, someday, past, older],
    stages: [
      stageOf(live, rooms, {
        speakers: [pointId(COMMUNE)],
        seats: {
          [COMMUNE]: { speaking: true },
          [DEPARTMENT]: { hand: iso(nowMs - 2 * MINUTE_MS) },
        },
      }),
    ],
    recordings: [
      recording(live, all(0.98, 0.9), nowMs),
      recording(
        past,
        all(1, 0.64).map((plan) => ({ ...plan, rereadAt: iso(nowMs - 24 * HOUR_MS) })),
        Date.parse(past.endedAt!),
      ),
      recording(older, all(1, 1), Date.parse(older.endedAt!)),
    ],
    waitingBoxes: 1,
    hubDisk: ROOMY,
  };
}

const COMMUNES = [
  ...["Tịnh Khê", "An Phú", "Bình Sơn", "Vạn Tường", "Đông Sơn", "Trường Giang", "Ba Gia", "Sơn Tịnh", "Thọ Phong"],
  ...["Tư Nghĩa", "Vệ Giang", "Nghĩa Giang", "Trà Giang", "Nghĩa Hành", "Đình Cương", "Thiện Tín", "Phước Giang"],
  ...["Long Phụng", "Mỏ Cày", "Mộ Đức", "Lân Phong", "Nguyễn Nghiêm", "Khánh Cường", "Trà Bồng", "Đông Trà Bồng"],
  ...["Tây Trà", "Thanh Bồng", "Cà Đam", "Tây Trà Bồng", "Sơn Hạ", "Sơn Linh", "Sơn Hà", "Sơn Thủy", "Sơn Kỳ"],
  ...["Sơn Tây", "Sơn Tây Thượng", "Sơn Tây Hạ", "Minh Long", "Sơn Mai", "Ba Vì", "Ba Tô", "Ba Dinh", "Ba Tơ"],
  ...["Ba Vinh", "Ba Động", "Đặng Thùy Trâm", "Ba Xa", "Ngọk Bay", "Ia Chim", "Đăk Rơ Wa", "Đăk Pxi", "Đăk Mar"],
  ...["Đăk Ui", "Ngọk Réo", "Đăk Hà", "Ngọk Tụ", "Đăk Tô", "Kon Đào", "Đăk Sao", "Đăk Tờ Kan", "Tu Mơ Rông"],
  ...["Măng Ri", "Bờ Y", "Sa Loong", "Dục Nông", "Xốp", "Ngọc Linh", "Đăk Plô", "Đăk Pék", "Đăk Môn", "Sa Thầy"],
];
const DEPARTMENTS = [
  ...["Nông nghiệp và Môi trường", "Khoa học và Công nghệ", "Văn hóa, Thể thao và Du lịch", "Giáo dục và Đào tạo"],
  ...["Dân tộc và Tôn giáo", "Xây dựng", "Tài chính", "Công Thương", "Tư pháp", "Nội vụ", "Y tế", "Ngoại vụ"],
];

/** 124 names as long as they really are. */
function longNames(): string[] {
  const names = [
    "Trụ sở Tiếp công dân tỉnh Quảng Ngãi – Ban Tiếp công dân, Văn phòng Ủy ban nhân dân tỉnh",
    ...DEPARTMENTS.map((name) => `Sở ${name} tỉnh Quảng Ngãi`),
    ...COMMUNES.map((name) => `Trung tâm Phục vụ hành chính công, Ủy ban nhân dân xã ${name}`),
    ...COMMUNES.map((name) => `Phòng tiếp công dân thứ hai, Ủy ban nhân dân xã ${name}`),
  ];
  return names.slice(0, 124);
}

function full(nowMs: number): BareWorld {
  const names = longNames();
  const startedMs = nowMs - 8 * MINUTE_MS;
  const live = session(nowMs, {
    name: "Tiếp công dân trực tuyến toàn tỉnh về công tác bồi thường, hỗ trợ, tái định cư dự án đường bộ cao tốc Bắc – Nam",
    points: names,
    state: "live",
    scheduledMs: startedMs,
    startedMs,
    events: [
      event(startedMs + 3 * MINUTE_MS, "roomLost", null, names[20]),
      event(startedMs + 4 * MINUTE_MS, "roomBack", null, names[20]),
    ],
  });
  const quiet = health({ sound: { state: "silent", levelLufs: -70, speech: false } });
  const slow = health({ link: { control: "up", live: "down", sync: "up", roundTripMs: 640 } });
  const rooms = inSession(
    names.map((name, i) => {
      if (i === 40 || i === 77) return room(name, { health: quiet });
      if (i === 55) return room(name, { health: slow, live: [] });
      if (i === 101) return room(name, { connected: false, live: [], seenAt: iso(nowMs - 4 * MINUTE_MS) });
      return room(name);
    }),
    live,
  );
  const spare = room("Đặc khu Lý Sơn – phòng họp trực tuyến tầng 2, trụ sở Ủy ban nhân dân đặc khu", {
    box: null,
    connected: false,
    health: null,
    live: [],
  });
  const past = Array.from({ length: 40 }, (_, i) => {
    const startMs = nowMs - (i + 1) * 3.5 * 24 * HOUR_MS;
    return session(nowMs, {
      name: `${i % 3 === 0 ? "Tiếp công dân định kỳ" : "Vụ việc khiếu nại về đất đai của các hộ dân"} số ${40 - i}/2026`,
      points: names.slice(0, 3 + (i % 7)),
      state: "ended",
      startedMs: startMs,
      endedMs: startMs + (5 + (i % 5)) * MINUTE_MS,
    });
  });
  return {
    rooms: [...rooms.slice(0, 123), spare],
    sessions: [live, ...past],
    stages: [stageOf(live, rooms, { seats: { [names[30]!]: { hand: iso(nowMs - 4 * MINUTE_MS) } } })],
    recordings: [
      recording(
        live,
        names.map((name, i) => ({ name, hub: i % 9 === 0 ? 0.8 : 0.97, province: 0.6 })),
        nowMs,
      ),
      ...past.map((of) =>
        recording(
          of,
          of.points.map(({ name }) => ({ name, hub: 1, province: 1 })),
          Date.parse(of.endedAt!),
        ),
      ),
    ],
    waitingBoxes: 12,
    hubDisk: ROOMY,
  };
}

function trouble(nowMs: number): BareWorld {
  const names = [...THREE, "Phường Trương Quang Trọng", "Xã Sơn Tây Thượng", "Đặc khu Lý Sơn", "Xã Trà Bồng"];
  const startedMs = nowMs - 44 * MINUTE_MS;
  const live = session(nowMs, {
    name: "Vụ việc khai thác cát trên sông Trà Khúc",
    points: names.slice(0, 6),
    state: "live",
    startedMs,
    scheduledMs: startedMs,
    events: [
      event(startedMs + 9 * MINUTE_MS, "roomLost", null, names[5]),
      event(startedMs + 12 * MINUTE_MS, "roomBack", null, names[5]),
      event(startedMs + 20 * MINUTE_MS, "paused", CLERK),
      event(startedMs + 25 * MINUTE_MS, "resumed", CLERK),
      event(startedMs + 38 * MINUTE_MS, "roomLost", null, names[4]),
    ],
  });
  const paused = session(nowMs, {
    name: "Vụ việc trường học xã Trà Bồng",
    points: [names[6]!],
    state: "paused",
    startedMs: nowMs - 20 * MINUTE_MS,
    events: [event(nowMs - 6 * MINUTE_MS, "paused", CLERK)],
  });
  const late = session(nowMs, {
    name: "Tiếp công dân đột xuất về sạt lở bờ sông",
    points: [names[0]!, names[4]!],
    state: "draft",
    scheduledMs: nowMs - 5 * MINUTE_MS,
    tests: [
      {
        ...{ minutesBefore: 1_440, dueAt: iso(nowMs - 24 * HOUR_MS - 5 * MINUTE_MS), at: null, actor: null, rooms: [] },
      },
      testOf(nowMs - 5 * MINUTE_MS, 120, {
        points: [names[0]!, names[4]!],
        others: { [names[0]!]: ["pictureBlack", "soundHum"], [names[4]!]: ["noBox"] },
        lateMs: 64 * MINUTE_MS,
      }),
    ],
  });
  const past = session(nowMs, {
    name: "Vụ việc hồ chứa nước Sơn Tây",
    points: names.slice(0, 4),
    state: "ended",
    startedMs: nowMs - 50 * MINUTE_MS - 3 * HOUR_MS,
    endedMs: nowMs - 3 * HOUR_MS,
    events: [
      event(nowMs - 3 * HOUR_MS - 30 * MINUTE_MS, "roomLost", null, names[3]),
      event(nowMs - 3 * HOUR_MS - 21 * MINUTE_MS, "roomBack", null, names[3]),
    ],
  });
  const stuck = health().recording;
  const rooms = inSession(
    inSession(
      [
        room(names[0]!),
        room(names[1]!, { health: health({ sound: { state: "silent", levelLufs: -70, speech: false } }) }),
        room(names[2]!, { health: health({ picture: "black", diskFreeBytes: 4e9 }) }),
        room(names[3]!, {
          health: health({
            link: { control: "up", live: "down", sync: "up", roundTripMs: 812 },
            recording: { ...stuck, session: live.id, growing: true, seconds: 2_300, unsyncedSegments: 63 },
          }),
          live: [],
          pendingSegments: 63,
        }),
        room(names[4]!, { connected: false, live: [], seenAt: iso(nowMs - 6 * MINUTE_MS), pendingSegments: 31 }),
        room(names[5]!, {
          health: health({ recording: { ...stuck, session: live.id, growing: false } }),
        }),
        room(names[6]!),
        room("Xã Đặng Thùy Trâm", { connected: false, live: [], seenAt: iso(nowMs - 40 * HOUR_MS) }),
        room("Xã Ba Tơ", { box: null, connected: false, health: null, live: [] }),
      ],
      live,
    ),
    paused,
  );
  return {
    rooms,
    sessions: [live, paused, late, past],
    stages: [
      stageOf(live, rooms, {
        layout: {
          mode: "spotlight",
          onScreen: [pointId(names[0]!)],
          by: "Trần Văn Hòa",
          at: iso(nowMs - 3 * MINUTE_MS),
          revision: 6,
        },
        interruption: { at: iso(nowMs - 6 * MINUTE_MS), reason: "Mất đường truyền Xã Sơn Tây Thượng", by: CLERK },
        seats: {
          [names[1]!]: { muted: { at: iso(nowMs - 2 * MINUTE_MS), reason: "Có tiếng ồn trong phòng", by: CLERK } },
          [names[5]!]: { place: "standby", hand: iso(nowMs - 70_000) },
        },
      }),
      stageOf(paused, rooms, { paused: { at: iso(nowMs - 6 * MINUTE_MS), reason: "Nghỉ giải lao", by: CLERK } }),
    ],
    recordings: [
      recording(
        live,
        names.slice(0, 6).map((name, i) => ({
          name,
          hub: i === 3 ? 0.6 : i === 4 ? 0.4 : 0.97,
          province: 0.3,
          gaps: [{ cause: "paused" as const, fromMs: 20 * MINUTE_MS, lengthMs: 5 * MINUTE_MS, detail: "" }],
        })),
        nowMs,
      ),
      recording(
        past,
        [
          { name: names[0]!, hub: 1, province: 0.5 },
          {
            name: names[1]!,
            hub: 0.92,
            province: 0.5,
            refused: 2,
            gaps: [
              { cause: "deviceLost", fromMs: 12 * MINUTE_MS, lengthMs: 41_000, detail: "camera unplugged" },
              { cause: "encoderStalled", fromMs: 33 * MINUTE_MS, lengthMs: 2_400, detail: "no frame for 2 s" },
            ],
          },
          { name: names[2]!, hub: 0.7, province: 0.5 },
          {
            name: names[3]!,
            hub: 0,
            province: 0,
            gaps: [{ cause: "powerLost", fromMs: 20 * MINUTE_MS, lengthMs: 9 * MINUTE_MS, detail: "boot id changed" }],
          },
        ],
        Date.parse(past.endedAt!),
      ),
    ],
    waitingBoxes: 3,
    hubDisk: ROOMY,
  };
}

// ---- the room's screen

// prettier-ignore
export const ROOM_SCREENS = [
  "ready", "session", "paused", "code", "codeStick", "revoked", "connecting", "noCable", "stickFaulty", "stickTaken", "hubUnreachable", "wrongHub",
  "silent", "offline", "notRecording", "idle", "longNames",
  "soundSpeak", "soundListen", "soundGood", "soundBad",
  "talk", "talkMuted", "talkTrouble", "talkGrid", "talkMany", "talkAlone",
] as const;
export type RoomScreenName = (typeof ROOM_SCREENS)[number];

export function roomScreen(name: RoomScreenName, nowMs: number): RoomState {
  const of = sessionId("Tiếp công dân định kỳ tháng 11");
  const long = name === "longNames";
  const sessionName = long
    ? "Tiếp công dân trực tuyến toàn tỉnh về bồi thường, hỗ trợ, tái định cư dự án đường bộ cao tốc Bắc – Nam"
    : "Tiếp công dân định kỳ tháng 11";
  const talks = name.startsWith("talk");
  const open = talks || ["session", "silent", "offline", "notRecording", "longNames", "paused"].includes(name);
  const grows = talks || ["session", "silent", "offline", "longNames"].includes(name);
  const connected = name !== "offline";
  const silent = name === "silent" || name === "talkTrouble";
  const measured = health({
    sound: { state: silent ? "silent" : "ok", levelLufs: -23, speech: !silent },
    recording: { ...health().recording, session: open ? of : null, growing: grows },
  });
  const pairing = ((): RoomState["pairing"] => {
    switch (name) {
      case "code":
      case "codeStick":
      case "revoked":
        return {
          state: "code",
          code: "BCDF-GHJK",
          expiresAt: iso(nowMs + 11.5 * MINUTE_MS),
          revoked: name === "revoked",
          hubAnswers: true,
        };
      case "connecting":
      case "noCable":
      case "stickFaulty":
        return { state: "connecting" };
      case "wrongHub":
        return { state: "wrongHub" };
      case "hubUnreachable":
        return { state: "hubUnreachable", since: iso(nowMs - 7 * MINUTE_MS) };
      default:
        return { state: "paired" };
    }
  })();
  const pointName = long ? "Trung tâm Phục vụ hành chính công, Ủy ban nhân dân xã Sơn Tây Thượng" : COMMUNE;
  return {
    at: iso(nowMs),
    pairing,
    box: id("box", COMMUNE),
    point: pairing.state === "paired" ? { id: pointId(COMMUNE), name: pointName } : null,
    connected,
    lamps: lampsOf(measured, connected, name !== "paused" && open),
    health: measured,
    session: open
      ? {
          id: of,
          name: sessionName,
          role: "delegate",
          state: name === "paused" ? "paused" : "live",
          startedAt: iso(nowMs - 31 * MINUTE_MS),
          begunBy: connected ? "hub" : "schedule",
        }
      : null,
    stage: talks ? (stageForRoom(talk(name, of, nowMs), pointId(COMMUNE)) ?? null) : null,
    watchedBy: talks || name === "ready" ? [CLERK] : [],
    recording: grows ? { session: of, sessionName, since: iso(nowMs - 31 * MINUTE_MS), seconds: 1_860 } : null,
    nextSession:
      name === "ready" || name.startsWith("sound")
        ? { id: of, name: sessionName, role: "delegate", scheduledAt: iso(nowMs + 130 * MINUTE_MS) }
        : null,
    noRoom: null,
    start: name === "ready" ? { session: of } : null,
    stop: open && !connected ? { session: of } : null,
    receipt: null,
    unsynced: { segments: 2, bytes: 5e6 },
    hubAddress: "diemcau.quangngai.gov.vn:443",
    network: {
      trouble: name === "noCable" ? "noCable" : null,
      macs: ["8c:16:45:a0:3b:7e"],
      hubSource: "stick",
      pairingPage: "https://diemcau.quangngai.gov.vn:443/ghep-thiet-bi",
    },
    stick:
      name === "stickFaulty" || name === "codeStick"
        ? {
            state: "faulty",
            faults: [
              { code: "invalid", field: "network.address", found: "10.24.3.17/255.255.255.0" },
              { code: "missing", field: "hub.host" },
            ],
          }
        : name === "stickTaken"
          ? { state: "taken" }
          : null,
    soundTest: soundTestOf(name, nowMs),
    addresses: ["10.24.3.17"],
    agentVersion: "0.1.0",
  };
}

function soundTestOf(name: RoomScreenName, nowMs: number): RoomSoundTest {
  const idle = { refused: null, running: null, result: null, broken: null };
  const at = iso(nowMs);
  switch (name) {
    case "soundSpeak":
      return { ...idle, refused: "running", running: { phase: "speak", leftS: 3 } };
    case "soundListen":
      return { ...idle, refused: "running", running: { phase: "listen", leftS: 9 } };
    case "soundBad":
      return { ...idle, result: { at, voice: "quiet", echo: "poor", returnLossDb: 12, atLeast: false } };
    case "ready":
      return { ...idle, result: health().soundTest ?? null };
    case "soundGood":
      return { ...idle, result: { at, voice: "heard", echo: "good", returnLossDb: 42, atLeast: false } };
    default:
      return idle;
  }
}

/** The stages of the talk screens, in a session of as many rooms as each is about. */
function talk(name: RoomScreenName, of: SessionId, nowMs: number): Stage {
  const others = [...THREE.filter((one) => one !== COMMUNE), "Phường Trương Quang Trọng", "Đặc khu Lý Sơn"];
  const names = {
    talkAlone: [COMMUNE],
    talkGrid: [...others, COMMUNE],
    talkMany: [...longNames().slice(0, 39), COMMUNE],
  };
  const points = (name in names ? names[name as keyof typeof names] : [CENTRE, COMMUNE, DEPARTMENT]).map((one) => ({
    id: pointId(one),
    name: one,
    role: one === CENTRE ? ("central" as const) : ("delegate" as const),
  }));
  const at = iso(nowMs - 2 * MINUTE_MS);
  return stageOf(
    { id: of, points, startedAt: at },
    points.map((point) => room(point.name)),
    {
      layout: { mode: name === "talkGrid" ? "grid" : "auto", onScreen: [], by: null, at, revision: 1 },
      speakers: [pointId(CENTRE)],
      interruption: name === "talkTrouble" ? { at, reason: "Mất đường truyền một phòng", by: CLERK } : null,
      seats: {
        [CENTRE]: { speaking: true },
        [DEPARTMENT]: { muted: { at, reason: null, by: CLERK } },
        ...(name === "talkMuted" && {
          [COMMUNE]: {
            muted: { at, reason: "Có tiếng ồn trong phòng", by: CLERK },
            message: { text: "Xin ngồi gần micrô hơn", at, by: CLERK },
          },
        }),
        ...(name === "talkMany" && { [COMMUNE]: { place: "standby", hand: at } }),
      },
    },
  );
}
