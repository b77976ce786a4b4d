import { describe, expect, test } from "vitest";
import type { BoxId, BoxUpdate } from "../../protocol/protocol.ts";
import { failureOf, judgeForFleet, mayOpen, releaseFor, type KnownRelease, type KnownUpdate } from "./rollout.ts";

const box = (letter: string) => `box-${letter.repeat(16)}` as BoxId;
const hardware = { architecture: "x86-64", flavour: "screen" };
const at = "2026-11-22T00:00:00.000Z";

const says = (
  letter: string,
  running: string,
  fields: Partial<BoxUpdate> = {},
  healthySinceMs: number | null = null,
): KnownUpdate => ({
  box: box(letter),
  update: {
    ...{ type: "update", running, hardware, state: "current", release: null },
    ...{ percent: 0, reason: null, detail: "", proven: true, ...fields },
  },
  healthySinceMs,
});
const release = (version: string, fields: Partial<KnownRelease> = {}): KnownRelease => ({
  id: version.padStart(64, "0"),
  manifest: { version, minimumVersion: "1", ...hardware },
  ...{ state: "published", firstRing: [box("a")], opened: false, attempt: 0, failures: [] },
  ...fields,
});

describe("which release a box gets", () => {
  test("the first ring first, the rest when it is opened, nobody while it is paused or held", () => {
    expect(releaseFor(says("a", "1"), [release("2")])?.manifest.version).toBe("2");
    expect(releaseFor(says("b", "1"), [release("2")])).toBeUndefined();
    expect(releaseFor(says("b", "1"), [release("2", { opened: true })])?.manifest.version).toBe("2");
    for (const state of ["receiving", "paused", "held"] as const)
      expect(releaseFor(says("a", "1"), [release("2", { state })])).toBeUndefined();
  });

  test("the newest that its hardware and its present release allow", () => {
    const all = [
      release("3", { opened: true, manifest: { version: "3", minimumVersion: "2", ...hardware } }),
      release("2", { opened: true }),
    ];
    expect(releaseFor(says("a", "1"), all)?.manifest.version).toBe("2");
    expect(releaseFor(says("a", "2"), all)?.manifest.version).toBe("3");
    expect(releaseFor(says("a", "3"), all)).toBeUndefined();
    const other = { hardware: { ...hardware, architecture: "arm64" } };
    expect(releaseFor(says("a", "1", other), all)).toBeUndefined();
  });
});

describe("rings", () => {
  const healthy = { state: "healthy" as const };
  test("the second opens when all of the first have run it well for the rest", () => {
    const two = release("2", { firstRing: [box("a"), box("b")] });
    const fleet = (b: KnownUpdate) => [says("a", "2", healthy, 1_000), b, says("c", "1")];
    expect(mayOpen(two, fleet(says("b", "2", healthy, 1_500)), 2_500, 1_000)).toBe(true);
    expect(mayOpen(two, fleet(says("b", "2", healthy, 1_501)), 2_500, 1_000)).toBe(false);
    expect(mayOpen(two, fleet(says("b", "2", { state: "trial" })), 9_999, 1_000)).toBe(false);
    expect(mayOpen(two, fleet(says("b", "1")), 9_999, 1_000)).toBe(false);
  });

  test("never opens by itself where nobody was first, or none of them is left", () => {
    expect(mayOpen(release("2", { firstRing: [] }), [says("a", "2", healthy, 0)], 9_999, 0)).toBe(false);
    expect(mayOpen(release("2"), [says("b", "2", healthy, 0)], 9_999, 0)).toBe(false);
  });

  test("never-again 12: a box that fell back is told once, and again after another attempt", () => {
    const two = release("2");
    const fell = (attempt: number) =>
      says("a", "1", { state: "fellBack", release: { id: two.id, version: "2", attempt }, reason: "cameraMissing" });
    const failure = failureOf(two, fell(0), at)!;
    expect(failure).toMatchObject({ box: box("a"), attempt: 0, reason: "cameraMissing" });
    const known = release("2", { failures: [failure], attempt: 1 });
    expect(failureOf(known, fell(0), at)).toBeUndefined();
    expect(failureOf(known, fell(1), at)).toMatchObject({ attempt: 1 });
    expect(failureOf(release("3"), fell(0), at)).toBeUndefined();
    // The others of the ring are enough, when the administrator has gone on.
    const ring = release("2", { firstRing: [box("a"), box("b")], failures: [failure] });
    expect(mayOpen(ring, [fell(0), says("b", "2", { state: "healthy" }, 0)], 10, 0)).toBe(true);
  });
});

describe("what no box here could take is refused", () => {
  const manifest = (version: string, fields = {}) => ({ version, minimumVersion: "1", ...hardware, ...fields });
  test("by hardware, by version, by minimum", () => {
    const fleet = [says("a", "2"), says("b", "2")];
    expect(judgeForFleet(manifest("3"), fleet, [])).toBeUndefined();
    expect(judgeForFleet(manifest("3", { architecture: "arm64" }), fleet, [])?.reason).toBe("wrongHardware");
    expect(judgeForFleet(manifest("2"), fleet, [])?.reason).toBe("downgraded");
    expect(judgeForFleet(manifest("9", { minimumVersion: "5" }), fleet, [])?.reason).toBe("tooOld");
    // One that can is enough.
    expect(judgeForFleet(manifest("9", { minimumVersion: "5" }), [...fleet, says("c", "5")], [])).toBeUndefined();
  });

  test("not newer than what was published, even while no box has spoken", () => {
    expect(judgeForFleet(manifest("3"), [], [release("3")])?.reason).toBe("downgraded");
    expect(judgeForFleet(manifest("3"), [], [release("3", { state: "receiving" })])).toBeUndefined();
    expect(judgeForFleet(manifest("3"), [], [])).toBeUndefined();
  });
});
