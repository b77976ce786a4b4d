import { z } from "zod";
import { Sha256Hex } from "./records.ts";

/**
 * A release of a box's whole system: a manifest (`release.json`), its Ed25519 signature (`release.json.sig`, 64 raw bytes
 * over the manifest's exact bytes: `openssl pkeyutl -verify -rawin`), and the files that the manifest names. Hub and box
 * judge it by the same functions, each against what it knows itself.
 */
export const RELEASE_MANIFEST = "release.json";
export const RELEASE_SIGNATURE = "release.json.sig";

/** Numbers with dots, without leading zeros; ordered as systemd-sysupdate orders them. */
export const ReleaseVersion = z
  .string()
  .max(24)
  .regex(/^(0|[1-9]\d{0,4})(\.(0|[1-9]\d{0,4})){0,3}$/, "must be numbers with dots between");

/** Below zero: `a` is older. `1` is older than `1.0`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number)) as [number[], number[]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? -1) - (right[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** What a system runs on: systemd's name of the architecture, and what was built into it (with a screen or without). */
export const BoxHardware = z.object({
  architecture: z.string().regex(/^[a-z0-9-]{1,32}$/),
  flavour: z.string().regex(/^[a-z0-9-]{1,32}$/),
});
export type BoxHardware = z.infer<typeof BoxHardware>;

export const sameHardware = (a: BoxHardware, b: BoxHardware): boolean =>
  a.architecture === b.architecture && a.flavour === b.flavour;

const FileName = z.string().regex(/^[a-z0-9][A-Za-z0-9._-]{0,119}$/, "must be a plain file name");
export const ReleaseFile = z.looseObject({
  name: FileName,
  sizeBytes: z.number().int().positive().max(8e9),
  sha256: Sha256Hex,
});
export type ReleaseFile = z.infer<typeof ReleaseFile>;

export const ReleaseManifest = z
  .looseObject({
    v: z.literal(1),
    kind: z.literal("release"),
    version: ReleaseVersion,
    ...BoxHardware.shape,
    /** A box that runs an older one must take another release first. */
    minimumVersion: ReleaseVersion,
    madeAt: z.iso.datetime(),
    /** What changed, for whoever publishes it. */
    notes: z.string().max(4_000),
    /** {@link keyName} of the key that signs it. */
    key: z.string().regex(/^[0-9a-f]{16}$/),
    files: z.array(ReleaseFile).min(1).max(8),
  })
  // systemd-sysupdate believes the version in the name.
  .refine(
    ({ version, files }) =>
      files.every(({ name }) => /^[a-z][a-z-]*_([0-9.]+?)(?:_|\.[a-z])/.exec(name)?.[1] === version),
    {
      path: ["files"],
      message: "each file's name must carry the version",
    },
  )
  .refine(({ files }) => new Set(files.map(({ name }) => name)).size === files.length, {
    path: ["files"],
    message: "names must differ",
  });
export type ReleaseManifest = z.infer<typeof ReleaseManifest>;

/** A manifest as it is stored and sent: its exact text, and the signature over it (base64). */
export const SignedRelease = z.object({ manifest: z.string().max(32_768), signature: z.base64().max(128) });
export type SignedRelease = z.infer<typeof SignedRelease>;

/** Why a release is not taken, at the hub as at the box; each screen has the words. */
export const RELEASE_REFUSALS = [
  /** No manifest, or one that says something else than a manifest. */
  "unreadable",
  /** Signed by nobody whom this hub or box trusts. */
  "unknownKey",
  /** Signature or contents are not what was signed. */
  "tampered",
  /** A file is missing, or shorter or longer than signed. */
  "truncated",
  "wrongHardware",
  /** Not newer than what is there. */
  "downgraded",
  /** What runs now is older than the release's minimum version. */
  "tooOld",
  /** No room to keep it. */
  "noRoom",
] as const;
export type ReleaseRefusal = (typeof RELEASE_REFUSALS)[number];

