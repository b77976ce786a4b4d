import { randomBytes } from "node:crypto";
import type { Transaction } from "kysely";
import type { Role } from "../../protocol/protocol.ts";
import { isoUtc, sha256Hex, type Clock, type Log } from "../../platform/platform.ts";
import type { Database, HubDatabase, UserTable } from "../database/database.ts";
import type { AccountView, OneTimePasswordView, UserView } from "../http/views.ts";
import { hashPassword, oneTimePassword, passwordFault, passwordHolds, readOneTimePassword } from "./password.ts";
import { createDoors } from "./tries.ts";

const SIGN_IN_MS = 12 * 3_600_000;
const ADMINISTRATOR = { login: "admin", name: "Quản trị viên" };
/** argon2 takes threads that recordings need too (libuv's pool has four), so few run at once and few may wait. */
const HASHING_AT_ONCE = 1;
const HASHING_WAITING = 16;

export type Refusal =
  | { ok: false; code: "wrongCredentials"; detail: string }
  | { ok: false; code: "tooManyTries"; detail: string; retryAfterS: number };

export interface SignedIn {
  ok: true;
  user: UserView;
  /** For the cookie; only its hash is stored. */
  token: string;
  expiresInS: number;
}

export type AccountOutcome =
  | { ok: true; account: AccountView }
  | { ok: false; code: "notFound" | "loginTaken" | "lastAdministrator"; detail: string };
export type PasswordOutcome = (AccountOutcome & { ok: false }) | ({ ok: true } & OneTimePasswordView);

export interface Accounts {
  /** Makes the first administrator where there is no user yet; gives the one-time password, which nothing stores. */
  ensureAdministrator(): Promise<{ login: string; password: string } | undefined>;
  /** A new one-time password for the administrator (made if missing); every sign-in of theirs ends. */
  resetAdministrator(): Promise<{ login: string; password: string }>;
  signIn(login: string, password: string, address: string): Promise<SignedIn | Refusal>;
  signOut(token: string): Promise<void>;
  /** Who this token stands for, or undefined where it has expired or ended. */
  whoIs(token: string): Promise<UserView | undefined>;
  /** Ends every sign-in of the user and gives a new one. */
  changePassword(
    user: UserView,
    current: string,
    next: string,
    address: string,
  ): Promise<SignedIn | Refusal | { ok: false; code: "weakPassword"; detail: string }>;
  /** Everybody, by name. */
  list(): Promise<AccountView[]>;
  /** The password is for one sign-in, and nothing stores it. */
  create(account: { login: string; name: string; role: Role }, actor: string): Promise<PasswordOutcome>;
  /** Closing ends every sign-in of theirs; an administrator who can sign in is always left. */
  change(
    id: string,
    change: { name?: string | undefined; role?: Role | undefined; closed?: boolean | undefined },
    actor: string,
  ): Promise<AccountOutcome>;
  /** A new one-time password; every sign-in of theirs ends. */
  renewPassword(id: string, actor: string): Promise<PasswordOutcome>;
  /** A line in the log of acts that must have an actor. */
  audit(actor: string | null, act: string, detail: string): Promise<void>;
}

export { neededRole } from "./roles.ts";

/**
 * INVARIANTS
 * - There is always an administrator whose account is open, from the first on.
 * - A password or token is never stored or logged; the database holds argon2id and SHA-256 of them.
 * - A try is counted before it is judged, and an unknown login costs the same work as a known one.
 */
