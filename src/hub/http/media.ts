import { upgradeWebSocket } from "@hono/node-server";
import { Hono, type Context } from "hono";
import type { WebSocket } from "ws";
import { z } from "zod";
import {
  BoxId,
  CLOSE_NOT_ON_STAGE,
  LIVE_KINDS,
  PointId,
  SessionId,
  TakeId,
  type Track,
} from "../../protocol/protocol.ts";
import { causeOf, type Clock, type Log } from "../../platform/platform.ts";
import type { Archive } from "../archive/archive.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { Live } from "../live/live.ts";
import type { Stages } from "../stage/stage.ts";
import { idIn } from "./api.ts";
import { signedInOnly, type DeskEnv } from "./door.ts";
import type { DeskEventStream } from "./events.ts";
import { sendFile } from "./files.ts";
import { HttpRefusal } from "./refusal.ts";

export interface MediaParts {
  clock: Clock;
  log: Log;
  accounts: Accounts;
  events: DeskEventStream;
  live: Live;
  stages: Pick<Stages, "admit">;
  archive: Pick<Archive, "playlist" | "segmentFile" | "hubCopyFile" | "copyOf">;
}

const LiveKindName = z.enum(LIVE_KINDS);
/** How often a lasting connection asks whether its user is still signed in. */
const RECHECK_MS = 15_000;
/** WebSocket close code "policy violation". */
const CLOSE_SIGNED_OUT = 1008;
/** One line in the audit log per user and recording within this time: a playlist is hundreds of requests. */
const AUDIT_ONCE_MS = 3_600_000;
const MAX_AUDITED = 10_000;

/** RFC 8187. */
const percent = (text: string): string =>
  encodeURIComponent(text).replaceAll(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);

