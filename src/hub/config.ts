import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { causeOf } from "../platform/platform.ts";

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
  ui: z.string().min(1).optional(),
});

export interface HubConfig extends Omit<z.infer<typeof HubConfigFile>, "ui"> {
  /** Folder of the built desk. */
  ui: string;
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
export function parseHubConfig(text: string, file: string): HubConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError("notJson", `${file} is not JSON (${causeOf(cause)}); see ${MANUAL}`, { cause });
  }
  const parsed = HubConfigFile.safeParse(json);
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue) => {
      const keys = issue.code === "unrecognized_keys" ? issue.keys : [undefined];
      return keys.map((key) => {
        const path = [...issue.path, ...(key === undefined ? [] : [key])].map(String).join(".");
        return `${path || "(the whole file)"}: ${key === undefined ? issue.message : "no such key"}`;
      });
    });
    throw new ConfigError("invalid", `${file}: ${faults.join("; ")}; see ${MANUAL}`);
  }
  const folder = dirname(resolve(file));
  return {
    ...parsed.data,
    dataDirectory: resolve(folder, parsed.data.dataDirectory),
    ui: parsed.data.ui === undefined ? join(import.meta.dirname, "../../dist/desk") : resolve(folder, parsed.data.ui),
  };
}

export async function readHubConfig(file: string): Promise<HubConfig> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new ConfigError("unreadable", `${file} cannot be read (${causeOf(cause)}); see ${MANUAL}`, { cause });
  }
  return parseHubConfig(text, file);
}
