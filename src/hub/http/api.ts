import { Hono, type MiddlewareHandler } from "hono";
import { validator } from "hono/validator";
import { z } from "zod";
import { BoxId, PLANNED_MINUTES, PLANNED_MINUTES_MAX, PointId, PointRole, SessionId } from "../../protocol/protocol.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { Archive } from "../archive/archive.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { HubCopy } from "../hub-copy/hub-copy.ts";
import type { Reception, SessionOutcome } from "../reception/reception.ts";
import { addressOf, dropSignIn, keepSignIn, signedInOnly, type DeskEnv } from "./door.ts";
import { accepted, HttpRefusal } from "./refusal.ts";
import type { PointView, RecordingSummaryView, RecordingView, RoomView, SessionView, UserView } from "./views.ts";
import type { Wall } from "./wall.ts";

export interface ApiParts {
  accounts: Accounts;
  reception: Reception;
  wall: Wall;
  fleet: Pick<Fleet, "points" | "revoke"> & { pairing: Pick<Fleet["pairing"], "typeCode"> };
  archive: Pick<Archive, "summaries" | "recording">;
  hubCopy: Pick<HubCopy, "declareLost">;
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
});
const Act = z.enum(["start", "pause", "resume", "end"]);

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

const sessionIn = (outcome: SessionOutcome): SessionView => accepted(outcome).session;

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new HttpRefusal("notFound", `there is no such ${what}`);
  return value;
}

/** The desk's JSON interface; docs/ref/http-api.md. Refusals are thrown, so each route's type is its success. */
export const createApi = ({ accounts, reception, wall, fleet, archive, hubCopy }: ApiParts) =>
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
    .get("/api/sessions", async (c) => c.json<SessionView[]>(await reception.sessions()))
    .post("/api/sessions", body(NewSession), async (c) =>
      c.json<SessionView>(sessionIn(await reception.create(c.req.valid("json"), c.var.user.name))),
    )
    .get("/api/sessions/:id", async (c) =>
      c.json<SessionView>(found(await reception.session(idIn(SessionId, c.req.param("id"))), "session")),
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
    .post("/api/recordings/:session/:point/lost", async (c) => {
      const session = idIn(SessionId, c.req.param("session"));
      accepted(await hubCopy.declareLost(session, idIn(PointId, c.req.param("point")), c.var.user.name));
      return c.json({ ok: true as const });
    });
