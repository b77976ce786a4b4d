import { expect, test } from "vitest";
import { mayDo, ROLES } from "../../protocol/protocol.ts";
import { neededRole } from "../accounts/accounts.ts";
import { createApi } from "./api.ts";
import { createMedia } from "./media.ts";

/** Nothing is asked of them: only their routes are looked at. */
const parts = {} as never;
const routes = [...createApi(parts).routes, ...createMedia(parts).routes].filter(({ method }) => method !== "ALL");
const needing = (role: (typeof ROLES)[number]) =>
  [
    ...new Set(
      routes
        .filter(({ method, path }) => neededRole(method, path) === role)
        .map(({ method, path }) => `${method} ${path}`),
    ),
  ].sort();

test("who only looks changes nothing but their own sign-in", () => {
  const changing = needing("observer").filter((route) => !route.startsWith("GET "));
  expect(changing).toEqual(["POST /api/password", "POST /api/sign-in", "POST /api/sign-out"]);
});

test("an operator holds sessions and keeps recordings, and what leaves or enters the archive is not just looking", () => {
  expect(needing("operator")).toMatchInlineSnapshot(`
    [
      "GET /api/carried",
      "GET /api/copies/:session",
      "GET /api/copies/:session/file",
      "POST /api/carried",
      "POST /api/points/:point/devices",
      "POST /api/sessions",
      "POST /api/sessions/:id/:act",
      "POST /api/sessions/:id/marks",
      "POST /api/sessions/:id/pause",
      "POST /api/sessions/:id/stage/interruption",
      "POST /api/sessions/:id/stage/interruption/end",
      "POST /api/sessions/:id/stage/layout",
      "POST /api/sessions/:id/stage/rooms/:point",
      "POST /api/sessions/:id/test",
    ]
  `);
});

test("people, boxes and what cannot be taken back are an administrator's", () => {
  expect(needing("administrator")).toMatchInlineSnapshot(`
    [
      "GET /api/points/:point/disks",
      "GET /api/releases",
      "GET /api/stick",
      "GET /api/users",
      "POST /api/boxes/:box/disk-key",
      "POST /api/boxes/:box/reset",
      "POST /api/boxes/:box/reset-stick",
      "POST /api/boxes/:box/revoke",
      "POST /api/pairing",
      "POST /api/recordings/:session/:point/lost",
      "POST /api/releases",
      "POST /api/releases/:id/continue",
      "POST /api/releases/:id/pause",
      "POST /api/releases/:id/publish",
      "POST /api/releases/import",
      "POST /api/stick",
      "POST /api/users",
      "POST /api/users/:id",
      "POST /api/users/:id/password",
      "PUT /api/releases/:id/files/:name",
    ]
  `);
});

test("each role may what those before it may, and no more", () => {
  expect(ROLES.map((role) => ROLES.map((needed) => mayDo(role, needed)))).toEqual([
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ]);
});

test("what nobody has thought of is not for who only looks", () => {
  expect(neededRole("DELETE", "/api/new")).toBe("operator");
  expect(neededRole("PUT", "/api/releases/x/files/y")).toBe("administrator");
  expect(neededRole("GET", "/api/users/x")).toBe("administrator");
  expect(neededRole("GET", "/api/copies/session-x/file")).toBe("operator");
});
