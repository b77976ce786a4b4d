import type { Role } from "../../protocol/protocol.ts";

/** Everybody's own. */
const OWN = new Set(["/api/sign-in", "/api/me", "/api/password", "/api/sign-out"]);
/** People, boxes and what runs on them; a box declared lost cannot be taken back. */
const ADMINISTRATORS =
  /^\/api\/(?:(?:users|boxes|stick|releases|pairing)(?:\/|$)|points\/[^/]+\/disks$|recordings\/[^/]+\/[^/]+\/lost$)/;
/** Acts of storage: a recording leaves the archive, or comes into it. */
const STORAGE = /^\/api\/(?:copies|carried)(?:\/|$)/;

/** The least role that may do this. What is not known here and changes something is an operator's. Pure. */
export function neededRole(method: string, path: string): Role {
  if (OWN.has(path)) return "observer";
  if (ADMINISTRATORS.test(path)) return "administrator";
  const looks = method === "GET" || method === "HEAD";
  return looks && !STORAGE.test(path) ? "observer" : "operator";
}
