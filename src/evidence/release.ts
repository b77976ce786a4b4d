import { createHash, createPublicKey, verify, type KeyObject } from "node:crypto";
import { stat } from "node:fs/promises";
import { sha256File, sha256Hex } from "../platform/platform.ts";
import { ReleaseManifest, type ReleaseFile, type ReleaseRefusal, type SignedRelease } from "../protocol/protocol.ts";

/** Public halves of the keys whose releases are taken, by {@link releaseKeyName}. */
export type ReleaseKeys = ReadonlyMap<string, KeyObject>;

export type ReleaseVerdict =
  | { ok: true; id: string; manifest: ReleaseManifest; signed: SignedRelease }
  | { ok: false; reason: ReleaseRefusal; detail: string };

const PEM = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g;

/** The first 16 hex digits of the SHA-256 of the key's SubjectPublicKeyInfo (DER). */
export const releaseKeyName = (key: KeyObject): string =>
  createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("hex")
    .slice(0, 16);

/** Reads PEM blocks, any number behind each other: while a key is being replaced, two are trusted. Throws on another kind. */
export function parseReleaseKeys(pem: string): ReleaseKeys {
  const keys = (pem.match(PEM) ?? []).map((block) => createPublicKey(block));
  if (keys.length === 0) throw new Error("there is no public key in it");
  if (keys.some(({ asymmetricKeyType }) => asymmetricKeyType !== "ed25519"))
    throw new Error("a release key is an Ed25519 key");
  return new Map(keys.map((key) => [releaseKeyName(key), key]));
}

/**
 * Reads a manifest that somebody says is signed. The signature is over the exact bytes and stands for everything in it; the
 * key's name is believed only to tell a foreign key from a changed text.
 */
export function readRelease(signed: SignedRelease, keys: ReleaseKeys): ReleaseVerdict {
  const refuse = (reason: ReleaseRefusal, detail: string): ReleaseVerdict => ({ ok: false, reason, detail });
  let json: unknown;
  try {
    json = JSON.parse(signed.manifest);
  } catch {
    return refuse("unreadable", "the manifest is not JSON");
  }
  const named = typeof json === "object" && json !== null && "key" in json ? String(json.key) : "";
  const key = keys.get(named);
  if (!key) return refuse("unknownKey", `signed by the key ${named.slice(0, 16)}`);
  const bytes = Buffer.from(signed.manifest, "utf8");
  if (!verify(null, bytes, key, Buffer.from(signed.signature, "base64")))
    return refuse("tampered", "the signature does not fit the manifest");
  const parsed = ReleaseManifest.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return refuse("unreadable", `${issue?.path.join(".")}: ${issue?.message}`);
  }
  return { ok: true, id: sha256Hex(bytes), manifest: parsed.data, signed };
}

/** Whether a file is the one that the manifest names; undefined: it is. */
export async function judgeReleaseFile(
  path: string,
  { name, sizeBytes, sha256 }: ReleaseFile,
): Promise<{ reason: "truncated" | "tampered"; detail: string } | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.size !== sizeBytes)
    return { reason: "truncated", detail: `${name}: ${found?.size ?? "no"} bytes instead of ${sizeBytes}` };
  const { sha256: is } = await sha256File(path);
  return is === sha256 ? undefined : { reason: "tampered", detail: `${name}: its SHA-256 is ${is}` };
}
