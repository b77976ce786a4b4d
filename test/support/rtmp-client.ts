import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** RTMP by hand, for what no honest publisher sends. Chunks of 128 bytes, as the protocol begins (RTMP 1.0, 5.4.1). */
const CHUNK_BYTES = 128;
const HANDSHAKE_BYTES = 1536;

export type Amf = string | number | null | { [key: string]: Amf };

export function amf0(...values: Amf[]): Buffer {
  return Buffer.concat(values.map(encode));
}

function encode(value: Amf): Buffer {
  if (value === null) return Buffer.of(5);
  if (typeof value === "number") {
    const out = Buffer.alloc(9);
    out.writeDoubleBE(value, 1);
    return out;
  }
  if (typeof value === "string") return Buffer.concat([Buffer.of(2), text(value)]);
  const fields = Object.entries(value).flatMap(([key, field]) => [text(key), encode(field)]);
  return Buffer.concat([Buffer.of(3), ...fields, Buffer.of(0, 0, 9)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Chunk header of format 0: absolute time, length, type, stream. */
export function header(type: number, bodyBytes: number, chunkStream: number, timestampMs = 0): Buffer {
  const out = Buffer.alloc(12);
  out[0] = chunkStream;
  out.writeUIntBE(timestampMs, 1, 3);
  out.writeUIntBE(bodyBytes, 4, 3);
  out[7] = type;
  out.writeUInt32LE(1, 8);
  return out;
}

/** A whole message, cut into chunks. */
export function message(type: number, body: Buffer, chunkStream = 3, timestampMs = 0): Buffer {
  const parts = [header(type, body.length, chunkStream, timestampMs)];
  for (let at = 0; at < body.length; at += CHUNK_BYTES) {
    if (at > 0) parts.push(Buffer.of(0xc0 | chunkStream));
    parts.push(body.subarray(at, at + CHUNK_BYTES));
  }
  return Buffer.concat(parts);
}

export const COMMAND = 20;

export const handshake = (): Buffer =>
  Buffer.concat([Buffer.of(3), Buffer.alloc(HANDSHAKE_BYTES, 1), Buffer.alloc(HANDSHAKE_BYTES, 2)]);

export const connectCommand = (app = "live"): Buffer =>
  message(COMMAND, amf0("connect", 1, { app, tcUrl: "rtmp://127.0.0.1/live" }));

export const publishCommand = (name: string): Buffer => message(COMMAND, amf0("publish", 5, null, name, "live"));

/** A connection that wrote `bytes`; answers are read and thrown away unless `read` is false. */
export async function send(port: number, bytes: Buffer, { read = true } = {}): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  if (read) socket.resume();
  socket.write(bytes);
  return socket;
}
