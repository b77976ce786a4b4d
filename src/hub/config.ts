import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { parseConfig, readConfigText } from "../platform/platform.ts";

const MANUAL = "docs/ref/hub-config.md";

const port = z.number().int().min(0).max(65_535);
/** A DNS name or an address, as it goes into a certificate. */
const hostName = z.union([
  z.ipv4(),
  z.ipv6(),
  z.string().regex(/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i),
]);

/** Each key is a row of docs/ref/hub-config.md. */
export const HubConfigFile = z.strictObject({
  dataDirectory: z.string().min(1),
  listen: z
    .strictObject({ host: z.string().min(1).default("::"), port: port.default(8443) })
    .default({ host: "::", port: 8443 }),
  loopback: z.strictObject({ port: port.default(8080) }).default({ port: 8080 }),
  hostNames: z.array(hostName).min(1).max(32).default(["localhost"]),
  province: z
    .strictObject({ target: z.string().min(1) })
    .nullable()
    .default(null),
  storage: z
    .strictObject({
      keepFreeBytes: z.number().int().nonnegative().nullable().default(null),
      inboxBytesPerBox: z.number().int().min(100e6).default(8e9),
      rereadDays: z.number().positive().max(3_650).default(30),
      importDirectory: z.string().min(1).optional(),
    })
    .prefault({}),
  reception: z
    .strictObject({
      testsBeforeMinutes: z
        .array(z.number().int().min(1).max(20_160))
        .max(10)
        .transform((all) => [...new Set(all)])
        .default([1_440, 120]),
    })
    .prefault({}),
  backup: z
    .strictObject({
      directory: z.string().min(1).optional(),
      passphraseFile: z.string().min(1).nullable().default(null),
      keep: z.number().int().positive().default(28),
    })
    .prefault({}),
  releases: z
    .strictObject({
      keys: z.string().min(1).nullable().default(null),
      importDirectory: z.string().min(1).optional(),
      firstRingHours: z.number().min(0).max(2_160).default(24),
    })
    .prefault({}),
  ui: z.string().min(1).optional(),
});

type File = z.infer<typeof HubConfigFile>;

export interface HubConfig extends Omit<File, "ui" | "backup" | "releases" | "storage"> {
  storage: File["storage"] & { importDirectory: string };
  backup: File["backup"] & { directory: string };
  releases: { keys: string | null; importDirectory: string; firstRingHours: number };
  /** Folder of the built desk. */
  ui: string;
}

/** Reads the text of a configuration file; pure. Relative folders are taken from the file's own folder. */
export function parseHubConfig(text: string, file: string): HubConfig {
  const config = parseConfig(text, file, HubConfigFile, MANUAL);
  const folder = dirname(resolve(file));
  const dataDirectory = resolve(folder, config.dataDirectory);
  const { directory, passphraseFile } = config.backup;
  const { keys, importDirectory, firstRingHours } = config.releases;
  return {
    ...config,
    dataDirectory,
    storage: {
      ...config.storage,
      importDirectory: resolve(folder, config.storage.importDirectory ?? join(dataDirectory, "recording-import")),
    },
    backup: {
      ...config.backup,
      directory: directory === undefined ? join(dataDirectory, "backups") : resolve(folder, directory),
      passphraseFile: passphraseFile === null ? null : resolve(folder, passphraseFile),
    },
    releases: {
      keys: keys === null ? null : resolve(folder, keys),
      importDirectory: resolve(folder, importDirectory ?? join(dataDirectory, "release-import")),
      firstRingHours,
    },
    ui: config.ui === undefined ? join(import.meta.dirname, "../../dist/desk") : resolve(folder, config.ui),
  };
}

export const readHubConfig = async (file: string): Promise<HubConfig> =>
  parseHubConfig(await readConfigText(file, MANUAL), file);
