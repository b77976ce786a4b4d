import { z } from "zod";
import { ROOM_STATE_PATH } from "../../protocol/protocol.ts";
import type { Clock } from "../../platform/platform.ts";
import { readTrialReport } from "./kept.ts";
import { TRIAL_SECONDS, type TrialVerdict } from "./trial.ts";

const ASK_EVERY_MS = 500;
const ANSWER_MS = 2_000;
/** A start of the agent on a busy machine takes seconds. */
const WITHIN_MS = 120_000;

export interface GateOptions {
  clock: Clock;
  /** Of the room's page. */
  port: number;
  version: string;
  dataDirectory: string;
}

/**
 * The last word on a release that was started for the first time: its trial was passed in this boot, and its agent is at work.
 * Where a session is on, that means that its recording has grown for as long as a trial lasts; otherwise that its
 * encoder gives pictures. Whether the hub is reached is no question: a line may be down for days.
 */
export async function watchGate({ clock, port, version, dataDirectory }: GateOptions): Promise<TrialVerdict> {
  const tried = await readTrialReport(dataDirectory);
  if (tried?.version !== version || tried.bootId !== clock.bootId)
    return { ok: false, reason: "trialFailed", detail: "there was no trial in this boot" };
  if (!tried.ok) return { ok: false, reason: (tried.reason ?? "trialFailed") as "trialFailed", detail: tried.detail };
  const untilMs = clock.monotonicMs() + WITHIN_MS;
  let seen = "no answer";
  while (clock.monotonicMs() < untilMs) {
    const state = await ask(port);
    if (state) {
      const { recording, session, health } = state;
      if (session?.state === "live") {
        const seconds = recording?.seconds ?? 0;
        seen = `${seconds.toFixed(1)} s recorded of the running session`;
        if (seconds >= TRIAL_SECONDS) return { ok: true, detail: seen };
      } else {
        seen = `the encoder is ${health?.encoder.state ?? "unknown"}`;
        if (health?.encoder.state === "preview") return { ok: true, detail: `${tried.detail}; ${seen}` };
      }
    }
    await clock.sleep(ASK_EVERY_MS);
  }
  return { ok: false, reason: "agentSilent", detail: seen };
}

/** Of RoomState, what is asked for. */
const Seen = z.looseObject({
  session: z.looseObject({ state: z.string() }).nullable(),
  recording: z.looseObject({ seconds: z.number() }).nullable(),
  health: z.looseObject({ encoder: z.looseObject({ state: z.string() }) }).nullable(),
});

async function ask(port: number): Promise<z.infer<typeof Seen> | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${ROOM_STATE_PATH}`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return Seen.parse(await answer.json());
  } catch {
    return undefined;
  }
}
