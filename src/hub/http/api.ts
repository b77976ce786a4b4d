import { Hono, type MiddlewareHandler } from "hono";
import { validator } from "hono/validator";
import { z } from "zod";
import {
  BoxId,
  Companion,
  DeviceOrder,
  LayoutMode,
  LOGIN,
  PLANNED_MINUTES,
  PLANNED_MINUTES_MAX,
  PointId,
  PointRole,
  ROLES,
  SessionId,
  SignedRelease,
  TRACKS,
  Unsynced,
  type Stage,
} from "../../protocol/protocol.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { Archive, Carried } from "../archive/archive.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { HubCopy } from "../hub-copy/hub-copy.ts";
import type { Provisioning } from "../provisioning/provisioning.ts";
import type { ReleaseOutcome, Releases } from "../releases/releases.ts";
import type { ConnectionTests, Reception, SessionOutcome } from "../reception/reception.ts";
import { StageRoomAct, stageText, type StageOutcome, type Stages } from "../stage/stage.ts";
import { addressOf, dropSignIn, keepSignIn, signedInOnly, type DeskEnv } from "./door.ts";
import { accepted, HttpRefusal } from "./refusal.ts";
import type {
  AccountView,
  CarriedView,
  DiskView,
  LoudnessView,
  OneTimePasswordView,
  PointView,
  RecordingCopyView,
  RecordingOverview,
  RecordingSummaryView,
  RecordingView,
  ReleasesView,
  ReleaseView,
  RoomRecordingView,
  RoomView,
  SessionView,
  StickDefaultsView,
  StickView,
  UserView,
} from "./views.ts";
import type { Wall } from "./wall.ts";

export interface ApiParts {
  accounts: Accounts;
  reception: Reception;
  tests: Pick<ConnectionTests, "testNow">;
  wall: Wall;
  fleet: Pick<Fleet, "points" | "revoke" | "setDeviceOrder" | "disks"> & {
    pairing: Pick<Fleet["pairing"], "typeCode">;
  };
  archive: Pick<Archive, "summaries" | "recording" | "overview" | "roomRecording" | "loudness" | "copyOf">;
  carried: Pick<Carried, "view" | "takeIn">;
  hubCopy: Pick<HubCopy, "declareLost">;
  stages: Stages;
  provisioning: Provisioning;
  releases: Releases;
}

/** Text that people typed: trimmed, one line, not empty. */
const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    // eslint-disable-next-line no-control-regex -- control characters are what is refused
    .regex(/^[^\u0000-\u001f\u007f]*$/, "must be one line");

const SignIn = z.strictObject({ login: z.string().trim().min(1).max(64), password: z.string().min(1).max(512) });
const PasswordChange = z.strictObject({ current: z.string().min(1).max(512), next: z.string().max(512) });
const Pairing = z.union([
  z.strictObject({ code: z.string().max(32), pointId: PointId, replace: z.boolean().default(false) }),
  z.strictObject({ code: z.string().max(32), pointName: line(120), replace: z.boolean().default(false) }),
]);
const NewSession = z.strictObject({
  name: line(200),
  scheduledAt: z.iso.datetime().nullable().default(null),
  plannedMinutes: z.number().int().positive().max(PLANNED_MINUTES_MAX).default(PLANNED_MINUTES),
  points: z.array(z.strictObject({ id: PointId, role: PointRole })).max(500),
  companion: z.strictObject({ url: Companion.shape.url, name: line(80) }).nullish(),
});
/** As typed; the stick's own schema judges it, field by field. */
const typed = z.string().trim().max(300);
const Stick = z.strictObject({
  host: typed,
  port: typed.default(""),
  network: z
    .strictObject({
      ...{ address: typed.default(""), gateway: typed.default(""), dns: z.array(typed).max(4).default([]) },
      ...{ vlan: typed.default(""), proxy: typed.default("") },
    })
    .prefault({}),
  ntp: z.array(typed).max(4).default([]),
});
/** At most this may be lost with the box. */
const Reset = z.strictObject({ acceptLoss: Unsynced.nullable().default(null) });
const login = z
  .string()
  .trim()
  .toLowerCase()
  .regex(LOGIN, "must be 2 to 64 letters a-z, digits, dots, underlines or hyphens");
