import { dirname, resolve } from "node:path";
import { z } from "zod";
import { ConfigError, networkFileSystemOf, parseConfig, readConfigText } from "../platform/platform.ts";
import { CaptureConfig } from "./capture/capture.ts";
import { CompanionConfig } from "./companion/companion.ts";
import { ProvisioningConfig } from "./provisioning/provisioning.ts";
import { UpdateConfig } from "./update/update.ts";

const MANUAL = "docs/ref/box-config.md";

const port = z.number().int().min(0).max(65_535);
const folder = z.string().min(1);

/** Each key is a row of docs/ref/box-config.md. */
export const EdgeConfigFile = z.strictObject({
  dataDirectory: folder,
  runDirectory: folder,
  hub: z
    .strictObject({
      host: z
        .string()
        .regex(/^[A-Za-z0-9._:-]{1,253}$/, "must be a host name or an address, without port or scheme")
        .optional(),
      port: z.number().int().min(1).max(65_535).default(8443),
      /** As `openssl x509 -noout -fingerprint -sha256` prints it, with or without colons. */
      caSha256: z
        .string()
        .transform((text) => text.replaceAll(":", "").toLowerCase())
        .pipe(z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits, colons allowed"))
        .optional(),
    })
    .prefault({}),
  provisioning: ProvisioningConfig.prefault({}),
  /** Where a second disk or card is mounted while it is plugged in. */
  secondMedium: z.strictObject({ directory: folder }).optional(),
  /** Left by root's unit where the data partition is encrypted (appliance/root/usr/lib/diemcau/disk-key). */
  diskKeyFile: z.string().min(1).default("/var/lib/diemcau-disk/key.json"),
  capture: CaptureConfig.prefault({}),
  companion: CompanionConfig.prefault({}),
  room: z
    .strictObject({
      port: port.default(7080),
      ui: folder.optional(),
      /** In Vietnam's time; without them the TV is never dark. */
      screenHours: z
        .strictObject({ from: z.number().int().min(0).max(23), to: z.number().int().min(0).max(24) })
        .optional(),
    })
    .prefault({}),
  sync: z
    .strictObject({
      /** Leaves the line to the live picture while a session is being recorded; 0: no limit. */
      limitKibPerS: z.number().int().min(0).max(1_000_000).default(1_024),
    })
    .prefault({}),
  /** Without it the box's system is not updated by the hub: one that is not an appliance. */
  update: UpdateConfig.optional(),
});

export interface EdgeConfig extends Omit<z.infer<typeof EdgeConfigFile>, "room" | "companion"> {
  /** `scripts`: folder of what goes into the page. */
  companion: CompanionConfig & { scripts: string };
  /** `ui`: folder of the built room screen. */
  room: { port: number; ui: string; screenHours?: { from: number; to: number } | undefined };
}

const BUILT_SCRIPTS = resolve(import.meta.dirname, "../../dist/companion");

/** Reads the text of a configuration file; pure. Relative folders are taken from the file's own folder. */
export function parseEdgeConfig(text: string, file: string): EdgeConfig {
  const config = parseConfig(text, file, EdgeConfigFile, MANUAL);
  const base = dirname(resolve(file));
  const { dataDirectory, runDirectory, room, companion, capture, secondMedium, provisioning, update } = config;
  const { stickDirectory, requestDirectory } = provisioning;
  const { source } = capture;
  return {
    ...config,
    dataDirectory: resolve(base, dataDirectory),
    runDirectory: resolve(base, runDirectory),
    diskKeyFile: resolve(base, config.diskKeyFile),
    provisioning: {
      ...(stickDirectory !== undefined && { stickDirectory: resolve(base, stickDirectory) }),
      ...(requestDirectory !== undefined && { requestDirectory: resolve(base, requestDirectory) }),
    },
    ...(secondMedium && { secondMedium: { directory: resolve(base, secondMedium.directory) } }),
    capture: { ...capture, source: source.kind === "file" ? { ...source, path: resolve(base, source.path) } : source },
    ...(update && {
      update: { ...update, keys: resolve(base, update.keys), requests: resolve(base, update.requests) },
    }),
    companion: { ...companion, scripts: resolve(base, companion.scripts ?? BUILT_SCRIPTS) },
    room: {
      ...room,
      ui: room.ui === undefined ? resolve(import.meta.dirname, "../../dist/room") : resolve(base, room.ui),
    },
  };
}

/** Reads and judges a configuration file. Recordings on network storage are refused: it is gone when the line is. */
export async function readEdgeConfig(file: string): Promise<EdgeConfig> {
  const config = parseEdgeConfig(await readConfigText(file, MANUAL), file);
  const network = await networkFileSystemOf(config.dataDirectory);
  if (network !== undefined)
    throw new ConfigError("invalid", `${file}: dataDirectory: lies on network storage (${network}); see ${MANUAL}`);
  return config;
}