export function createAccounts({ db, clock, log }: { db: HubDatabase; clock: Clock; log: Log }): Accounts {
  const doors = createDoors(() => clock.monotonicMs());
  const hashing = createQueue(HASHING_AT_ONCE, HASHING_WAITING);
  // Judged in place of an unknown user's hash.
  const nobody = hashPassword(randomBytes(16).toString("hex"));
  nobody.catch(() => {});

  const now = () => isoUtc(clock.wallMs());
  const audit = async (actor: string | null, act: string, detail: string) => {
    await db.insertInto("auditEntry").values({ at: now(), actor, act, detail }).execute();
  };

  const note = async (trx: Transaction<Database>, actor: string, act: string, detail: object) => {
    await trx
      .insertInto("auditEntry")
      .values({ at: now(), actor, act, detail: JSON.stringify(detail) })
      .execute();
    log.info(`accounts.${act}`, { ...detail, actor });
  };

  async function giveSignIn(user: UserTable): Promise<SignedIn> {
    const token = randomBytes(32).toString("base64url");
    await db.deleteFrom("signIn").where("expiresAt", "<=", now()).execute();
    await db
      .insertInto("signIn")
      .values({
        tokenHash: sha256Hex(token),
        userId: user.id,
        createdAt: now(),
        expiresAt: isoUtc(clock.wallMs() + SIGN_IN_MS),
      })
      .execute();
    return { ok: true, user: userView(user), token, expiresInS: SIGN_IN_MS / 1_000 };
  }

  /** Judges a password behind the doors of login and address. */
  async function judge(
    login: string,
    password: string,
    address: string,
  ): Promise<{ ok: true; user: UserTable } | Refusal> {
    const names = [`login ${login.toLowerCase()}`, `address ${address}`];
    const admission = doors.admit(...names);
    if (!admission.ok) {
      log.warn("signIn.tooManyTries", { address });
      const retryAfterS = Math.ceil(admission.retryAfterMs / 1_000);
      return { ok: false, code: "tooManyTries", detail: `try again in ${retryAfterS} s`, retryAfterS };
    }
    const user = await db
      .selectFrom("user")
      .selectAll()
      .where("login", "=", login.toLowerCase())
      .where("closedAt", "is", null)
      .executeTakeFirst();
    const typed = user?.mustChangePassword === 1 ? readOneTimePassword(password) : password;
    const held = await hashing(async () => passwordHolds(typed, user?.passwordHash ?? (await nobody)));
    if (held === "full") return { ok: false, code: "tooManyTries", detail: "too many are signing in", retryAfterS: 5 };
    if (user && held) {
      doors.forget(...names);
      return { ok: true, user };
    }
    log.warn("signIn.refused", { address, known: user !== undefined });
    // An unknown login is not written down: it is often a password typed in the wrong field.
    await audit(user?.name ?? null, "signInRefused", `from ${address}`);
    return { ok: false, code: "wrongCredentials", detail: "login and password do not fit" };
  }

  async function giveOneTimePassword(act: string): Promise<{ login: string; password: string }> {
    const password = oneTimePassword();
    const passwordHash = await hashPassword(password);
    await db.transaction().execute(async (trx) => {
      const user = await trx
        .selectFrom("user")
        .select("id")
        .where("login", "=", ADMINISTRATOR.login)
        .executeTakeFirst();
      if (user) {
        await trx
          .updateTable("user")
          .set({ passwordHash, mustChangePassword: 1, role: "administrator", closedAt: null })
          .where("id", "=", user.id)
          .execute();
        await trx.deleteFrom("signIn").where("userId", "=", user.id).execute();
      } else {
        await trx
          .insertInto("user")
          .values({
            id: randomBytes(10).toString("hex"),
            ...ADMINISTRATOR,
            role: "administrator",
            passwordHash,
            mustChangePassword: 1,
            createdAt: now(),
            closedAt: null,
          })
          .execute();
      }
      await trx.insertInto("auditEntry").values({ at: now(), actor: null, act, detail: ADMINISTRATOR.login }).execute();
    });
    log.info(`accounts.${act}`, { login: ADMINISTRATOR.login });
    return { login: ADMINISTRATOR.login, password };
  }

  return {
    async ensureAdministrator() {
      const any = await db.selectFrom("user").select("id").executeTakeFirst();
      return any ? undefined : giveOneTimePassword("administratorMade");
    },
    resetAdministrator: () => giveOneTimePassword("administratorReset"),
    async signIn(login, password, address) {
      const judged = await judge(login, password, address);
      if (!judged.ok) return judged;
      const signedIn = await giveSignIn(judged.user);
      await audit(judged.user.name, "signedIn", `from ${address}`);
      return signedIn;
    },
    async signOut(token) {
      const user = await userOf(db, token, now());
      await db.deleteFrom("signIn").where("tokenHash", "=", sha256Hex(token)).execute();
      if (user) await audit(user.name, "signedOut", "");
    },
    async whoIs(token) {
      const user = await userOf(db, token, now());
      return user && userView(user);
    },
    async changePassword(user, current, next, address) {
      const judged = await judge(user.login, current, address);
      if (!judged.ok) return judged;
      const fault = passwordFault(next, current, user.login);
      if (fault) return { ok: false, code: "weakPassword", detail: fault };
      const passwordHash = await hashPassword(next);
      await db.transaction().execute(async (trx) => {
        await trx.updateTable("user").set({ passwordHash, mustChangePassword: 0 }).where("id", "=", user.id).execute();
        await trx.deleteFrom("signIn").where("userId", "=", user.id).execute();
      });
      await audit(user.name, "passwordChanged", `from ${address}`);
      return giveSignIn({ ...judged.user, mustChangePassword: 0 });
    },
    async list() {
      const rows = await db.selectFrom("user").selectAll().orderBy("name").execute();
      return rows.map(accountView);
    },
    async create({ login, name, role }, actor) {
      const password = oneTimePassword();
      const user: UserTable = {
        ...{ id: randomBytes(10).toString("hex"), login: login.toLowerCase(), name, role },
        ...{ passwordHash: await hashPassword(password), mustChangePassword: 1, createdAt: now(), closedAt: null },
      };
      const made = await db.transaction().execute(async (trx) => {
        const taken = await trx.selectFrom("user").select("id").where("login", "=", user.login).executeTakeFirst();
        if (taken) return false;
        await trx.insertInto("user").values(user).execute();
        await note(trx, actor, "accountMade", { login: user.login, name, role });
        return true;
      });
      if (!made) return { ok: false, code: "loginTaken", detail: `${user.login} is somebody's already` };
      return { ok: true, account: accountView(user), password };
    },
    change: (id, { name, role, closed }, actor) =>
      db.transaction().execute(async (trx): Promise<AccountOutcome> => {
        const user = await trx.selectFrom("user").selectAll().where("id", "=", id).executeTakeFirst();
        if (!user) return unknownAccount(id);
        const next: UserTable = {
          ...{ ...user, name: name ?? user.name, role: role ?? user.role },
          closedAt: closed === undefined ? user.closedAt : closed ? (user.closedAt ?? now()) : null,
        };
        const others = await trx
          .selectFrom("user")
          .select("id")
          .where("role", "=", "administrator")
          .where("closedAt", "is", null)
          .where("id", "!=", id)
          .executeTakeFirst();
        if (!others && (next.role !== "administrator" || next.closedAt !== null))
          return { ok: false, code: "lastAdministrator", detail: "nobody else could let people in" };
        const set = { name: next.name, role: next.role, closedAt: next.closedAt };
        await trx.updateTable("user").set(set).where("id", "=", id).execute();
        if (next.closedAt !== null) await trx.deleteFrom("signIn").where("userId", "=", id).execute();
        await note(trx, actor, "accountChanged", { login: user.login, ...set });
        return { ok: true, account: accountView(next) };
      }),
    async renewPassword(id, actor) {
      const password = oneTimePassword();
      const passwordHash = await hashPassword(password);
      return db.transaction().execute(async (trx): Promise<PasswordOutcome> => {
        const user = await trx.selectFrom("user").selectAll().where("id", "=", id).executeTakeFirst();
        if (!user) return unknownAccount(id);
        await trx.updateTable("user").set({ passwordHash, mustChangePassword: 1 }).where("id", "=", id).execute();
        await trx.deleteFrom("signIn").where("userId", "=", id).execute();
        await note(trx, actor, "passwordRenewed", { login: user.login });
        return { ok: true, account: accountView({ ...user, mustChangePassword: 1 }), password };
      });
    },
    audit,
  };
}

