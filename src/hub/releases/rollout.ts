import type { BoxId, BoxUpdate, ReleaseManifest, ReleaseRefusal } from "../../protocol/protocol.ts";
import { compareVersions, judgeRelease, sameHardware } from "../../protocol/protocol.ts";

/** `held`: a box gave it up; `paused`: an administrator says so. Both until an administrator continues. */
export type ReleaseState = "receiving" | "published" | "paused" | "held";

/** A box that gave a release up, once for each attempt. */
export interface Failure {
  box: BoxId;
  attempt: number;
  reason: string;
  detail: string;
  at: string;
}

export interface KnownRelease {
  id: string;
  manifest: Pick<ReleaseManifest, "version" | "minimumVersion" | "architecture" | "flavour">;
  state: ReleaseState;
  /** The boxes that have it first. */
  firstRing: readonly BoxId[];
  /** The rest may have it too. */
  opened: boolean;
  attempt: number;
  failures: readonly Failure[];
}

/** What a box said last; boxes that are no appliances say nothing. */
export interface KnownUpdate {
  box: BoxId;
  update: BoxUpdate;
  /** Since when it has run well what it runs, ms since 1970. */
  healthySinceMs: number | null;
}

/** The newest release that this box should run and may take; undefined: it stays as it is. */
export function releaseFor({ box, update }: KnownUpdate, releases: readonly KnownRelease[]): KnownRelease | undefined {
  return releases
    .filter(({ state, opened, firstRing }) => state === "published" && (opened || firstRing.includes(box)))
    .filter(({ manifest }) => !judgeRelease(manifest, update))
    .reduce<KnownRelease | undefined>(
      (newest, each) => (newest && compareVersions(newest.manifest.version, each.manifest.version) > 0 ? newest : each),
      undefined,
    );
}

/** The statement of a box that gives up what it was told to take: a reason to hold it for all; told once. */
export function failureOf(release: KnownRelease, { box, update }: KnownUpdate, at: string): Failure | undefined {
  const { state, reason, detail, release: about } = update;
  if (about?.id !== release.id || (state !== "fellBack" && state !== "refused")) return undefined;
  const known = release.failures.some((failure) => failure.box === box && failure.attempt >= about.attempt);
  return known ? undefined : { box, attempt: about.attempt, reason: reason ?? "didNotStart", detail, at };
}

/**
 * Whether the rest may have it: every box of the first ring that did not fail runs it well, and has done so for a while. Boxes
 * that are no longer in force are not waited for.
 */
export function mayOpen(release: KnownRelease, boxes: readonly KnownUpdate[], nowMs: number, restMs: number): boolean {
  const { state, opened, firstRing, failures, manifest } = release;
  if (state !== "published" || opened) return false;
  const ring = boxes.filter(
    ({ box }) =>
      firstRing.includes(box) && !failures.some((failure) => failure.box === box && failure.attempt >= release.attempt),
  );
  const runsWell = ({ update, healthySinceMs }: KnownUpdate) =>
    compareVersions(update.running, manifest.version) >= 0 &&
    healthySinceMs !== null &&
    nowMs - healthySinceMs >= restMs;
  return ring.length > 0 && ring.every(runsWell);
}

/** Whether any box here could take it; undefined: yes, or no box has said yet what it is. */
export function judgeForFleet(
  manifest: KnownRelease["manifest"],
  boxes: readonly KnownUpdate[],
  releases: readonly KnownRelease[],
): { reason: ReleaseRefusal; detail: string } | undefined {
  const newest = releases
    .filter((release) => release.state !== "receiving" && sameHardware(release.manifest, manifest))
    .map((release) => release.manifest.version)
    .sort(compareVersions)
    .at(-1);
  if (newest !== undefined && compareVersions(manifest.version, newest) <= 0)
    return {
      reason: "downgraded",
      detail: `${manifest.version} is not newer than ${newest}, which was published before`,
    };
  const verdicts = boxes.map(({ update }) => judgeRelease(manifest, update));
  if (verdicts.length === 0 || verdicts.includes(undefined)) return undefined;
  // The refusal that comes closest to being taken says most.
  for (const reason of ["tooOld", "downgraded", "wrongHardware"] as const) {
    const found = verdicts.find((verdict) => verdict?.reason === reason);
    if (found) return found;
  }
  return verdicts[0];
}
