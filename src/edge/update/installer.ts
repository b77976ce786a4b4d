import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { makeDirectory, writeDurable, type Clock } from "../../platform/platform.ts";

export const InstallOutcome = z.discriminatedUnion("ok", [
  z.object({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), reason: z.string(), detail: z.string() }),
]);
export type InstallOutcome = z.infer<typeof InstallOutcome>;

/** What an update needs of the system besides the agent's own rights. */
export interface Installer {
  /** Puts the release in this folder into the other slot; it is judged once more there, by who has the right to. */
  install(directory: string, signal: AbortSignal): Promise<InstallOutcome>;
  restart(): Promise<void>;
}

/** A request as the agent writes it and the system's installer reads it. */
export const InstallRequest = z.object({ id: z.string().regex(/^[0-9a-f]{16}$/), directory: z.string() });
export const INSTALL_REQUEST = "install-release";
export const INSTALL_ANSWER = "install-release.answer";
const RESTART_REQUEST = "restart";

const ANSWER_LOOK_MS = 500;
/** Writing two slots' worth of bytes to a slow eMMC takes a few minutes. */
const ANSWER_WITHIN_MS = 30 * 60_000;

/**
 * Asks by files: a path unit of systemd watches each and starts what has the right (appliance/root, diemcau-install.path).
 * @param directory in memory, writable by the agent
 */
export function createFileInstaller(directory: string, clock: Clock, newId: () => string): Installer {
  const file = (name: string) => join(directory, name);
  return {
    async install(from, signal) {
      const id = newId();
      await makeDirectory(directory);
      await rm(file(INSTALL_ANSWER), { force: true });
      await writeDurable(file(INSTALL_REQUEST), JSON.stringify({ id, directory: from }));
      const untilMs = clock.monotonicMs() + ANSWER_WITHIN_MS;
      while (clock.monotonicMs() < untilMs) {
        await clock.sleep(ANSWER_LOOK_MS, signal);
        const answer = await readAnswer(file(INSTALL_ANSWER), id);
        if (answer) return answer;
      }
      return { ok: false, reason: "installFailed", detail: "the installer did not answer" };
    },
    async restart() {
      await makeDirectory(directory);
      await writeDurable(file(RESTART_REQUEST), "update\n");
    },
  };
}

const Answer = z.object({ id: z.string(), outcome: InstallOutcome });

async function readAnswer(path: string, id: string): Promise<InstallOutcome | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const answer = Answer.parse(JSON.parse(text));
    return answer.id === id ? answer.outcome : undefined;
  } catch {
    return undefined;
  }
}