/** Whether a box that runs `running` on `hardware` may take it; undefined: it may. */
export function judgeRelease(
  manifest: Pick<ReleaseManifest, "version" | "minimumVersion" | "architecture" | "flavour">,
  { running, hardware }: { running: string; hardware: BoxHardware },
): { reason: ReleaseRefusal; detail: string } | undefined {
  const { version, minimumVersion, architecture, flavour } = manifest;
  if (!sameHardware(manifest, hardware))
    return {
      reason: "wrongHardware",
      detail: `made for ${architecture} ${flavour}, this is ${hardware.architecture} ${hardware.flavour}`,
    };
  if (compareVersions(version, running) <= 0)
    return { reason: "downgraded", detail: `${version} is not newer than ${running}` };
  if (compareVersions(running, minimumVersion) < 0)
    return { reason: "tooOld", detail: `needs ${minimumVersion} or newer, this is ${running}` };
  return undefined;
}

/** Why the box waits, with everything it needs in its hands or still to come. */
export const UPDATE_WAITS = ["session", "soon", "unproven", "offline", "line", "held"] as const;
export type UpdateWait = (typeof UPDATE_WAITS)[number];

/** Why a new release was given up, by the box that tried it. */
export const UPDATE_FAILURES = [
  "installFailed",
  /** It never came up: the slot is damaged, or its system hangs. */
  "didNotStart",
  "nothingRecorded",
  "recordingIncomplete",
  "recordingDamaged",
  "cameraMissing",
  "microphoneMissing",
  "agentSilent",
  "trialFailed",
] as const;
export type UpdateFailure = (typeof UPDATE_FAILURES)[number];

export const UpdateState = z.enum([
  /** Nothing to do. */
  "current",
  "downloading",
  "waiting",
  "installing",
  /** In the other slot; the restart comes next. */
  "installed",
  /** The new release runs, and has not yet shown that it records. */
  "trial",
  /** It does. */
  "healthy",
  /** The box runs the former release again. */
  "fellBack",
  "refused",
]);
export type UpdateState = z.infer<typeof UpdateState>;

/** Box → hub, on each connection and on each change: a full statement. */
export const BoxUpdate = z.looseObject({
  type: z.literal("update"),
  running: ReleaseVersion,
  hardware: BoxHardware,
  state: UpdateState,
  /** What the state is about; null: nothing was ever offered. */
  release: z.looseObject({ id: Sha256Hex, version: ReleaseVersion, attempt: z.number().int() }).nullable(),
  /** Of the release's bytes that the box has, 0 to 100. */
  percent: z.number().min(0).max(100),
  /** An {@link UpdateWait}, {@link UpdateFailure} or {@link ReleaseRefusal}, or one that only a newer box knows. */
  reason: z.string().max(64).nullable(),
  detail: z.string().max(300),
  /** A whole session was recorded with the running release: only then is the former one given up. */
  proven: z.boolean(),
});
export type BoxUpdate = z.infer<typeof BoxUpdate>;

/** Hub → box, on each connection and on each change: the release that this box should run, or null for none. */
export const HubRelease = z.looseObject({
  type: z.literal("release"),
  /** A release that failed is tried again only under a higher `attempt`. */
  release: z.looseObject({ ...SignedRelease.shape, attempt: z.number().int().nonnegative() }).nullable(),
});
export type HubRelease = z.infer<typeof HubRelease>;

/** Where boxes fetch a release's file, on the port and ALPN of the control channel. `id` is the SHA-256 of the manifest. */
export const releaseFilePath = (id: string, name: string): string => `/releases/${id}/${name}`;

export function parseReleaseFilePath(path: string): { id: string; name: string } | undefined {
  const match = /^\/releases\/([0-9a-f]{64})\/([^/]+)$/.exec(path);
  return match && FileName.safeParse(match[2]).success ? { id: match[1]!, name: match[2]! } : undefined;
}
