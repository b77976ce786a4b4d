import { describe, expect, it } from "vitest";
import type { BoxId, SessionId } from "../../protocol/protocol.ts";
import { nextStep, type Situation, type Wish } from "./next-step.ts";

const record: Wish = { session: "session-aaaaaaaaaaaaaaaa" as SessionId, box: "box-aaaaaaaaaaaaaaaa" as BoxId };
const preview: Wish = { session: null, box: record.box };
const running = (wish: Wish): Situation["run"] => ({ wish, records: true, trouble: undefined, betterSource: false });

describe("next step", () => {
  it("starts where nothing runs, and goes on where all is as wished", () => {
    expect(nextStep({ wish: preview, why: "sessionEnded", run: undefined })).toEqual({ kind: "start" });
    expect(nextStep({ wish: record, why: "sessionEnded", run: running(record) })).toEqual({ kind: "goOn" });
  });

  it("ends a run that is no longer wished, with the reason of the wish", () => {
    expect(nextStep({ wish: preview, why: "paused", run: running(record) })).toMatchObject({
      kind: "end",
      reason: "paused",
      failed: false,
    });
  });

  it("takes a pause and a resume that came together for two changes", () => {
    expect(nextStep({ wish: { ...record }, why: "paused", run: running(record) })).toMatchObject({ kind: "end" });
  });

  it.each([
    [{ kind: "exited" }, "encoderDied", true],
    [{ kind: "stalled" }, "encoderStalled", true],
    [{ kind: "deviceLost", device: "C920" }, "encoderDied", false],
  ] as const)("replaces an encoder with trouble %j", (trouble, reason, failed) => {
    const run = { ...running(record)!, trouble };
    expect(nextStep({ wish: record, why: "sessionEnded", run })).toEqual({ kind: "end", reason, trouble, failed });
  });

  it("calls it the session's end where the encoder ended while it was asked to", () => {
    const run = { ...running(record)!, trouble: { kind: "exited" } as const };
    expect(nextStep({ wish: preview, why: "sessionEnded", run })).toMatchObject({
      reason: "sessionEnded",
      failed: false,
    });
  });

  it("begins a new take when a missing device is back", () => {
    expect(
      nextStep({ wish: record, why: "sessionEnded", run: { ...running(record)!, betterSource: true } }),
    ).toMatchObject({
      kind: "end",
      failed: false,
      deviceBack: true,
    });
  });
});
