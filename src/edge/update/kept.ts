import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeDurable } from "../../platform/platform.ts";
import { ReleaseVersion, Sha256Hex, TakeId } from "../../protocol/protocol.ts";

/** What a room has plugged in, as far as a trial must find it again. */
export const Fitted = z.object({ camera: z.boolean(), microphone: z.boolean() });
export type Fitted = z.infer<typeof Fitted>;

/** What the box remembers of its updates. On the data partition: it outlasts both slots. */
export const UpdateMemory = z.object({
  v: z.literal(1),
  /** The release that was put into the other slot last, or was given up before. */
  tried: z
    .object({
      id: Sha256Hex,
      version: ReleaseVersion,
      attempt: z.number().int(),
      /** Of the boot in which it was installed: in that boot it cannot run yet. */
      bootId: z.string(),
      former: ReleaseVersion,
      phase: z.enum(["installed", "failed", "refused", "done"]),
      reason: z.string().nullable(),
      detail: z.string(),
      fitted: Fitted,
      /** The last that the former release recorded. */
      lastTake: TakeId.nullable(),
    })
    .nullable(),
  /** A release that runs well and has recorded no whole session yet: the former one stays in the other slot. */
  unproven: z.object({ version: ReleaseVersion, lastTake: TakeId.nullable() }).nullable(),
});
export type UpdateMemory = z.infer<typeof UpdateMemory>;
export type Tried = NonNullable<UpdateMemory["tried"]>;

export const NO_MEMORY: UpdateMemory = { v: 1, tried: null, unproven: null };
export const updateFolder = (dataDirectory: string): string => join(dataDirectory, "update");
export const memoryFile = (dataDirectory: string): string => join(updateFolder(dataDirectory), "state.json");

/** For programs beside the agent; what cannot be read says nothing. */
export async function readUpdateMemory(file: string): Promise<UpdateMemory> {
  const text = await readFile(file, "utf8").catch(() => "");
  try {
    return UpdateMemory.parse(JSON.parse(text));
  } catch {
    return NO_MEMORY;
  }
}

/** What the trial of a new release found, and the gate after it. */
export const TrialReport = z.object({
  v: z.literal(1),
  version: ReleaseVersion,
  bootId: z.string(),
  by: z.enum(["trial", "gate"]),
  ok: z.boolean(),
  /** An UpdateFailure. */
  reason: z.string().nullable(),
  detail: z.string(),
});
export type TrialReport = z.infer<typeof TrialReport>;

const reportFile = (dataDirectory: string) => join(updateFolder(dataDirectory), "trial.json");

export async function readTrialReport(dataDirectory: string): Promise<TrialReport | undefined> {
  const text = await readFile(reportFile(dataDirectory), "utf8").catch(() => "");
  try {
    return TrialReport.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export const writeTrialReport = (dataDirectory: string, report: TrialReport): Promise<void> =>
  writeDurable(reportFile(dataDirectory), JSON.stringify(report));

/**
 * What has become of the release that was installed, now that the box runs `running`. Pure.
 * @param counted the boot loader still counts this boot as a try
 */
export function afterBoot(
  tried: Tried,
  now: { running: string; bootId: string; counted: boolean; report: TrialReport | undefined },
): Pick<Tried, "phase" | "reason" | "detail"> {
  const same = { phase: tried.phase, reason: tried.reason, detail: tried.detail };
  if (tried.phase !== "installed" || now.bootId === tried.bootId) return same;
  const report = now.report?.version === tried.version ? now.report : undefined;
  if (now.running === tried.version) {
    const blessed = report?.by === "gate" && report.ok && report.bootId === now.bootId;
    return !now.counted || blessed ? { phase: "done", reason: null, detail: "" } : same;
  }
  const said = report && !report.ok ? report : undefined;
  return {
    phase: "failed",
    reason: said?.reason ?? "didNotStart",
    detail: said?.detail ?? `the box runs ${now.running} again`,
  };
}
