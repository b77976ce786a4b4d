import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { systemClock } from "../../platform/platform.ts";
import { DevTools, type DevToolsEvent } from "./dev-tools.ts";

function open() {
  const [toBrowser, fromBrowser] = [new PassThrough(), new PassThrough()];
  const events: DevToolsEvent[] = [];
  const asked: string[] = [];
  toBrowser.on("data", (bytes: Buffer) => asked.push(bytes.toString()));
  const tools = new DevTools({ clock: systemClock, toBrowser, fromBrowser, onEvent: (event) => events.push(event) });
  const answer = (message: object) => fromBrowser.write(`${JSON.stringify(message)}\0`);
  return { tools, asked, fromBrowser, events, answer };
}

test("answers find their questions, and events their target, however the bytes were cut", async () => {
  const { tools, asked, fromBrowser, events, answer } = open();
  const [first, second] = [tools.send("A"), tools.send("B", { x: 1 }, "page")];
  answer({ id: 2, result: { of: "B" } });
  for (const byte of Buffer.from(`${JSON.stringify({ id: 1, result: { of: "Á" } })}\0`))
    fromBrowser.write(Buffer.of(byte));
  answer({ method: "Page.loaded", params: { at: 1 }, sessionId: "page" });
  expect(await first).toEqual({ of: "Á" });
  expect(await second).toEqual({ of: "B" });
  expect(events).toEqual([{ method: "Page.loaded", params: { at: 1 }, target: "page" }]);
  expect(asked.join("")).toBe(
    '{"id":1,"method":"A","params":{}}\0{"id":2,"method":"B","params":{"x":1},"sessionId":"page"}\0',
  );
});

test("a refusal is told from a browser that is gone, and then nothing waits", async () => {
  const { tools, fromBrowser, answer } = open();
  const refused = tools.send("A");
  answer({ id: 1, error: { message: "no such frame" } });
  await expect(refused).rejects.toMatchObject({ code: "refused", message: "no such frame" });
  const waiting = tools.send("B");
  fromBrowser.destroy();
  await expect(waiting).rejects.toMatchObject({ code: "closed" });
  await expect(tools.send("C")).rejects.toMatchObject({ code: "closed" });
});
