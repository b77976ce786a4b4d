import { readFile } from "node:fs/promises";
import { Low } from "lowdb";
import { writeDurable } from "./files.ts";

export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code = "corrupt";
}

export interface JsonStore<T> {
  readonly data: T;
  /** Changes the data in place and resolves when the new state is on disk; changes are written in order. */
  update(change: (data: T) => void): Promise<void>;
}

/**
 * lowdb over the one durable write (its own adapter renames without fsync, so a power cut could leave an empty file).
 * `parse` throws on data that does not fit; then start-up stops, and the file is left for a person to look at.
 */
export async function openJsonStore<T>(path: string, parse: (data: unknown) => T, initial: T): Promise<JsonStore<T>> {
  const low = new Low<T>(
    {
      async read() {
        let text: string;
        try {
          text = await readFile(path, "utf8");
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
          throw error;
        }
        try {
          return parse(JSON.parse(text));
        } catch (cause) {
          throw new StoreError(`${path} cannot be read; move it away to start afresh`, { cause });
        }
      },
      write: (data) => writeDurable(path, JSON.stringify(data)),
    },
    initial,
  );
  await low.read();
  let tail: Promise<void> = Promise.resolve();
  return {
    get data() {
      return low.data;
    },
    update(change) {
      change(low.data);
      const done = tail.then(() => low.write());
      tail = done.catch(() => {});
      return done;
    },
  };
}
