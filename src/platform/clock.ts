import { readFileSync } from "node:fs";

/** The three kinds of time never mix: wall time is for people, monotonic time for durations, media time is elsewhere. */
export interface Clock {
  /** Milliseconds since 1970, UTC; may jump. */
  wallMs(): number;
  /** CLOCK_MONOTONIC in milliseconds since boot: the same count in every process of one boot. */
  monotonicMs(): number;
  /** Names the boot that monotonicMs counts from. */
  readonly bootId: string;
  /** Resolves after ms of monotonic time; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  get bootId() {
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    Object.defineProperty(systemClock, "bootId", { value: bootId });
    return bootId;
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal!.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

/**
 * The same clock, whose sleeps of a beat and more end at common beats, up to half of one sooner or later: loops that look
 * every now and then wake the process together. A wake-up out of idleness costs 60 to 140 us whatever is done in it,
 * measured on a virtual machine.
 */
export const inBeats = (clock: Clock, beatMs: number): Clock => ({
  wallMs: () => clock.wallMs(),
  monotonicMs: () => clock.monotonicMs(),
  get bootId() {
    return clock.bootId;
  },
  sleep(ms, signal) {
    if (ms < beatMs) return clock.sleep(ms, signal);
    const nowMs = clock.monotonicMs();
    return clock.sleep(Math.ceil(Math.round((nowMs + ms) / beatMs) * beatMs - nowMs), signal);
  },
});

/** ISO 8601, UTC, milliseconds. */
export const isoUtc = (wallMs: number): string => new Date(wallMs).toISOString();
