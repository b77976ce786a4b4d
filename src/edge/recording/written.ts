import { openSynced, syncFile, type Clock, type SyncedFile } from "../../platform/platform.ts";
import type { Take } from "./take.ts";

/** A power cut costs half of this in the middle, and all of it at worst (`npm run bench -- powercut`). */
const SYNC_MS = 100;

/** What the encoder has written survives a power cut a moment later. */
export class Written {
  /** What the disk of the running take said when it was asked to keep what is written. */
  unsynced: unknown;
  /** The file behind the open one, once the encoder has begun it. */
  begun = "";
  private readonly options: { clock: Clock; take: () => Take | undefined; onRefused: () => void };

  /** @param options `take`: the one that is being written */
  constructor(options: { clock: Clock; take: () => Take | undefined; onRefused: () => void }) {
    this.options = options;
  }

  /** The file behind the open one too, as soon as it has been seen: by then the open one, synced first, is whole. */
  async keep(signal: AbortSignal): Promise<void> {
    const { clock, onRefused } = this.options;
    let held: SyncedFile | undefined;
    try {
      while (!signal.aborted) {
        const take = this.options.take();
        const seq = take?.closed ?? 0;
        const path = take?.path(seq);
        if (held?.path !== path) {
          await held?.[Symbol.asyncDispose]();
          held = undefined;
          held = path === undefined ? undefined : await openSynced(path);
        }
        await held?.sync();
        if (this.begun === take?.path(seq + 1)) await syncFile(this.begun);
        this.unsynced = undefined;
        await clock.sleep(SYNC_MS, signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.unsynced = error;
      onRefused();
      throw error;
    } finally {
      await held?.[Symbol.asyncDispose]();
    }
  }
}
