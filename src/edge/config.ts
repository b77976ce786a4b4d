import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { causeOf } from "../platform/platform.ts";
import { CaptureConfig } from "./capture/capture.ts";

const MANUAL = "docs/ref/box-config.md";

const port = z.number().int().min(0).max(65_535);
const folder = z.string().min(1);

/** Each key is a row of docs/ref/box-config.md. */
export const EdgeConfigFile = z.strictObject({
  dataDirectory: folder,
  runDirectory: folder,
  hub: z.strictObject({
    host: z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/, "must be a host name or an address, without port or scheme"),
    port: z.number().int().min(1).max(65_535).default(8443),
    /** As `openssl x509 -noout -fingerprint -sha256` prints it, with or without colons. */
    caSha256: z
      .string()
      .transform((text) => text.replaceAll(":", "").toLowerCase())
      .pipe(z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits, colons allowed"))
      .optional(),
  }),
  capture: CaptureConfig.prefault({}),
  room: z.strictObject({ port: port.default(7080), ui: folder.optional() }).prefault({}),
  sync: z
    .strictObject({
      /** Leaves the line to the live picture while a session is being recorded; 0: no limit. */
      limitKibPerS: z.number().int().min(0).max(1_000_000).default(1_024),
    })
    .prefault({}),
});

export interface EdgeConfig extends Omit<z.infer<typeof EdgeConfigFile>, "room"> {
  /** `ui`: folder of the built room screen. */
  room: { port: number; ui: string };
}

export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: "unreadable" | "notJson" | "invalid";
  constructor(code: ConfigError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Reads the text of a configuration file; pure. Relative folders are taken from the file's own folder. */
export function parseEdgeConfig(text: string, file: string): EdgeConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError("notJson", `${file} is not JSON (${causeOf(cause)}); see ${MANUAL}`, { cause });
  }
  const parsed = EdgeConfigFile.safeParse(json);
  if (!parsed.success)
    throw new ConfigError("invalid", `${file}: ${parsed.error.issues.flatMap(faults).join("; ")}; see ${MANUAL}`);
  const base = dirname(resolve(file));
  const { dataDirectory, runDirectory, room, capture } = parsed.data;
  const { source } = capture;
  return {
    ...parsed.data,
    dataDirectory: resolve(base, dataDirectory),
    runDirectory: resolve(base, runDirectory),
    capture: { ...capture, source: source.kind === "file" ? { ...source, path: resolve(base, source.path) } : source },
    room: {
      ...room,
      ui: room.ui === undefined ? resolve(import.meta.dirname, "../../dist/room") : resolve(base, room.ui),
    },
  };
}

export async function readEdgeConfig(file: string): Promise<EdgeConfig> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new ConfigError("unreadable", `${file} cannot be read (${causeOf(cause)}); see ${MANUAL}`, { cause });
  }
  return parseEdgeConfig(text, file);
}

/** `key: what is wrong`, one per key. */
function faults(issue: z.core.$ZodIssue): string[] {
  const at = (path: readonly PropertyKey[]) => path.map(String).join(".") || "(the whole file)";
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => `${at([...issue.path, key])}: no such key`);
  return [`${at(issue.path)}: ${issue.message}`];
}
