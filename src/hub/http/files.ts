import { open, type FileHandle } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Context } from "hono";

const CONTENT_TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".ts": "video/mp2t",
  ".mp4": "video/mp4",
};

export interface ByteRange {
  start: number;
  /** Inclusive. */
  end: number;
}

/**
 * One range of RFC 9110, 14.1.2. "whole" where the header is missing or asks for what we need not honour (several
 * ranges, another unit, nonsense), "unsatisfiable" where it lies behind the end.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | "whole" | "unsatisfiable" {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return "whole";
  if (match[1] === "") {
    const suffix = Number(match[2]);
    return suffix === 0 || sizeBytes === 0
      ? "unsatisfiable"
      : { start: Math.max(0, sizeBytes - suffix), end: sizeBytes - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  if (match[2] !== "" && Number(match[2]) < start) return "whole";
  return start >= sizeBytes ? "unsatisfiable" : { start, end };
}

const CHUNK_BYTES = 128 * 1024;

/** A part of an open file as a stream that reads on demand; closes the file at the end, on error and on cancel. */
function readPart(file: FileHandle, { start, end }: ByteRange): ReadableStream<Uint8Array> {
  let position = start;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const buffer = new Uint8Array(Math.min(CHUNK_BYTES, end + 1 - position));
          const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
          // Sealed files do not shrink; if one does, the short body breaks the length that was promised.
          if (bytesRead === 0) throw new Error("the file is shorter than it was");
          position += bytesRead;
          controller.enqueue(buffer.subarray(0, bytesRead));
          if (position > end) {
            await file.close();
            controller.close();
          }
        } catch {
          await file.close().catch(() => {});
          // No cause: the server would write its message, with our paths, to the client.
          controller.error(new Error("the file could not be read"));
        }
      },
      cancel: () => file.close().catch(() => {}),
    },
    { highWaterMark: 0 },
  );
}

/** Answers with a file, or undefined where there is none. Honours Range, If-None-Match and HEAD. */
export async function sendFile(c: Context, path: string, cacheControl: string): Promise<Response | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
  let streaming = false;
  try {
    const { size, mtimeMs } = await file.stat().then((stat) => (stat.isFile() ? stat : { size: -1, mtimeMs: 0 }));
    if (size < 0) return undefined;
    const etag = `"${size.toString(16)}-${Math.trunc(mtimeMs).toString(16)}"`;
    const headers: Record<string, string> = { "cache-control": cacheControl, "accept-ranges": "bytes", etag };
    if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
    headers["content-type"] = CONTENT_TYPES[extname(path)] ?? "application/octet-stream";
    const range = parseRange(c.req.header("range"), size);
    if (range === "unsatisfiable") return c.body(null, 416, { "content-range": `bytes */${size}` });
    const part = range === "whole" ? { start: 0, end: size - 1 } : range;
    headers["content-length"] = String(part.end + 1 - part.start);
    if (range !== "whole") headers["content-range"] = `bytes ${part.start}-${part.end}/${size}`;
    const status = range === "whole" ? 200 : 206;
    if (c.req.method === "HEAD" || size === 0) return c.body(null, status, headers);
    streaming = true;
    return c.body(readPart(file, part), status, headers);
  } finally {
    if (!streaming) await file.close();
  }
}

const PAGE_PATH = /^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\/?$/;
const NOT_BUILT = "The desk is not built yet. Build it with: npm run build\nGiao diện chưa được dựng.\n";

/**
 * The built desk: hashed assets for ever, everything else asked for anew; paths without an ending are places in the
 * desk and get its page. Undefined where there is no such file.
 */
export async function sendPage(c: Context, folder: string): Promise<Response | undefined> {
  const { path } = c.req;
  // No segment of such a path begins with a dot or holds an escape: it cannot leave the folder.
  if (!PAGE_PATH.test(path)) return undefined;
  if (path.startsWith("/assets/")) return sendFile(c, join(folder, path), "public, max-age=31536000, immutable");
  if (extname(path) !== "") return sendFile(c, join(folder, path), "no-cache");
  const page = await sendFile(c, join(folder, "index.html"), "no-cache");
  return page ?? c.text(NOT_BUILT, 503, { "cache-control": "no-store" });
}
