import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { compareVersions, judgeRelease, ReleaseManifest } from "../protocol/protocol.ts";
import { parseReleaseKeys, readRelease, releaseKeyName } from "./release.ts";

const ours = generateKeyPairSync("ed25519");
const theirs = generateKeyPairSync("ed25519");
const pem = (keys: typeof ours) => keys.publicKey.export({ type: "spki", format: "pem" });
const hardware = { architecture: "x86-64", flavour: "screen" };
const manifest = (fields: object = {}) => ({
  ...{ v: 1, kind: "release", version: "2.0", ...hardware, minimumVersion: "1.0" },
  ...{ madeAt: "2026-11-22T00:00:00.000Z", notes: "", key: releaseKeyName(ours.publicKey) },
  files: [{ name: "diemcau_2.0.efi", sizeBytes: 1, sha256: "0".repeat(64) }],
  ...fields,
});
const signed = (value: object, by = ours) => {
  const text = JSON.stringify(value);
  return { manifest: text, signature: sign(null, Buffer.from(text), by.privateKey).toString("base64") };
};
const keys = parseReleaseKeys(pem(ours));

describe("a release's manifest", () => {
  test("is believed with the signature of a trusted key, of two while one is replaced", () => {
    expect(readRelease(signed(manifest()), keys)).toMatchObject({ ok: true, manifest: { version: "2.0" } });
    const both = parseReleaseKeys(`${pem(ours)}\n${pem(theirs)}`);
    const other = manifest({ key: releaseKeyName(theirs.publicKey) });
    expect(readRelease(signed(other, theirs), both).ok).toBe(true);
  });

  test("of a foreign key is told from one that was changed", () => {
    const foreign = signed(manifest({ key: releaseKeyName(theirs.publicKey) }), theirs);
    expect(readRelease(foreign, keys)).toMatchObject({ ok: false, reason: "unknownKey" });
    // Signed by a foreign key under our key's name.
    expect(readRelease(signed(manifest(), theirs), keys)).toMatchObject({ ok: false, reason: "tampered" });
    const good = signed(manifest());
    const changed = { ...good, manifest: good.manifest.replace('"1.0"', '"0.9"') };
    expect(readRelease(changed, keys)).toMatchObject({ ok: false, reason: "tampered" });
    expect(readRelease({ ...good, signature: "" }, keys)).toMatchObject({ ok: false, reason: "tampered" });
    expect(readRelease({ ...good, manifest: "{" }, keys)).toMatchObject({ ok: false, reason: "unreadable" });
    expect(readRelease(signed({ ...manifest(), version: "two" }), keys)).toMatchObject({
      ok: false,
      reason: "unreadable",
    });
  });

  test("is no release where a file's name carries another version, leads elsewhere or comes twice", () => {
    const file = { name: "diemcau_2.0.efi", sizeBytes: 1, sha256: "0".repeat(64) };
    for (const files of [
      [{ ...file, name: "diemcau_3.0.efi" }],
      [{ ...file, name: "../diemcau_2.0.efi" }],
      [file, file],
      [],
    ])
      expect(ReleaseManifest.safeParse(manifest({ files })).success).toBe(false);
    const name = "diemcau_2.0_0f0c1e5e-2f4c-4c1f-9df1-6c1d2b7f3a11.root.raw";
    expect(ReleaseManifest.safeParse(manifest({ files: [file, { ...file, name }] })).success).toBe(true);
  });

  test("keys that are none, or of another kind, stop whoever reads them", () => {
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
    expect(() => parseReleaseKeys("")).toThrow(/no public key/);
    expect(() => parseReleaseKeys(ec.publicKey.export({ type: "spki", format: "pem" }))).toThrow(/Ed25519/);
  });
});

describe("a box takes a release", () => {
  const box = { running: "1.5", hardware };
  const judged = (fields: object) => judgeRelease(ReleaseManifest.parse(manifest(fields)), box)?.reason;
  test("that is newer, made for it, and whose minimum it has", () => {
    expect(judged({})).toBeUndefined();
    expect(judged({ minimumVersion: "1.5" })).toBeUndefined();
    expect(judged({ minimumVersion: "1.6" })).toBe("tooOld");
    expect(judged({ flavour: "headless" })).toBe("wrongHardware");
    const name = (version: string) => ({
      version,
      files: [{ name: `diemcau_${version}.efi`, sizeBytes: 1, sha256: "0".repeat(64) }],
    });
    expect(judged(name("1.5"))).toBe("downgraded");
    expect(judged(name("1.4.9"))).toBe("downgraded");
    expect(judged(name("1.5.0"))).toBeUndefined();
  });

  test("and versions are numbers, not texts", () => {
    const sorted = ["0.9", "0.10", "1", "1.0", "1.0.1", "2", "10"];
    expect([...sorted].reverse().sort(compareVersions)).toEqual(sorted);
    expect(compareVersions("1.2", "1.2")).toBe(0);
  });
});
