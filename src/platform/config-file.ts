import { readFile } from "node:fs/promises";
import type { z } from "zod";
import { causeOf } from "./log.ts";

/** Stops start-up. The message names the file, each key that is wrong, and the manual page. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: "unreadable" | "notJson" | "invalid";
  constructor(code: ConfigError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Reads the text of a JSON configuration file; pure.
 * @param file its name, for the message
 * @param manual page that has a row per key
 */
export function parseConfig<S extends z.ZodType>(text: string, file: string, schema: S, manual: string): z.output<S> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError("notJson", `${file} is not JSON (${causeOf(cause)}); see ${manual}`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ConfigError("invalid", `${file}: ${parsed.error.issues.flatMap(faults).join("; ")}; see ${manual}`);
}

export async function readConfigText(file: string, manual: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new ConfigError("unreadable", `${file} cannot be read (${causeOf(cause)}); see ${manual}`, { cause });
  }
}

/** `key: what is wrong`, one per key. */
function faults(issue: z.core.$ZodIssue): string[] {
  const at = (path: readonly PropertyKey[]) => path.map(String).join(".") || "(the whole file)";
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => `${at([...issue.path, key])}: no such key`);
  return [`${at(issue.path)}: ${issue.message}`];
}
