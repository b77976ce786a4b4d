import { request, type IncomingMessage } from "node:http";
import { HUB_TLS_NAME } from "../../protocol/protocol.ts";
import type { FetchFile } from "../update/update.ts";
import type { Dial } from "./dial.ts";

/** A hub that sends nothing for this long is away; the file goes on from where it is. */
const SILENCE_MS = 30_000;

/** Fetches files of releases, each over a connection of its own (RFC 9110, 14: one range up to the end). */
export const createFileFetch =
  (dial: () => Dial | undefined): FetchFile =>
  async (path, fromByte, signal) => {
    const dialNow = dial();
    if (!dialNow) throw new Error("an unpaired box fetches nothing");
    const socket = await dialNow("http", signal);
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const asked = request({
          ...{ path, signal, createConnection: () => socket, timeout: SILENCE_MS },
          headers: { host: HUB_TLS_NAME, range: `bytes=${fromByte}-`, connection: "close" },
        });
        asked.once("response", resolve);
        asked.on("error", reject);
        asked.once("timeout", () => socket.destroy(new Error("the hub has fallen silent")));
        asked.end();
      });
      const total = Number(/\/(\d{1,15})$/.exec(response.headers["content-range"] ?? "")?.[1]);
      if (response.statusCode === 206)
        return { ok: true, totalBytes: total, body: flowing(response, () => socket.destroy()) };
      socket.destroy();
      if (response.statusCode === 416) return { ok: false, totalBytes: total };
      throw new Error(`the hub answers ${response.statusCode}`);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  };

async function* flowing(response: IncomingMessage, close: () => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } finally {
    close();
  }
}
