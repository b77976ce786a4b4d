import { causeOf, type Clock, type Log } from "../../platform/platform.ts";
import { lampsOf, type Health } from "../../protocol/protocol.ts";
import type { Machine, MachineFacts } from "./health.ts";

export interface ReportOptions {
  log: Log;
  clock: Clock;
  machine: Pick<Machine, "measure">;
  /** Joins what the machine says with what recorder and uplink say now. */
  compose: (machine: MachineFacts) => Health;
  mustRecord: () => boolean;
  connected: () => boolean;
  /** Every 10 s, and at once when a lamp, a trouble, a device or the test of sound changes. */
  send: (health: Health) => void;
  /** Every second, for the room's own screen. */
  onLook: (health: Health) => void;
}

const REPORT_EVERY_MS = 10_000;
const LOOK_EVERY_MS = 1_000;

/** Looks every second, measures the machine every 10 s. */
export async function reportHealth(options: ReportOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  let machine: MachineFacts | undefined;
  let measuredMs = -Infinity;
  let said = "";
  while (!signal.aborted) {
    const now = clock.monotonicMs();
    const due = now - measuredMs >= REPORT_EVERY_MS;
    try {
      if (due || !machine) {
        machine = await options.machine.measure();
        measuredMs = now;
      }
      const health = options.compose(machine);
      options.onLook(health);
      const connected = options.connected();
      const lamps = JSON.stringify([
        connected,
        lampsOf(health, connected, options.mustRecord()),
        health.devices,
        health.soundTest,
      ]);
      if (connected && (due || lamps !== said)) options.send(health);
      said = lamps;
    } catch (error) {
      log.error("health.failed", { cause: causeOf(error) });
    }
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
  }
}