const unknownAccount = (id: string) => ({ ok: false, code: "notFound", detail: `no account ${id}` }) as const;

const accountView = (user: UserTable): AccountView => ({
  ...userView(user),
  createdAt: user.createdAt,
  closedAt: user.closedAt,
});

const userView = (user: UserTable): UserView => ({
  id: user.id,
  login: user.login,
  name: user.name,
  role: user.role,
  mustChangePassword: user.mustChangePassword === 1,
});

const userOf = (db: HubDatabase, token: string, now: string): Promise<UserTable | undefined> =>
  db
    .selectFrom("signIn")
    .innerJoin("user", "user.id", "signIn.userId")
    .selectAll("user")
    .where("tokenHash", "=", sha256Hex(token))
    .where("expiresAt", ">", now)
    .where("closedAt", "is", null)
    .executeTakeFirst();

/** Runs at most `atOnce` jobs; beyond `waiting` more it answers "full" instead of queueing. */
function createQueue(atOnce: number, waiting: number) {
  const queue: (() => void)[] = [];
  const state = { running: 0 };
  return async <T>(job: () => Promise<T>): Promise<T | "full"> => {
    if (state.running >= atOnce) {
      if (queue.length >= waiting) return "full";
      // The one that ends hands its place over, so running stays as it is.
      await new Promise<void>((resolve) => queue.push(resolve));
    } else state.running++;
    try {
      return await job();
    } finally {
      const next = queue.shift();
      if (next) next();
      else state.running--;
    }
  };
}
