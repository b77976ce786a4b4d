import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Page } from "playwright-core";
import { build } from "vite";
import { WebSocketServer, type WebSocket } from "ws";
import { runChecked } from "../../src/platform/platform.ts";
import { launchBrowser } from "./browser.ts";

/** Another meeting system: its server, and a peer far away who shows a counted picture and sounds a tone of 1000 Hz. */
export interface Meeting extends AsyncDisposable {
  /** What a room opens. */
  readonly url: string;
  readonly port: number;
  /** The far peer's page; `window.meeting` says what arrives there. */
  readonly far: Page;
}

export const FAR_TONE_HERTZ = 1_000;

const TYPES: Record<string, string> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8" };

/** @param directory for the page, its key and certificate, which nobody knows */
export async function openMeeting(directory: string): Promise<Meeting> {
  const pages = join(directory, "page");
  await build({
    configFile: false,
    logLevel: "error",
    root: join(import.meta.dirname, "meeting-page"),
    build: { outDir: pages, emptyOutDir: true, target: "esnext", assetsInlineLimit: 0 },
  });
  const [key, cert] = [join(directory, "meeting.key"), join(directory, "meeting.pem")];
  await runChecked([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...[
      "-keyout",
      key,
      "-out",
      cert,
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost",
    ],
  ]);
  const server = createServer({ key: await readFile(key), cert: await readFile(cert) }, (request, response) => {
    const path = new URL(request.url ?? "/", "https://localhost").pathname;
    const file = path === "/" ? "/index.html" : path;
    readFile(join(pages, file)).then(
      (body) =>
        response
          .writeHead(200, {
            "content-type": TYPES[extname(file)] ?? "application/octet-stream",
            // As strict as such systems are: neither framed nor connected to anything but itself.
            "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'",
            "x-frame-options": "DENY",
          })
          .end(body),
      () => response.writeHead(404).end(),
    );
  });
  const signals = new WebSocketServer({ server, path: "/signals" });
  const peers = new Set<WebSocket>();
  signals.on("connection", (peer) => {
    const tellOthers = (text: string) =>
      [...peers].filter((other) => other !== peer).forEach((other) => other.send(text));
    peer.on("error", () => {}).on("close", () => peers.delete(peer));
    peer.on("message", (data) => tellOthers((data as Buffer).toString()));
    peers.add(peer);
    tellOthers(JSON.stringify({ joined: true }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `https://localhost:${port}/`;
  const browser = await launchBrowser(["--ignore-certificate-errors", "--disable-features=WebRtcHideLocalIpsWithMdns"]);
  const far = await browser.newPage();
  await far.goto(`${url}?role=far`);
  return {
    ...{ url, port, far },
    async [Symbol.asyncDispose]() {
      await browser.close();
      for (const peer of peers) peer.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