const NewAccount = z.strictObject({ login, name: line(80), role: z.enum(ROLES) });
const AccountChange = z.strictObject({
  name: line(80).optional(),
  role: z.enum(ROLES).optional(),
  closed: z.boolean().optional(),
});
const Act = z.enum(["start", "resume", "end"]);
const Pause = z.strictObject({ reason: stageText.nullable().default(null) });
const Layout = z.strictObject({
  mode: LayoutMode,
  onScreen: z.array(PointId).max(500),
  seen: z.number().int().nonnegative(),
});
const Interruption = z.strictObject({ reason: stageText });
/** A release comes in pieces of at most this many bytes, so that a broken line costs one of them. */
export const RELEASE_PIECE_BYTES = 8 << 20;
const Piece = z.coerce.number().int().nonnegative();
const Publish = z.strictObject({ firstRing: z.array(BoxId).max(500) });
const GoOn = z.strictObject({ retry: z.boolean().default(false), openToAll: z.boolean().default(false) });
const Import = z.strictObject({ folder: z.string().min(1).max(1_024) });
const Mark = z.strictObject({ label: stageText });

function parsed<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new HttpRefusal("badRequest", [issue.path.join("."), issue.message].filter((part) => part !== "").join(": "));
}

/** A JSON body that fits the schema, or 400. The client is typed by what the schema takes in. */
const body = <T extends z.ZodType>(schema: T) =>
  validator("json", (value): z.output<T> => parsed(schema, value)) as MiddlewareHandler<
    DeskEnv,
    string,
    { in: { json: z.input<T> }; out: { json: z.output<T> } }
  >;

/** What is no id names nothing. */
export function idIn<T extends z.ZodType>(schema: T, text: string): z.output<T> {
  const result = schema.safeParse(text);
  if (result.success) return result.data;
  throw new HttpRefusal("notFound", `nothing has the id ${text.slice(0, 64)}`);
}

const stageIn = (outcome: StageOutcome): Stage => accepted(outcome).stage;
const releaseIn = (outcome: ReleaseOutcome): ReleaseView => accepted(outcome).release;
const sessionIn = (outcome: SessionOutcome): SessionView => accepted(outcome).session;

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new HttpRefusal("notFound", `there is no such ${what}`);
  return value;
}

