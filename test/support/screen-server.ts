import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { build } from "vite";
import { screen } from "../../src/ui/vite.config.ts";

/** Builds both screens below `directory`, as `npm run build` does. */
export async function buildScreens(directory: string): Promise<{ desk: string; room: string }> {
  const folders = { desk: join(directory, "desk"), room: join(directory, "room") };
  for (const name of ["desk", "room"] as const) {
    const config = screen(name);
    await build({ ...config, logLevel: "error", build: { ...config.build, outDir: folders[name] } });
  }
  return folders;
}

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".ts": "video/mp2t",
};

/** As strict as the hub's, and stricter in styles: what passes here passes there. */
export const POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; " +
  "connect-src 'self' ws:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'";

export async function listen(app: Hono): Promise<{ server: Server; url: string; close: () => Promise<void> }> {
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Static files of a built screen; other paths are places in it. */
export function serveScreen(app: Hono, folder: string): void {
  app.get("*", async (c) => {
    const file = extname(c.req.path) === "" ? "/index.html" : c.req.path;
    const body = await readFile(join(folder, file)).catch(() => undefined);
    if (!body) return c.notFound();
    return c.body(new Uint8Array(body), 200, {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-security-policy": POLICY,
    });
  });
}

export const encodeEvent = (event: string, data: unknown): Uint8Array =>
  new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);

/** Server-sent events to every open page. */
export function createStream() {
  const readers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  return {
    open(first: Uint8Array): Response {
      let mine: ReadableStreamDefaultController<Uint8Array>;
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          mine = controller;
          readers.add(controller);
          controller.enqueue(first);
        },
        cancel: () => void readers.delete(mine),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
    },
    tell(bytes: Uint8Array): void {
      for (const reader of readers) reader.enqueue(bytes);
    },
    drop(): void {
      for (const reader of readers) reader.close();
      readers.clear();
    },
  };
}
