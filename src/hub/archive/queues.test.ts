import { expect, test } from "vitest";
import { createQueues, forAll } from "./queues.ts";

test("one item's trouble is thrown after all others have had their turn", async () => {
  const done: number[] = [];
  const all = forAll([0, 1, 2, 3, 4], 2, async (item) => {
    await Promise.resolve();
    if (item === 1) throw new Error("trouble with 1");
    done.push(item);
  });
  await expect(all).rejects.toThrow("trouble with 1");
  expect(done).toEqual([0, 2, 3, 4]);
});

test("tasks of one key follow each other, also after one that failed; other keys do not wait", async () => {
  const queues = createQueues();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = queues.run("a", async () => {
    await gate.promise;
    order.push("a1");
    throw new Error("a1 failed");
  });
  const second = queues.run("a", async () => void order.push("a2"));
  await queues.run("b", async () => void order.push("b"));
  gate.resolve();
  await expect(first).rejects.toThrow("a1 failed");
  await second;
  expect(order).toEqual(["b", "a1", "a2"]);
});
