/** Runs a task for each item, some at once. One item's trouble does not hold up the others; it is thrown at the end. */
export async function forAll<T>(items: Iterable<T>, atOnce: number, task: (item: T) => Promise<void>): Promise<void> {
  const left = [...items].reverse();
  const errors: unknown[] = [];
  const worker = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) {
      try {
        await task(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (errors.length > 0) throw errors[0];
}

/** Runs tasks of one key one after the other, and tasks of different keys side by side. */
export interface Queues {
  run<T>(key: string, task: () => Promise<T>): Promise<T>;
}

export function createQueues(): Queues {
  const tails = new Map<string, Promise<unknown>>();
  return {
    run(key, task) {
      const result = (tails.get(key) ?? Promise.resolve()).then(task, task);
      const tail = result.then(
        () => undefined,
        () => undefined,
      );
      tails.set(key, tail);
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
      return result;
    },
  };
}
