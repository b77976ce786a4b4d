import { request } from "node:https";
import { ALPN, HUB_TLS_NAME, type BoxId } from "../../src/protocol/protocol.ts";
import { DeskClient } from "./desk-client.ts";
import { fetchAnswer, fetchCa, newPairingBox } from "./hub-door.ts";
import type { RunningHub } from "./hub-process.ts";
import type { Target } from "./load-connection.ts";

/** Rooms and a desk user of a real hub, as far as live pictures need them. */
export interface FanoutRooms {
  /** Each with the way in that its certificate opens. */
  boxes: { box: BoxId; rtmp: Target }[];
  /** The way in for viewers, and what they say beside the path. */
  viewer: { target: Target; headers: string[] };
}

/** Signs in as the administrator and pairs so many boxes through the hub's port, as people and boxes do. */
export async function pairRooms(hub: RunningHub, rooms: number): Promise<FanoutRooms> {
  const password = "mot-hai-ba-bon-nam";
  const desk = new DeskClient(hub.url);
  const oneTime = hub.oneTimePassword()!;
  await desk.signIn("admin", oneTime);
  await desk.changePassword(oneTime, password);

  const port = hub.tlsPort;
  const caPem = await fetchCa({ port });
  const boxes: FanoutRooms["boxes"] = [];
  for (let n = 0; n < rooms; n++) {
    const pairing = await newPairingBox(caPem);
    const ticket = await pairing.post({ port });
    const { box } = await desk.pair(pairing.code, `Xã ${n + 1}`);
    const verdict = pairing.judge(await fetchAnswer({ port }, ticket));
    if (!verdict.trusts) throw new Error(verdict.reason);
    const { certificatePem } = verdict;
    const tls = { servername: HUB_TLS_NAME, caPem, alpn: ALPN.rtmp, keyPem: pairing.keyPem, certificatePem };
    boxes.push({ box: box as BoxId, rtmp: { port, tls } });
  }
  const cookie = await signInOverTls(port, password, caPem);
  return {
    boxes,
    viewer: {
      target: { port, tls: { servername: "localhost", caPem } },
      headers: [`Host: localhost:${port}`, `Origin: https://localhost:${port}`, `Cookie: ${cookie}`],
    },
  };
}

/** The cookie of a user who came by the network's side. */
function signInOverTls(port: number, password: string, ca: string): Promise<string> {
  const origin = `https://localhost:${port}`;
  const headers = { origin, "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const asked = request(
      `${origin}/api/sign-in`,
      {
        method: "POST",
        headers,
        ca,
        lookup: (_host, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]),
      },
      (response) => {
        response.resume();
        const [cookie] = response.headers["set-cookie"] ?? [];
        if (cookie) resolve(cookie.split(";")[0]!);
        else reject(new Error(`sign-in over TLS: ${response.statusCode}`));
      },
    );
    asked.on("error", reject);
    asked.end(JSON.stringify({ login: "admin", password }));
  });
}
