// oxlint-disable-next-line import/default -- the bundler makes a script of its own of this and exports its address
import workletUrl from "./sound.worklet.ts?worker&url";

/**
 * The page's one AudioContext, made when the first room is to be heard and asleep while none is. Browsers allow six
 * or so of them, and each costs a thread that must never be late.
 */
export interface Speakers {
  /** Wakes the context and loads the jitter buffer's worklet. Each use is given back by `release`. */
  acquire(): Promise<AudioContext>;
  release(): void;
}

function createSpeakers(): Speakers {
  let context: AudioContext | undefined;
  let worklet: Promise<void> | undefined;
  let users = 0;
  // Resuming is refused until the user has touched the page.
  const wake = () => {
    if (context?.state === "suspended" && users > 0) void context.resume().catch(() => {});
  };
  return {
    async acquire() {
      users++;
      if (!context) {
        context = new AudioContext({ latencyHint: "interactive" });
        for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, wake, { capture: true });
      }
      wake();
      worklet ??= context.audioWorklet.addModule(workletUrl);
      try {
        await worklet;
      } catch (error) {
        worklet = undefined;
        throw error;
      }
      return context;
    },
    release() {
      users--;
      if (users === 0) void context?.suspend().catch(() => {});
    },
  };
}

export const speakers: Speakers = createSpeakers();
