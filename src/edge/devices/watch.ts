import { watch, type FSWatcher } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../platform/platform.ts";

/** Cameras, sound cards and encoders. */
const NODE = /^(video\d+|snd|dri|v4l)$/;
/** After the last event: udev gives the node to its group, and the sound server takes some seconds to have it. */
const LOOKS_AFTER_MS = [300, 1_200, 3_000];

/**
 * Tells when something was plugged in or out. The kernel itself makes and removes device nodes (devtmpfs), which inotify
 * sees: nothing is asked for while nothing happens. Each change is told three times, since what comes of it takes a while.
 * @param dev usually /dev
 */
export async function watchPlugs(clock: Clock, dev: string, onChange: () => void, signal: AbortSignal): Promise<void> {
  let event = Promise.withResolvers<void>();
  let sound: FSWatcher | undefined;
  const told = () => event.resolve();
  const watchSound = () => {
    sound?.close();
    // Comes with the first card, and goes with the last.
    try {
      sound = watch(join(dev, "snd"), told);
      sound.on("error", told);
    } catch {
      sound = undefined;
    }
  };
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const all = watch(dev, (_, name) => {
    if (!NODE.test(name ?? "")) return;
    if (name === "snd") watchSound();
    told();
  });
  all.on("error", (error) => failed.reject(error));
  watchSound();
  const stopped = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => stopped.resolve(), { once: true });
  if (signal.aborted) stopped.resolve();
  try {
    while (!signal.aborted) {
      await Promise.race([event.promise, failed.promise, stopped.promise]);
      for (let i = 0; i < LOOKS_AFTER_MS.length && !signal.aborted; i++) {
        event = Promise.withResolvers<void>();
        const over = new AbortController();
        const slept = clock.sleep(LOOKS_AFTER_MS[i]!, over.signal).then(
          () => "slept" as const,
          () => "slept" as const,
        );
        const first = await Promise.race([slept, event.promise, stopped.promise]);
        over.abort();
        if (first === "slept") onChange();
        else i = -1;
      }
    }
  } finally {
    all.close();
    sound?.close();
  }
}
