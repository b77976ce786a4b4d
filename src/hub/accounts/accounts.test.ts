import { beforeEach, expect, test } from "vitest";
import { createLog, systemClock, type Clock } from "../../platform/platform.ts";
import { openDatabase, type HubDatabase } from "../database/database.ts";
import { createAccounts, type Accounts } from "./accounts.ts";

let db: HubDatabase;
let accounts: Accounts;
let wallMs = 0;
let lines: string[] = [];
const clock: Clock = { ...systemClock, bootId: "boot", wallMs: () => wallMs, monotonicMs: () => wallMs };

beforeEach(async () => {
  wallMs = Date.UTC(2026, 10, 21);
  lines = [];
  db = await openDatabase(":memory:");
  accounts = createAccounts({ db, clock, log: createLog(clock, (line) => lines.push(line)) });
  return () => db.destroy();
});

const signedIn = async (login: string, password: string, address = "192.0.2.1") => {
  const outcome = await accounts.signIn(login, password, address);
  if (!outcome.ok) throw new Error(outcome.code);
  return outcome;
};
const NEXT = "mot mat khau rat dai";

test("the first administrator is made once and must change the one-time password", async () => {
  const made = await accounts.ensureAdministrator();
  expect(await accounts.ensureAdministrator()).toBeUndefined();
  const first = await signedIn(made!.login, made!.password);
  expect(first.user.mustChangePassword).toBe(true);
  const changed = await accounts.changePassword(first.user, made!.password, NEXT, "192.0.2.1");
  expect(changed).toMatchObject({ ok: true, user: { mustChangePassword: false } });
  expect(await accounts.whoIs(first.token)).toBeUndefined();
  expect(changed.ok && (await accounts.whoIs(changed.token))).toMatchObject({ login: made!.login });
  expect(await accounts.signIn(made!.login, made!.password, "192.0.2.1")).toMatchObject({ code: "wrongCredentials" });
});

test("neither password nor token is in the database or the log", async () => {
  const made = (await accounts.ensureAdministrator())!;
  const { token } = await signedIn(made.login, made.password);
  await accounts.signIn(made.login, "a wrong password", "192.0.2.1");
  const stored = JSON.stringify([
    await db.selectFrom("user").selectAll().execute(),
    await db.selectFrom("signIn").selectAll().execute(),
    await db.selectFrom("auditEntry").selectAll().execute(),
    lines,
  ]);
  for (const secret of [made.password, token, "a wrong password"]) expect(stored).not.toContain(secret);
});

test("a sign-in ends after 12 hours", async () => {
  const made = (await accounts.ensureAdministrator())!;
  const { token } = await signedIn(made.login, made.password);
  wallMs += 12 * 3_600_000 - 1;
  expect(await accounts.whoIs(token)).toBeDefined();
  wallMs += 1;
  expect(await accounts.whoIs(token)).toBeUndefined();
});

test("five wrong passwords close the login, for the right password and other addresses too", async () => {
  const made = (await accounts.ensureAdministrator())!;
  for (let i = 0; i < 5; i++)
    expect(await accounts.signIn(made.login, "wrong", `192.0.2.${i}`)).toMatchObject({ code: "wrongCredentials" });
  expect(await accounts.signIn(made.login, made.password, "192.0.2.9")).toMatchObject({
    code: "tooManyTries",
    retryAfterS: 900,
  });
  wallMs += 900_000;
  expect((await accounts.signIn(made.login.toUpperCase(), made.password, "192.0.2.9")).ok).toBe(true);
});

test("an address that tries many unknown logins is refused, and their names are not written down", async () => {
  for (let i = 0; i < 5; i++)
    expect(await accounts.signIn(`secret-${i}`, "x", "192.0.2.1")).toMatchObject({ code: "wrongCredentials" });
  expect(await accounts.signIn("another", "x", "192.0.2.1")).toMatchObject({ code: "tooManyTries" });
  const audit = await db.selectFrom("auditEntry").selectAll().execute();
  expect(audit).toHaveLength(5);
  expect(JSON.stringify([audit, lines])).not.toContain("secret-");
});

test("a burst in parallel gets no more tries than one after another", async () => {
  const made = (await accounts.ensureAdministrator())!;
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, () => accounts.signIn(made.login, "wrong", "192.0.2.1")),
  );
  expect(outcomes.filter((outcome) => !outcome.ok && outcome.code === "wrongCredentials")).toHaveLength(5);
});

test("a reset makes a new one-time password and ends every sign-in", async () => {
  const made = (await accounts.ensureAdministrator())!;
  const { token } = await signedIn(made.login, made.password);
  const again = await accounts.resetAdministrator();
  expect(again.login).toBe(made.login);
  expect(again.password).not.toBe(made.password);
  expect(await accounts.whoIs(token)).toBeUndefined();
  expect((await signedIn(again.login, again.password)).user.mustChangePassword).toBe(true);
});

