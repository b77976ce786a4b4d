// oxlint-disable-next-line import/default -- the bundler makes a script of its own of this and exports its address
import workletUrl from "./sound.worklet.ts?worker&url";

/**
 * The page's one AudioContext, in which all rooms that are heard are mixed; made when the first room is to be heard and
 * asleep while none is. Browsers allow six or so of them, and each costs a thread that must never be late.
 */
export interface Speakers {
  /** One more room is heard: the context is woken. Each use is given back by `release`. */
  acquire(): void;
  /** The context with the jitter buffer's worklet in it. */
  open(): Promise<AudioContext>;
  release(): void;
}

function createSpeakers(): Speakers {
  let context: AudioContext | undefined;
  let worklet: Promise<void> | undefined;
  let users = 0;
  const made = () => {
    if (context) return context;
    context = new AudioContext({ latencyHint: "interactive" });
    // Some devices end a context that was interrupted; resuming is refused until the user has touched the page.
    context.addEventListener("statechange", wake);
    for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, wake, { capture: true });
    return context;
  };
  const wake = () => {
    if (context && context.state !== "running" && users > 0) void context.resume().catch(() => {});
  };
  return {
    acquire() {
      users++;
      made();
      wake();
    },
    async open() {
      const context = made();
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
