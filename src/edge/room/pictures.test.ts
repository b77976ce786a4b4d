import { describe, expect, test } from "vitest";
import { systemClock } from "../../platform/platform.ts";
import { Pictures } from "./pictures.ts";

const jpeg = (id: number) => Buffer.from([0xff, 0xd8, id, id, 0xff, 0xd9]);
const running = new AbortController().signal;

function source() {
  const file = { version: "1" as string | undefined, bytes: jpeg(1), reads: 0 };
  const pictures = new Pictures({
    clock: { ...systemClock, bootId: "", sleep: async () => void (await new Promise(setImmediate)) },
    path: () => "own.jpg",
    stat: async () => file.version,
    read: async () => {
      file.reads++;
      return file.bytes;
    },
  });
  return { file, pictures };
}

describe("own picture", () => {
  test("is read once for all who wait", async () => {
    const { file, pictures } = source();
    const seen = await Promise.all([
      pictures.after(0, running),
      pictures.after(0, running),
      pictures.after(0, running),
    ]);
    expect(seen.map((picture) => picture?.number)).toEqual([1, 1, 1]);
    expect(file.reads).toBe(1);
  });

  test("a slow viewer gets the latest and never one twice", async () => {
    const { file, pictures } = source();
    const first = await pictures.after(0, running);
    const next = pictures.after(first!.number, running);
    Object.assign(file, { version: "2", bytes: jpeg(2) });
    expect((await next)?.jpeg).toEqual(jpeg(2));
  });

  test("a file caught in mid-writing is passed over", async () => {
    const { file, pictures } = source();
    file.bytes = jpeg(1).subarray(0, 4);
    const next = pictures.after(0, running);
    await new Promise(setImmediate);
    file.bytes = jpeg(3);
    expect((await next)?.jpeg).toEqual(jpeg(3));
  });

  test("waiting ends with its viewer, also where there is no file", async () => {
    const { file, pictures } = source();
    file.version = undefined;
    const gone = new AbortController();
    const next = pictures.after(0, gone.signal);
    gone.abort();
    expect(await next).toBeUndefined();
  });
});
