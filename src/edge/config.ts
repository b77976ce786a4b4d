import { dirname, resolve } from "node:path";
import { z } from "zod";
import { parseConfig, readConfigText } from "../platform/platform.ts";
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
  /** Where a second disk or card is mounted while it is plugged in. */
  secondMedium: z.strictObject({ directory: folder }).optional(),
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

/** Reads the text of a configuration file; pure. Relative folders are taken from the file's own folder. */
export function parseEdgeConfig(text: string, file: string): EdgeConfig {
  const config = parseConfig(text, file, EdgeConfigFile, MANUAL);
  const base = dirname(resolve(file));
  const { dataDirectory, runDirectory, room, capture, secondMedium } = config;
  const { source } = capture;
  return {
    ...config,
    dataDirectory: resolve(base, dataDirectory),
    runDirectory: resolve(base, runDirectory),
    ...(secondMedium && { secondMedium: { directory: resolve(base, secondMedium.directory) } }),
    capture: { ...capture, source: source.kind === "file" ? { ...source, path: resolve(base, source.path) } : source },
    room: {
      ...room,
      ui: room.ui === undefined ? resolve(import.meta.dirname, "../../dist/room") : resolve(base, room.ui),
    },
  };
}

export const readEdgeConfig = async (file: string): Promise<EdgeConfig> =>
  parseEdgeConfig(await readConfigText(file, MANUAL), file);
