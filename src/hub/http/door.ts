import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { secureHeaders } from "hono/secure-headers";
import { mayDo } from "../../protocol/protocol.ts";
import { neededRole, type Accounts, type SignedIn } from "../accounts/accounts.ts";
import { HttpRefusal } from "./refusal.ts";
import type { UserView } from "./views.ts";

/** Which listener a request came in by: the network's TLS port, or plain HTTP on 127.0.0.1. */
export type Side = "tls" | "loopback";

export interface DeskEnv {
  Bindings: HttpBindings & { side: Side };
  Variables: { user: UserView; token: string };
}

/** Cookies know no ports, so the two sides differ in name; `__Host-` binds the TLS one to this host and to TLS. */
const COOKIE: Record<Side, string> = { tls: "__Host-diemcau", loopback: "diemcau" };
const LOOPBACK_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i;

export const securityHeaders: MiddlewareHandler = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'self'"],
    scriptSrc: ["'self'"],
    // The desk positions timeline marks by style attributes.
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", "data:", "blob:"],
    connectSrc: ["'self'", "ws:", "wss:"],
    mediaSrc: ["'self'", "blob:"],
    workerSrc: ["'self'", "blob:"],
    objectSrc: ["'none'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
  referrerPolicy: "no-referrer",
  xFrameOptions: "DENY",
  // The certificate is of the hub's own authority: a browser that was told HSTS could not be let past a warning.
  strictTransportSecurity: false,
});

/** A page elsewhere whose name was pointed at 127.0.0.1 (DNS rebinding) does not know the names of this listener. */
export const loopbackNamesOnly: MiddlewareHandler<DeskEnv> = async (c, next) => {
  if (c.env.side === "loopback" && !LOOPBACK_HOST.test(c.req.header("host") ?? ""))
    throw new HttpRefusal("badRequest", "this listener is for 127.0.0.1 only", { status: 403 });
  await next();
};

/** What a browser on this very listener sends as Origin. */
const ownOrigin = (c: Context<DeskEnv>): string =>
  `${c.env.side === "tls" ? "https" : "http"}://${(c.req.header("host") ?? new URL(c.req.url).host).toLowerCase()}`;

/** Browsers send Origin with every WebSocket and every request that can change something; others must do so too. */
export const ownOriginOnly: MiddlewareHandler<DeskEnv> = async (c, next) => {
  const safe = ["GET", "HEAD", "OPTIONS"].includes(c.req.method) && c.req.header("upgrade") === undefined;
  if (!safe && c.req.header("origin")?.toLowerCase() !== ownOrigin(c))
    throw new HttpRefusal("badRequest", "the Origin header does not name this hub", { status: 403 });
  await next();
};

/** Where a user who must change the password may go. */
const OPEN_BEFORE_CHANGE = new Set(["/api/me", "/api/password", "/api/sign-out"]);

/** Somebody who is signed in, and whose role allows what is asked for. */
export const signedInOnly =
  (accounts: Pick<Accounts, "whoIs">): MiddlewareHandler<DeskEnv> =>
  async (c, next) => {
    if ((c.var as Partial<DeskEnv["Variables"]>).user) return next();
    const token = getCookie(c, COOKIE[c.env.side]);
    const user = token === undefined ? undefined : await accounts.whoIs(token);
    if (token === undefined || !user) throw new HttpRefusal("notSignedIn", "sign in first");
    if (user.mustChangePassword && !OPEN_BEFORE_CHANGE.has(c.req.path))
      throw new HttpRefusal("mustChangePassword", "set a password of your own first");
    const needed = neededRole(c.req.method, c.req.path);
    if (!mayDo(user.role, needed)) throw new HttpRefusal("notAllowed", `this is for the role ${needed}`);
    c.set("user", user);
    c.set("token", token);
    await next();
  };

export function keepSignIn(c: Context<DeskEnv>, signedIn: SignedIn): UserView {
  setCookie(c, COOKIE[c.env.side], signedIn.token, {
    httpOnly: true,
    sameSite: "Strict",
    secure: c.env.side === "tls",
    path: "/",
    maxAge: signedIn.expiresInS,
  });
  return signedIn.user;
}

export const dropSignIn = (c: Context<DeskEnv>): void => {
  deleteCookie(c, COOKIE[c.env.side], { path: "/", secure: c.env.side === "tls" });
};

export const addressOf = (c: Context<DeskEnv>): string => c.env.incoming.socket.remoteAddress ?? "unknown";
