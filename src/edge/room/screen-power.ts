import { ProcessError, runForever, runProcess, type Clock, type Log } from "../../platform/platform.ts";

/** From the first hour on, up to the second, in Vietnam's time. */
export interface ScreenHours {
  from: number;
  to: number;
}

export interface ScreenFacts {
  utcMs: number;
  /** How long this agent has been running. */
  runningMs: number;
  paired: boolean;
  inSession: boolean;
  /** The earliest session that has not begun, also one that is late. */
  nextSessionUtcMs: number | null;
}

const HOUR_MS = 3_600_000;
/** Without daylight saving, since 1975. */
const VIETNAM_MS = 7 * HOUR_MS;
/** The connection test is two hours before. */
const BEFORE_SESSION_MS = 3 * HOUR_MS;
/** Whoever plugs a box in wants to see something. */
const AFTER_START_MS = 30 * 60_000;
const LOOK_EVERY_MS = 15_000;
const ASK_TIMEOUT_MS = 5_000;

/** Whether the TV is to show the room's page; pure. */
export function screenWanted(hours: ScreenHours | undefined, facts: ScreenFacts): boolean {
  const { utcMs, nextSessionUtcMs } = facts;
  if (!hours || !facts.paired || facts.inSession || facts.runningMs < AFTER_START_MS) return true;
  if (nextSessionUtcMs !== null && nextSessionUtcMs - utcMs <= BEFORE_SESSION_MS) return true;
  const hour = new Date(utcMs + VIETNAM_MS).getUTCHours();
  return hours.from <= hours.to ? hour >= hours.from && hour < hours.to : hour >= hours.from || hour < hours.to;
}

export interface Output {
  name: string;
  enabled: boolean;
  hasPreferred: boolean;
}

/** Output of `wlr-randr`. */
export const parseOutputs = (text: string): Output[] =>
  text
    .split(/^(?=\S)/m)
    .filter((block) => /^\s+Enabled:/m.test(block))
    .map((block) => ({
      name: /^\S+/.exec(block)![0],
      enabled: /^\s+Enabled: yes/m.test(block),
      hasPreferred: block.includes("preferred"),
    }));

/** Arguments of `wlr-randr`, once for each output that is not as it should be. */
export const planOutputs = (outputs: readonly Output[], on: boolean): string[][] =>
  outputs
    .filter(({ enabled }) => enabled !== on)
    .map(({ name, hasPreferred }) => [
      ...["--output", name],
      // An output that was off has no mode any more, and cage refuses it without one.
      ...(on ? ["--on", ...(hasPreferred ? ["--preferred"] : ["--custom-mode", "1920x1080"])] : ["--off"]),
    ]);

/**
 * Keeps the TV as it is wanted, until aborted. Where there is no screen, or a compositor that does not take orders, nothing
 * happens; a TV that was darkened is lit again when the agent ends.
 */
export async function keepScreen(
  options: { clock: Clock; log: Log; hours: ScreenHours | undefined; facts: () => ScreenFacts },
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, hours, facts } = options;
  if (!hours) return;
  const set = async (on: boolean) => {
    const listed = await wlrRandr([]);
    for (const words of planOutputs(parseOutputs(listed), on)) {
      await wlrRandr(words);
      log.info("screen.power", { on, words: words.join(" ") });
    }
  };
  await runForever({ name: "screen", clock, log, baseMs: 60_000, capMs: 15 * 60_000 }, signal, async (signal) => {
    for (;;) {
      await set(screenWanted(hours, facts()));
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  });
  await set(true).catch(() => {});
}

async function wlrRandr(words: readonly string[]): Promise<string> {
  const env = { WAYLAND_DISPLAY: "wayland-0", ...process.env };
  const { code, stdout, stderr } = await runProcess(["wlr-randr", ...words], { timeoutMs: ASK_TIMEOUT_MS, env });
  if (code === 0) return stdout;
  throw new ProcessError("failed", `wlr-randr ended with ${code}: ${stderr.trim().slice(0, 300)}`);
}
