import { describe, expect, test } from "vitest";
import { z } from "zod";
import { EdgeConfigFile } from "../../src/edge/config.ts";
import { HubConfigFile } from "../../src/hub/config.ts";
import { read } from "./sources.ts";

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
}

/** Dotted names of all keys that hold a value of their own, in whatever variant they occur. */
function keysOf(schema: JsonSchema, path = ""): string[] {
  const variants = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
  const inner = [
    ...Object.entries(schema.properties ?? {}).flatMap(([key, value]) => keysOf(value, path ? `${path}.${key}` : key)),
    ...variants.flatMap((variant) => keysOf(variant, path)),
  ];
  const isPlain = schema.properties === undefined && (variants.length === 0 || variants.some((v) => !v.properties));
  return isPlain && path ? [path, ...inner] : inner;
}

const keys = (schema: z.ZodType) =>
  new Set(keysOf(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema));
const rows = (page: string) => new Set([...read(page).matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]!));

describe("each configuration page has a row for each key and no other", () => {
  test.each([
    ["docs/ref/box-config.md", EdgeConfigFile],
    ["docs/ref/hub-config.md", HubConfigFile],
  ] as const)("%s", (page, schema) => {
    const [written, real] = [rows(page), keys(schema)];
    expect(real.size).toBeGreaterThan(6);
    expect([...written].filter((key) => !real.has(key))).toEqual([]);
    // A union's own row ("auto" or an object) stands beside the rows of its object.
    expect([...real].filter((key) => !written.has(key) && key !== "province")).toEqual([]);
  });
});