/** The desk's JSON interface; docs/ref/http-api.md. Refusals are thrown, so each route's type is its success. */
export const createApi = ({
  accounts,
  reception,
  tests,
  wall,
  fleet,
  archive,
  carried,
  hubCopy,
  stages,
  provisioning,
  releases,
}: ApiParts) =>
  new Hono<DeskEnv>()
    .use("/api/*", async (c, next) => {
      await next();
      if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
    })
    .post("/api/sign-in", body(SignIn), async (c) => {
      const { login, password } = c.req.valid("json");
      return c.json<UserView>(keepSignIn(c, accepted(await accounts.signIn(login, password, addressOf(c)))));
    })
    .use("/api/*", signedInOnly(accounts))
    .post("/api/sign-out", async (c) => {
      await accounts.signOut(c.var.token);
      dropSignIn(c);
      return c.json({ ok: true as const });
    })
    .get("/api/me", (c) => c.json<UserView>(c.var.user))
    .post("/api/password", body(PasswordChange), async (c) => {
      const { current, next } = c.req.valid("json");
      return c.json<UserView>(
        keepSignIn(c, accepted(await accounts.changePassword(c.var.user, current, next, addressOf(c)))),
      );
    })
    .get("/api/users", async (c) => c.json<AccountView[]>(await accounts.list()))
    .post("/api/users", body(NewAccount), async (c) => {
      const { account, password } = accepted(await accounts.create(c.req.valid("json"), c.var.user.name));
      return c.json<OneTimePasswordView>({ account, password });
    })
    .post("/api/users/:id", body(AccountChange), async (c) =>
      c.json<AccountView>(
        accepted(await accounts.change(c.req.param("id"), c.req.valid("json"), c.var.user.name)).account,
      ),
    )
    .post("/api/users/:id/password", async (c) => {
      const { account, password } = accepted(await accounts.renewPassword(c.req.param("id"), c.var.user.name));
      return c.json<OneTimePasswordView>({ account, password });
    })
    .get("/api/rooms", async (c) => c.json<RoomView[]>(await wall.rooms()))
    .get("/api/points", async (c) => c.json<PointView[]>(await fleet.points()))
    .post("/api/pairing", body(Pairing), async (c) => {
      const { code, ...target } = c.req.valid("json");
      const { box, point } = accepted(await fleet.pairing.typeCode(code, target, c.var.user.name));
      return c.json({ box, point });
    })
    .post("/api/boxes/:box/revoke", async (c) => {
      const box = idIn(BoxId, c.req.param("box"));
      if (!(await fleet.revoke(box, c.var.user.name))) throw new HttpRefusal("notFound", "no such box is in force");
      return c.json({ ok: true as const });
    })
    .post("/api/boxes/:box/reset", body(Reset), async (c) => {
      const { acceptLoss } = c.req.valid("json");
      accepted(await provisioning.reset(idIn(BoxId, c.req.param("box")), acceptLoss, c.var.user.name));
      return c.json({ ok: true as const });
    })
    .post("/api/boxes/:box/reset-stick", body(Reset), async (c) => {
      const { acceptLoss } = c.req.valid("json");
      const box = idIn(BoxId, c.req.param("box"));
      const { fileName, text } = accepted(await provisioning.makeResetStick(box, acceptLoss, c.var.user.name));
      return c.json<StickView>({ fileName, text });
    })
    .get("/api/points/:point/disks", async (c) =>
      c.json<DiskView[]>(await fleet.disks(idIn(PointId, c.req.param("point")))),
    )
    .post("/api/boxes/:box/disk-key", async (c) => {
      const box = idIn(BoxId, c.req.param("box"));
      const { fileName, text } = accepted(await provisioning.makeDiskKeyStick(box, c.var.user.name));
      return c.json<StickView>({ fileName, text });
    })
    .get("/api/stick", (c) => c.json<StickDefaultsView>(provisioning.defaults()))
    .post("/api/stick", body(Stick), async (c) => {
      const { fileName, text } = accepted(await provisioning.makeStick(c.req.valid("json"), c.var.user.name));
      return c.json<StickView>({ fileName, text });
    })
    .post("/api/points/:point/devices", body(DeviceOrder.partial().strict()), async (c) => {
      const point = idIn(PointId, c.req.param("point"));
      if (!(await fleet.setDeviceOrder(point, c.req.valid("json"), c.var.user.name)))
        throw new HttpRefusal("notFound", "there is no such point");
      return c.json({ ok: true as const });
    })
    .get("/api/releases", async (c) => c.json<ReleasesView>(await releases.view()))
    .post("/api/releases", body(SignedRelease), async (c) =>
      c.json<ReleaseView>(releaseIn(await releases.receive(c.req.valid("json"), c.var.user.name))),
    )
    .post("/api/releases/import", body(Import), async (c) =>
      c.json<ReleaseView>(releaseIn(await releases.importFrom(c.req.valid("json").folder, c.var.user.name))),
    )
    .put("/api/releases/:id/files/:name", async (c) => {
      const atByte = parsed(Piece, c.req.query("at"));
      const bytes = new Uint8Array(await c.req.arrayBuffer());
      return c.json<ReleaseView>(releaseIn(await releases.put(c.req.param("id"), c.req.param("name"), atByte, bytes)));
    })
    .post("/api/releases/:id/publish", body(Publish), async (c) =>
      c.json<ReleaseView>(
        releaseIn(await releases.publish(c.req.param("id"), c.req.valid("json").firstRing, c.var.user.name)),
      ),
    )
    .post("/api/releases/:id/pause", async (c) =>
      c.json<ReleaseView>(releaseIn(await releases.pause(c.req.param("id"), c.var.user.name))),
    )
    .post("/api/releases/:id/continue", body(GoOn), async (c) =>
      c.json<ReleaseView>(releaseIn(await releases.goOn(c.req.param("id"), c.req.valid("json"), c.var.user.name))),
    )
    .get("/api/sessions", async (c) => c.json<SessionView[]>(await reception.sessions()))
    .post("/api/sessions", body(NewSession), async (c) =>
      c.json<SessionView>(sessionIn(await reception.create(c.req.valid("json"), c.var.user.name))),
    )
    .get("/api/sessions/:id", async (c) =>
      c.json<SessionView>(found(await reception.session(idIn(SessionId, c.req.param("id"))), "session")),
    )
    .post("/api/sessions/:id/pause", body(Pause), async (c) => {
      const session = idIn(SessionId, c.req.param("id"));
      return c.json<SessionView>(
        sessionIn(await reception.pause(session, c.var.user.name, c.req.valid("json").reason)),
      );
    })
    .get("/api/sessions/:id/stage", (c) =>
      c.json<Stage>(found(stages.stage(idIn(SessionId, c.req.param("id"))), "running session")),
    )
    .post("/api/sessions/:id/stage/layout", body(Layout), async (c) => {
      const session = idIn(SessionId, c.req.param("id"));
      return c.json<Stage>(stageIn(await stages.setLayout(session, c.req.valid("json"), c.var.user.name)));
    })
    .post("/api/sessions/:id/stage/rooms/:point", body(StageRoomAct), async (c) => {
      const session = idIn(SessionId, c.req.param("id"));
      const point = idIn(PointId, c.req.param("point"));
      return c.json<Stage>(stageIn(await stages.act(session, point, c.req.valid("json"), c.var.user.name)));
    })
    .post("/api/sessions/:id/stage/interruption", body(Interruption), async (c) => {
      const session = idIn(SessionId, c.req.param("id"));
      return c.json<Stage>(stageIn(await stages.interrupt(session, c.req.valid("json").reason, c.var.user.name)));
    })
    .post("/api/sessions/:id/stage/interruption/end", async (c) => {
      const session = idIn(SessionId, c.req.param("id"));
      return c.json<Stage>(stageIn(await stages.endInterruption(session, c.var.user.name)));
    })
    .post("/api/sessions/:id/marks", body(Mark), async (c) => {
      const session = idIn(SessionId, c.req.param("id"));
      return c.json<Stage>(stageIn(await stages.mark(session, c.req.valid("json").label, c.var.user.name)));
    })
    .post("/api/sessions/:id/test", async (c) =>
      c.json<SessionView>(sessionIn(await tests.testNow(idIn(SessionId, c.req.param("id")), c.var.user.name))),
    )
    .post("/api/sessions/:id/:act", async (c) => {
      const session = idIn(SessionId, c.req.param("id"));
      const act = Act.safeParse(c.req.param("act"));
      if (!act.success) throw new HttpRefusal("notFound", "a session can be started, paused, resumed and ended");
      return c.json<SessionView>(sessionIn(await reception[act.data](session, c.var.user.name)));
    })
    .get("/api/recordings", async (c) => c.json<RecordingSummaryView[]>(await archive.summaries()))
    .get("/api/recordings/:session", async (c) =>
      c.json<RecordingView>(found(await archive.recording(idIn(SessionId, c.req.param("session"))), "recording")),
    )
    .get("/api/recordings/:session/overview", async (c) =>
      c.json<RecordingOverview>(found(await archive.overview(idIn(SessionId, c.req.param("session"))), "recording")),
    )
    .get("/api/carried", async (c) => c.json<CarriedView>(await carried.view()))
    .post("/api/carried", body(Import), async (c) =>
      c.json<CarriedView>(accepted(await carried.takeIn(c.req.valid("json").folder, c.var.user.name)).carried),
    )
    .get("/api/copies/:session", async (c) => {
      const session = idIn(SessionId, c.req.param("session"));
      const copy = await archive.copyOf(session);
      if (!copy) throw new HttpRefusal("wrongState", "the recording is not whole yet, or is being put together");
      return c.json<RecordingCopyView>({ path: `/api/copies/${session}/file`, sizeBytes: copy.sizeBytes });
    })
    .get("/api/recordings/:session/:point/loudness/:track", async (c) => {
      const session = idIn(SessionId, c.req.param("session"));
      const track = TRACKS.find((each) => each === c.req.param("track")) ?? "room";
      const view = await archive.loudness(session, idIn(PointId, c.req.param("point")), track);
      return c.json<LoudnessView>(found(view, "recording"));
    })
    .get("/api/recordings/:session/:point", async (c) => {
      const session = idIn(SessionId, c.req.param("session"));
      const room = await archive.roomRecording(session, idIn(PointId, c.req.param("point")));
      return c.json<RoomRecordingView>(found(room, "room in this session"));
    })
    .post("/api/recordings/:session/:point/lost", async (c) => {
      const session = idIn(SessionId, c.req.param("session"));
      accepted(await hubCopy.declareLost(session, idIn(PointId, c.req.param("point")), c.var.user.name));
      return c.json({ ok: true as const });
    });
