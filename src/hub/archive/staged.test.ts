import { describe, expect, test } from "vitest";
import type { BoxId, SessionId, TakeId } from "../../protocol/protocol.ts";
import { parseStagedFileName, planStaged, stagedFileName, type Content, type StagedFacts } from "./staged.ts";

const good: Content = { sha256: "a".repeat(64), sizeBytes: 10 };
const bad: Content = { sha256: "b".repeat(64), sizeBytes: 10 };
const short: Content = { sha256: "c".repeat(64), sizeBytes: 9 };

/** All that matters of the disks and the database for one segment. */
interface World {
  record: "none" | "foreign" | "waiting" | "verified";
  staged: Content | "irregular" | undefined;
  sealed: Content | undefined;
  sidecars: boolean;
  quarantine: (Content | "irregular")[];
  told: boolean;
}

const factsOf = (world: World): StagedFacts => ({
  record: world.record === "none" || world.record === "foreign" ? world.record : { ...good, state: world.record },
  staged: world.staged === "irregular" ? undefined : world.staged,
  sealed: world.sealed,
});

/** One pass over the staged file, cut off after `steps` effects; certify counts as three. */
function pass(world: World, steps: number): { world: World; finished: boolean } {
  const now = structuredClone(world);
  let left = steps;
  const effect = (change: () => void): boolean => {
    if (left === 0) return false;
    left--;
    change();
    return true;
  };
  for (const step of planStaged(factsOf(now))) {
    switch (step.do) {
      case "wait":
        break;
      case "refuse":
        if (!effect(() => now.quarantine.push(now.staged!))) return { world: now, finished: false };
        if (!effect(() => (now.staged = undefined))) return { world: now, finished: false };
        break;
      case "setAside":
        if (!effect(() => now.quarantine.push(now.sealed!))) return { world: now, finished: false };
        if (!effect(() => (now.sealed = undefined))) return { world: now, finished: false };
        break;
      case "link":
        if (now.sealed) throw new Error("a file at its place would be overwritten");
        if (!effect(() => (now.sealed = now.staged as Content))) return { world: now, finished: false };
        break;
      case "certify":
        if (!effect(() => (now.sidecars = true))) return { world: now, finished: false };
        if (!effect(() => (now.record = "verified"))) return { world: now, finished: false };
        if (!effect(() => (now.told = true))) return { world: now, finished: false };
        break;
      case "drop":
        if (now.sealed !== now.staged && JSON.stringify(now.sealed) !== JSON.stringify(now.staged))
          throw new Error("bytes that lie nowhere else would be dropped");
        if (!effect(() => (now.staged = undefined))) return { world: now, finished: false };
        break;
    }
  }
  return { world: now, finished: true };
}

const worlds: World[] = [];
for (const record of ["none", "foreign", "waiting", "verified"] as const)
  for (const staged of [good, bad, short, "irregular"] as const)
    for (const sealed of [undefined, good, bad])
      for (const sidecars of [false, true])
        worlds.push({ record, staged, sealed, sidecars, quarantine: [], told: false });

const holds = (world: World, content: Content | "irregular") =>
  [world.staged, world.sealed, ...world.quarantine].some((kept) => JSON.stringify(kept) === JSON.stringify(content));

describe("planStaged", () => {
  test("whatever is where, and wherever a crash falls, it ends in the same state and loses nothing", () => {
    for (const start of worlds) {
      const whole = pass(start, Infinity).world;
      for (let cut = 0; cut <= 8; cut++) {
        let { world } = pass(start, cut);
        const newly = start.record === "waiting" && world.record === "verified";
        expect(newly && !(world.sidecars && world.sealed?.sha256 === good.sha256)).toBe(false);
        for (const content of [start.staged!, start.sealed].filter((item) => item !== undefined))
          expect(holds(world, content)).toBe(true);
        if (world.staged) world = pass(world, Infinity).world;
        expect({ ...world, quarantine: new Set(world.quarantine) }).toEqual({
          ...whole,
          quarantine: new Set(whole.quarantine),
        });
      }
    }
  });

  test("never-again 9: only bytes that match the box's record are sealed", () => {
    for (const start of worlds.filter(({ record }) => record === "waiting")) {
      const { world } = pass(start, Infinity);
      const sealed = { record: "verified", sealed: good, sidecars: true, told: true };
      expect(world).toMatchObject(start.staged === good ? sealed : { record: "waiting", told: false });
    }
  });

  test("a refused file is asked for again only while the segment is not verified", () => {
    const step = (state: "waiting" | "verified", staged: Content) =>
      planStaged({ record: { ...good, state }, staged, sealed: undefined })[0];
    expect(step("waiting", bad)).toEqual({ do: "refuse", reason: "hashDiffers", askAgain: true });
    expect(step("waiting", short)).toEqual({ do: "refuse", reason: "sizeDiffers", askAgain: true });
    expect(step("verified", bad)).toEqual({ do: "refuse", reason: "hashDiffers", askAgain: false });
    expect(planStaged({ record: "foreign", staged: good, sealed: undefined })).toEqual([
      { do: "refuse", reason: "foreign", askAgain: false },
    ]);
  });
});

test("a staged file's name tells whose it is, and no other name does", () => {
  const file = {
    box: "box-aaaaaaaaaaaaaaaa" as BoxId,
    name: { session: "session-aaaaaaaaaaaaaaaa" as SessionId, take: "take-aaaaaaaaaaaaaaaa" as TakeId, seq: 12 },
    nonce: "0123456789ab",
  };
  const name = stagedFileName(file);
  expect(name).toBe("box-aaaaaaaaaaaaaaaa.session-aaaaaaaaaaaaaaaa.take-aaaaaaaaaaaaaaaa.000012.ts.0123456789ab");
  expect(parseStagedFileName(name)).toEqual(file);
  for (const other of [`${name}.x`, name.replace("box-", "bax-"), name.slice(0, -1), ".0123456789ab.tmp", "a.b.c"])
    expect(parseStagedFileName(other)).toBeUndefined();
});
