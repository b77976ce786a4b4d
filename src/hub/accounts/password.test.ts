import { expect, test } from "vitest";
import { hashPassword, oneTimePassword, passwordFault, passwordHolds, readOneTimePassword } from "./password.ts";

test("a password holds against its own hash only, and equal passwords have different hashes", async () => {
  const [first, second] = await Promise.all([hashPassword("mật khẩu rất dài"), hashPassword("mật khẩu rất dài")]);
  expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[^$]{22}\$[^$]{43}$/);
  expect(first).not.toBe(second);
  expect(await passwordHolds("mật khẩu rất dài", first)).toBe(true);
  expect(await passwordHolds("mật khẩu rất dai", first)).toBe(false);
});

test("composed and decomposed Vietnamese letters are the same password", async () => {
  const hash = await hashPassword("tiếp công dân".normalize("NFC"));
  expect(await passwordHolds("tiếp công dân".normalize("NFD"), hash)).toBe(true);
});

test("a hash whose cost was altered no longer holds", async () => {
  const made = await hashPassword("password");
  expect(await passwordHolds("password", made.replace("m=19456", "m=19464"))).toBe(false);
});

test.each(["", "plain", "$argon2i$v=19$m=19456,t=2,p=1$AAAA$AAAA", "$2b$10$abcdefghijklmnopqrstuv"])(
  "%j as a stored hash lets nobody in",
  async (phc) => {
    expect(await passwordHolds("", phc)).toBe(false);
  },
);

test("weak passwords are refused with a reason", () => {
  expect(passwordFault("short", "old", "admin")).toContain("12");
  expect(passwordFault("x".repeat(257), "old", "admin")).toContain("256");
  expect(passwordFault("aaaaaaaaaaaaaaaa", "old", "admin")).toContain("repeats");
  expect(passwordFault("administrator", "old", "administrator")).toContain("login");
  expect(passwordFault("mot mat khau dai", "mot mat khau dai", "admin")).toContain("old one");
  expect(passwordFault("mot mat khau dai", "old", "administrator")).toBeUndefined();
});

test("one-time passwords are four groups of four readable characters, and never the same", () => {
  const made = new Set(Array.from({ length: 200 }, oneTimePassword));
  expect(made.size).toBe(200);
  for (const password of made) expect(password).toMatch(/^([A-HJKMNP-Z2-9]{4}-){3}[A-HJKMNP-Z2-9]{4}$/);
});

test("a one-time password may be typed in any case and without its separators", () => {
  for (const typed of ["K3XM-92FA-BCDE-2345", "k3xm92fabcde2345", " k3xm 92fa bcde 2345 "])
    expect(readOneTimePassword(typed)).toBe("K3XM-92FA-BCDE-2345");
  expect(readOneTimePassword("")).toBe("");
});
