import { appendFile, cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BoxUpdateView, ReleasesView, ReleaseView } from "../../src/hub/http/views.ts";
import { isoUtc, sha256File, systemClock } from "../../src/platform/platform.ts";
import { RELEASE_MANIFEST, type ReleaseManifest, type RoomState } from "../../src/protocol/protocol.ts";
import { flipByte } from "../support/flip-byte.ts";
import { openPublisher, readSignedRelease, type MadeRelease, type Publisher } from "../support/releases.ts";
import { raiseStand, standLogs, type RoomProcess, type Stand } from "../support/stand.ts";
import { UpdateRoom } from "../support/update-room.ts";
import { until } from "../support/until.ts";

/** Two rooms and a hub as in the field; the rooms run release 1.0. */
let directory: string;
let stand: Stand;
let publisher: Publisher;
let stranger: Publisher;
let surroundings: UpdateRoom[];
const folder = (name: string) => join(directory, name);

/** Slow enough that a download can be interrupted. */
const LIMIT_KIB = 512;
const SIZE = 4_000_000;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-update-"));
  publisher = await openPublisher(directory);
  stranger = await openPublisher(directory, "stranger");
  surroundings = await Promise.all(
    ["a", "b"].map((name) => UpdateRoom.make(folder(`system-${name}`), publisher.publicFile, "1.0", LIMIT_KIB)),
  );
  stand = await raiseStand({
    directory: folder("stand"),
    hubConfig: { releases: { keys: publisher.publicFile, importDirectory: folder("disk"), firstRingHours: 0 } },
    rooms: surroundings.map((system, i) => ({
      name: `Xã ${"AB"[i]}`,
      cable: true,
      enter: system.enter,
      config: system.config,
      capture: {
        source: { kind: "virtual", label: `Xã ${"AB"[i]}` },
        record: { width: 320, height: 180, frameRate: 25, maxBitrateKbps: 600 },
        live: { width: 320, height: 180, bitrateKbps: 100 },
      },
    })),
  });
  await until("both boxes have said what they run", async () =>
    (await updates()).every((update) => update?.running === "1.0"),
  );
});
afterAll(async () => {
  if (stand && process.env["DIEMCAU_TEST_LOG"]) console.log(await standLogs(folder("stand"), 40));
  await stand?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const room = (i: number): RoomProcess => stand.rooms[i]!;
const system = (i: number): UpdateRoom => surroundings[i]!;
async function updates(): Promise<(BoxUpdateView | null | undefined)[]> {
  const views = await stand.desk.rooms();
  return stand.rooms.map(({ box }) => views.find((view) => view.box === box)?.update);
}
const updateIs = (i: number, what: string, is: (update: BoxUpdateView) => boolean, withinMs = 60_000) =>
  until(
    `${room(i).name}: ${what}`,
    async () => {
      const update = (await updates())[i];
      return update && is(update) ? update : undefined;
    },
    { withinMs, everyMs: 100 },
  );
const releases = () => stand.desk.request<ReleasesView>("GET", "/api/releases");
const release = async (id: string) => (await releases()).releases.find((each) => each.id === id)!;
const act = (id: string, act: string, body: object = {}) =>
  stand.desk.request<ReleaseView>("POST", `/api/releases/${id}/${act}`, body);

/** As the desk does: the manifest first, then each file in pieces. */
async function upload(made: MadeRelease): Promise<ReleaseView> {
  let view = await stand.desk.request<ReleaseView>("POST", "/api/releases", made.signed);
  for (const { name, sizeBytes } of view.files)
    for (;;) {
      const { haveBytes } = view.files.find((file) => file.name === name)!;
      if (haveBytes >= sizeBytes) break;
      const bytes = await readFile(join(made.directory, name));
      if (bytes.length <= haveBytes) break;
      const piece = new Uint8Array(bytes.subarray(haveBytes, haveBytes + 1_000_000));
      view = await stand.desk.put<ReleaseView>(`/api/releases/${view.id}/files/${name}?at=${haveBytes}`, piece);
    }
  return view;
}
const importOf = (name: string) => stand.desk.request<ReleaseView>("POST", "/api/releases/import", { folder: name });

describe("the hub refuses at once, with the reason", () => {
  test.each(["upload", "import"] as const)("a release that was tampered with or cut off, by %s", async (way) => {
    const take = async (made: MadeRelease) => {
      if (way === "upload") return act((await upload(made)).id, "publish", { firstRing: [] });
      await cp(made.directory, folder(`disk/${basename(made.directory)}`), { recursive: true });
      return importOf(basename(made.directory));
    };
    const byte = await publisher.make(folder(`byte-${way}`), { version: "8.1" });
    await flipByte(byte.rootFile);
    await expect(take(byte)).rejects.toThrow(/releaseRefused tampered diemcau_8.1_.*SHA-256/);
    const short = await publisher.make(folder(`short-${way}`), { version: "8.2" });
    await truncate(short.rootFile, 300_000);
    await expect(take(short)).rejects.toThrow(/releaseRefused truncated/);
    const words = await publisher.make(folder(`words-${way}`), { version: "8.3" });
    await writeFile(
      join(words.directory, RELEASE_MANIFEST),
      words.signed.manifest.replace('"minimumVersion": "0"', '"minimumVersion": "1"'),
    );
    await expect(take({ ...words, signed: await readSignedRelease(words.directory) })).rejects.toThrow(
      /releaseRefused tampered .*signature/,
    );
    expect((await releases()).releases.filter(({ state }) => state !== "receiving")).toEqual([]);
    await rm(folder("disk"), { recursive: true, force: true });
  });

  test("one of a foreign key, of other hardware, not newer than what runs, or for newer boxes than there are", async () => {
    const foreign = await stranger.make(folder("foreign"), { version: "8.4" });
    await expect(upload(foreign)).rejects.toThrow(/releaseRefused unknownKey/);
    const arm = await publisher.make(folder("arm"), { version: "8.5", architecture: "arm64" });
    await expect(upload(arm)).rejects.toThrow(
      /releaseRefused wrongHardware made for arm64 headless, this is x86-64 headless/,
    );
    const old = await publisher.make(folder("old"), { version: "0.9" });
    await expect(upload(old)).rejects.toThrow(/releaseRefused downgraded 0.9 is not newer than 1.0/);
    const late = await publisher.make(folder("late"), { version: "8.6", minimum: "5.0" });
    await expect(upload(late)).rejects.toThrow(/releaseRefused tooOld needs 5.0 or newer, this is 1.0/);
  });
});

describe("an update", () => {
  let two: MadeRelease;
  const partOf = (i: number) => {
    const home = join(room(i).dataDirectory, "update/staged", two.id);
    return async () => {
      const name = (await readdir(home).catch(() => [])).find((each) => each.endsWith("root.raw.part"));
      return name === undefined ? undefined : { path: join(home, name), size: (await stat(join(home, name))).size };
    };
  };
  const hasBytes = (i: number, more: number) =>
    until(`${more} bytes have come`, async () => ((await partOf(i)())?.size ?? 0) > more, {
      withinMs: 30_000,
      everyMs: 20,
    });

  test("waits while a session is near, and is downloaded when it is not", async () => {
    const name = "Sắp tới";
    const { id: session } = await stand.desk.createSession(
      name,
      [{ id: room(0).point, role: "central" }],
      isoUtc(systemClock.wallMs() + 100 * 60_000),
    );
    await until("the room knows of it", async () => (await roomState(0)).nextSession?.id === session);
    two = await publisher.make(folder("two"), { version: "2.0", minimum: "1.0", sizeBytes: SIZE });
    const { id } = await upload(two);
    expect(id).toBe(two.id);
    await act(id, "publish", { firstRing: [room(0).box] });
    expect(await updateIs(0, "it waits", ({ state }) => state === "waiting")).toMatchObject({
      reason: "soon",
      percent: 0,
    });
    expect(await partOf(0)()).toBeUndefined();
    // The other ring has heard of nothing.
    expect((await updates())[1]).toMatchObject({ state: "current", release: null });
    await stand.desk.act(session, "start");
    expect(await updateIs(0, "it waits on", ({ reason }) => reason === "session")).toMatchObject({ state: "waiting" });
    await stand.desk.act(session, "end");
    await updateIs(0, "it comes", ({ state, percent }) => state === "downloading" && percent > 0);
  });

  test("goes on over a killed agent, a killed hub and a cable that changes a byte, and finds what the disk spoilt", async () => {
    await hasBytes(0, 300_000);
    room(0).process.kill("SIGKILL");
    const before = (await partOf(0)())!.size;
    await hasBytes(0, before + 200_000);
    room(0).cable!.corruptNext();
    stand.hub.process.kill("SIGKILL");
    const then = (await partOf(0)())!.size;
    expect(then).toBeGreaterThan(before);
    await hasBytes(0, then + 200_000);
    // What is fetched already is spoilt under the agent's hands.
    await flipByte((await partOf(0)())!.path);
    const agentLog = () => readFile(room(0).logFile, "utf8");
    await until("it was found", async () => (await agentLog()).includes('"event":"update.fileSpoilt"'), {
      withinMs: 60_000,
    });
    await until("the installer is asked", () => system(0).asked("install-release"), { withinMs: 60_000 });
    const { files } = JSON.parse(two.signed.manifest) as ReleaseManifest;
    for (const { name, sha256 } of files)
      expect((await sha256File(join(room(0).dataDirectory, "update/staged", two.id, name))).sha256).toBe(sha256);
    expect((await agentLog()).match(/"event":"update.fileSpoilt"/g)).toHaveLength(1);
  });

  test("is judged once more by the installer, whatever the agent's folder holds by then", async () => {
    const staged = join(room(0).dataDirectory, "update/staged", two.id);
    const root = join(staged, basename(two.rootFile));
    const request = await system(0).asked("install-release");
    await appendFile(root, "x");
    expect(await system(0).install()).toBe(1);
    expect(await readdir(system(0).file("slot"))).toEqual([]);
    expect(await updateIs(0, "it is given up", ({ state }) => state === "fellBack")).toMatchObject({
      reason: "installFailed",
      detail: expect.stringContaining("truncated"),
    });
    expect(request).toContain(staged);
    // Held for everybody, until the administrator goes on.
    expect(await release(two.id)).toMatchObject({
      state: "held",
      opened: false,
      failures: [{ box: room(0).box, reason: "installFailed" }],
    });
    await act(two.id, "continue", { retry: true });
    await until("the installer is asked again", () => system(0).asked("install-release"), { withinMs: 60_000 });
    expect(await system(0).install()).toBe(0);
    expect(await readdir(system(0).file("slot"))).toHaveLength(3);
    for await (const chunk of createReadStream(join(system(0).file("slot"), basename(two.rootFile))))
      expect(chunk).toBeDefined();
    await updateIs(0, "it is installed", ({ state }) => state === "installed");
    await until("the restart is asked for", () => system(0).asked("restart"));
  });

  test("is on trial until its test take was verified and its agent is at work; then the next ring has its turn", async () => {
    await reboot(0, "2.0", true);
    await updateIs(0, "it is on trial", ({ state, running }) => state === "trial" && running === "2.0");
    expect(await system(0).judge("trial", room(0))).toBe(0);
    // The trial alone is not the last word.
    expect((await updates())[0]?.state).toBe("trial");
    expect(await system(0).judge("gate", room(0))).toBe(0);
    await updateIs(0, "it is healthy", ({ state }) => state === "healthy");
    expect((await updates())[0]?.proven).toBe(false);
    await until("the rest may have it", async () => (await release(two.id)).opened);
    await updateIs(1, "the second ring downloads", ({ state }) => state !== "current");
  });

  test("never-again 12: a box whose new release does not come up runs the former one, says so, and holds the others back", async () => {
    await until("the installer of the second is asked", () => system(1).asked("install-release"), { withinMs: 60_000 });
    expect(await system(1).install()).toBe(0);
    await until("its restart is asked for", () => system(1).asked("restart"));
    // Three times nothing came up, then the boot loader took the other slot.
    await reboot(1, "1.0", false);
    expect(await updateIs(1, "it fell back", ({ state }) => state === "fellBack")).toMatchObject({
      ...{ running: "1.0", reason: "didNotStart" },
      release: { version: "2.0" },
    });
    expect(await release(two.id)).toMatchObject({
      state: "held",
      failures: [{ reason: "installFailed" }, { box: room(1).box, reason: "didNotStart" }],
    });
    // Said again on the next connection, it holds nothing that was continued.
    await act(two.id, "continue");
    room(1).process.kill("SIGKILL");
    await updateIs(1, "it says so again", ({ state }) => state === "fellBack");
    expect((await release(two.id)).state).toBe("published");
  });

  test("keeps the former slot until a session was recorded and signed for", async () => {
    const three = await publisher.make(folder("disk/three"), { version: "3.0", minimum: "2.0" });
    const { onDisk } = await releases();
    expect(onDisk).toEqual([{ folder: "three", version: "3.0", refusal: null }]);
    const { id } = await importOf("three");
    await act(id, "publish", { firstRing: [] });
    expect(await updateIs(0, "it waits for a session", ({ reason }) => reason === "unproven")).toMatchObject({
      percent: 100,
    });
    const session = await stand.desk.createSession("Định kỳ", [{ id: room(0).point, role: "central" }]);
    await stand.desk.act(session.id, "start");
    await until("it is recorded", async () => ((await roomState(0)).recording?.seconds ?? 0) > 3, { withinMs: 30_000 });
    expect(await updateIs(0, "not now", ({ reason }) => reason === "session")).toMatchObject({ state: "waiting" });
    await stand.desk.act(session.id, "end");
    await until("it is asked to install", () => system(0).asked("install-release"), { withinMs: 60_000 });
    expect(await updateIs(0, "it is proven", ({ proven }) => proven)).toMatchObject({ release: { id: three.id } });
    // 1.0 is below its minimum.
    expect((await updates())[1]?.release?.version).toBe("2.0");
  });
});

async function reboot(i: number, version: string, counted: boolean): Promise<void> {
  await rm(join(system(i).file("request")), { recursive: true, force: true });
  await system(i).boot(version, counted);
  const { restarts } = room(i).process;
  room(i).process.kill("SIGKILL");
  await until(
    "its agent is up again",
    async () => room(i).process.restarts > restarts && (await roomState(i)).connected,
    {
      withinMs: 30_000,
    },
  );
}

async function roomState(i: number) {
  return (await (await fetch(`${room(i).roomUrl}/api/room`)).json()) as RoomState;
}