/** What flows: events, live pictures and sound, recordings. */
export function createMedia({ clock, log, accounts, events, live, stages, archive }: MediaParts) {
  const signedIn = (token: string) => async () => {
    const user = await accounts.whoIs(token);
    return user !== undefined && !user.mustChangePassword;
  };

  /** Closes a viewer's socket when its user signs out, expires or is reset. */
  async function watchViewer(socket: WebSocket, allowed: () => Promise<boolean>): Promise<void> {
    const closed = new AbortController();
    socket.once("close", () => closed.abort());
    for (;;) {
      try {
        await clock.sleep(RECHECK_MS, closed.signal);
      } catch {
        return;
      }
      if (!(await allowed())) return socket.close(CLOSE_SIGNED_OUT, "signed out");
    }
  }

  const auditedMs = new Map<string, number>();
  async function auditPlayback(user: { id: string; name: string }, session: SessionId): Promise<void> {
    const key = `${user.id} ${session}`;
    const last = auditedMs.get(key);
    if (last !== undefined && clock.monotonicMs() - last < AUDIT_ONCE_MS) return;
    auditedMs.delete(key);
    auditedMs.set(key, clock.monotonicMs());
    if (auditedMs.size > MAX_AUDITED) auditedMs.delete(auditedMs.keys().next().value!);
    await accounts.audit(user.name, "playedBack", session);
  }

  async function sendPlaylist(c: Context<DeskEnv>, track: Track): Promise<Response> {
    const session = idIn(SessionId, c.req.param("session") ?? "");
    const playlist = await archive.playlist(session, idIn(PointId, c.req.param("point") ?? ""), track);
    if (playlist === undefined) throw new HttpRefusal("notFound", "nothing of this recording can be played yet");
    await auditPlayback(c.var.user, session);
    return c.body(playlist, 200, { "content-type": "application/vnd.apple.mpegurl", "cache-control": "no-store" });
  }

  return new Hono<DeskEnv>()
    .use("/live/*", signedInOnly(accounts))
    .use("/hls/*", signedInOnly(accounts))
    .use("/api/*", signedInOnly(accounts))
    .get("/api/events", (c) =>
      c.body(events.open(signedIn(c.var.token)), 200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        // A proxy of nginx would hold events back otherwise.
        "x-accel-buffering": "no",
      }),
    )
    .get("/api/copies/:session/file", async (c) => {
      const session = idIn(SessionId, c.req.param("session"));
      const copy = await archive.copyOf(session);
      if (!copy) throw new HttpRefusal("wrongState", "the recording is not whole yet, or is being put together");
      const { sizeBytes } = copy;
      // Each act of storage has an actor, and is written down before it is done.
      await accounts.audit(c.var.user.name, "copyTaken", JSON.stringify({ session, sizeBytes }));
      log.info("copy.taken", { session, sizeBytes, actor: c.var.user.name });
      return c.body(copy.open(), 200, {
        "content-type": "application/zip",
        "content-length": String(sizeBytes),
        "content-disposition": `attachment; filename="${session}.zip"; filename*=UTF-8''${percent(copy.fileName)}`,
        "cache-control": "no-store",
      });
    })
    .get("/api/recordings/:session/:point/index.m3u8", (c) => sendPlaylist(c, "room"))
    .get("/api/recordings/:session/:point/screen.m3u8", (c) => sendPlaylist(c, "screen"))
    .get("/api/recordings/:session/:point/hub-copy/:file", async (c) => {
      const session = idIn(SessionId, c.req.param("session"));
      const point = idIn(PointId, c.req.param("point"));
      const path = await archive.hubCopyFile(session, point, c.req.param("file"));
      const response = path && (await sendFile(c, path, "private, max-age=31536000, immutable"));
      if (!response) throw new HttpRefusal("notFound", "there is no such piece");
      await auditPlayback(c.var.user, session);
      return response;
    })
    .get("/api/recordings/:session/:point/:take/:file", async (c) => {
      const session = idIn(SessionId, c.req.param("session"));
      const point = idIn(PointId, c.req.param("point"));
      const path = await archive.segmentFile(session, point, idIn(TakeId, c.req.param("take")), c.req.param("file"));
      if (path === undefined) throw new HttpRefusal("notFound", "there is no such segment");
      await auditPlayback(c.var.user, session);
      // Private: what is behind a sign-in stays out of shared caches. Immutable: sealed bytes never change.
      const response = await sendFile(c, path, "private, max-age=31536000, immutable");
      if (!response) throw new HttpRefusal("notFound", "there is no such segment");
      return response;
    })
    .get(
      "/live/:box/:kind",
      upgradeWebSocket((c) => {
        const box = idIn(BoxId, c.req.param("box") ?? "");
        const kind = idIn(LiveKindName, c.req.param("kind") ?? "");
        const { token, user } = c.var as DeskEnv["Variables"];
        const allowed = signedIn(token);
        return {
          onOpen(_event, { raw }) {
            const socket = raw as unknown as WebSocket;
            const end = () => socket.close(CLOSE_NOT_ON_STAGE);
            const watching = stages.admit({ kind: "desk", name: user.name }, box, kind, end);
            if (!watching) return end();
            socket.once("close", () => watching.leave());
            live.addViewer(socket, box, kind, watching.gate);
            watchViewer(socket, allowed).catch((error: unknown) => {
              log.error("viewer.failed", { cause: causeOf(error) });
              socket.terminate();
            });
          },
        };
      }),
    )
    .get("/live/:box/:kind", () => {
      throw new HttpRefusal("badRequest", "live pictures come over a WebSocket");
    })
    .get("/hls/:box/:file", async (c) => {
      const box = idIn(BoxId, c.req.param("box"));
      stages.admit({ kind: "desk", name: c.var.user.name }, box, "video", () => {})?.leave();
      const file = await live.hlsFile(box, c.req.param("file"));
      if (!file) throw new HttpRefusal("notFound", "nothing is live here");
      return c.body(file.body as Uint8Array<ArrayBuffer>, 200, {
        "content-type": file.contentType,
        "cache-control": "no-store",
      });
    });
}