test("a wrong current password or a weak new one changes nothing", async () => {
  const made = (await accounts.ensureAdministrator())!;
  const { user } = await signedIn(made.login, made.password);
  expect(await accounts.changePassword(user, "wrong", NEXT, "192.0.2.1")).toMatchObject({ code: "wrongCredentials" });
  expect(await accounts.changePassword(user, made.password, "short", "192.0.2.1")).toMatchObject({
    code: "weakPassword",
  });
  expect((await signedIn(made.login, made.password)).user.mustChangePassword).toBe(true);
});

test("a signed-out token is nobody's", async () => {
  const made = (await accounts.ensureAdministrator())!;
  const { token } = await signedIn(made.login, made.password);
  await accounts.signOut(token);
  expect(await accounts.whoIs(token)).toBeUndefined();
  expect((await db.selectFrom("auditEntry").select("act").execute()).map((entry) => entry.act)).toEqual([
    "administratorMade",
    "signedIn",
    "signedOut",
  ]);
});

const made = async (login: string, role: "observer" | "operator" | "administrator") => {
  const outcome = await accounts.create({ login, name: login.toUpperCase(), role }, "Lan");
  if (!outcome.ok) throw new Error(outcome.code);
  return outcome;
};

test("somebody who is let in has a one-time password, a role, and a login of their own", async () => {
  const { account, password } = await made("Hoa.LT", "observer");
  expect(account).toMatchObject({ login: "hoa.lt", role: "observer", mustChangePassword: true, closedAt: null });
  expect((await signedIn("hoa.lt", password)).user).toMatchObject({ role: "observer", mustChangePassword: true });
  expect(await accounts.create({ login: "HOA.lt", name: "Khác", role: "operator" }, "Lan")).toMatchObject({
    code: "loginTaken",
  });
  expect((await accounts.list()).map(({ login }) => login)).toEqual(["hoa.lt"]);
  const notes = await db.selectFrom("auditEntry").select(["actor", "act", "detail"]).execute();
  expect(notes[0]).toMatchObject({ actor: "Lan", act: "accountMade" });
  expect(JSON.stringify([notes, lines])).not.toContain(password);
});

test("a closed account ends at once, is told like no account, and keeps its name; opened again it is as before", async () => {
  await accounts.ensureAdministrator();
  const { account, password } = await made("hoa", "operator");
  const { token } = await signedIn("hoa", password);
  expect(await accounts.change(account.id, { closed: true }, "Lan")).toMatchObject({ ok: true });
  expect(await accounts.whoIs(token)).toBeUndefined();
  expect(await accounts.signIn("hoa", password, "192.0.2.1")).toMatchObject({ code: "wrongCredentials" });
  expect((await accounts.list()).find(({ login }) => login === "hoa")).toMatchObject({ name: "HOA", role: "operator" });
  await accounts.change(account.id, { closed: false }, "Lan");
  expect(await accounts.whoIs(token)).toBeUndefined();
  expect((await signedIn("hoa", password)).user.login).toBe("hoa");
});

test("a sign-in that was under way while the account was closed opens nothing", async () => {
  await accounts.ensureAdministrator();
  const { account, password } = await made("hoa", "operator");
  const signing = accounts.signIn("hoa", password, "192.0.2.1");
  await accounts.change(account.id, { closed: true }, "Lan");
  const signed = await signing;
  expect(signed.ok && (await accounts.whoIs(signed.token))).toBeUndefined();
});

test("a role counts from the next request on", async () => {
  await accounts.ensureAdministrator();
  const { account, password } = await made("hoa", "operator");
  const { token } = await signedIn("hoa", password);
  await accounts.change(account.id, { role: "observer" }, "Lan");
  expect(await accounts.whoIs(token)).toMatchObject({ role: "observer" });
});

test("an administrator who can sign in is always left", async () => {
  await accounts.ensureAdministrator();
  const [first] = await accounts.list();
  for (const change of [{ closed: true }, { role: "operator" as const }])
    expect(await accounts.change(first!.id, change, "Lan")).toMatchObject({ code: "lastAdministrator" });
  const second = await made("hai", "administrator");
  expect(await accounts.change(first!.id, { closed: true }, "Lan")).toMatchObject({ ok: true });
  expect(await accounts.change(second.account.id, { role: "observer" }, "Lan")).toMatchObject({
    code: "lastAdministrator",
  });
  // From the hub's own machine it is opened again.
  const { login, password } = await accounts.resetAdministrator();
  expect((await signedIn(login, password)).user.role).toBe("administrator");
});

test("a new one-time password ends the old one and every sign-in", async () => {
  const { account, password } = await made("hoa", "operator");
  const { token } = await signedIn("hoa", password);
  const renewed = await accounts.renewPassword(account.id, "Lan");
  expect(await accounts.whoIs(token)).toBeUndefined();
  expect(await accounts.signIn("hoa", password, "192.0.2.1")).toMatchObject({ code: "wrongCredentials" });
  expect(renewed.ok && (await signedIn("hoa", renewed.password)).user.mustChangePassword).toBe(true);
  expect(await accounts.renewPassword("nobody", "Lan")).toMatchObject({ code: "notFound" });
});
