import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BoxUpdateView, ReleaseView } from "../../src/hub/http/views.ts";
import { runChecked } from "../../src/platform/platform.ts";
import type { PointId } from "../../src/protocol/protocol.ts";
import { UPDATE_IMAGES } from "../support/box-image.ts";
import { countRoom } from "../support/count.ts";
import { flipByte } from "../support/flip-byte.ts";
import { openPublisher, publisherOf, type MadeRelease } from "../support/releases.ts";
import { raiseStand, type Stand } from "../support/stand.ts";
import { someMoment, until } from "../support/until.ts";
import {
  hasBooted,
  pairRoomBox,
  showHub,
  startVirtualRoomBox,
  type VirtualRoomBox,
} from "../support/virtual-room-box.ts";

const POINT_NAME = "UBND xã Trà Bồng";
const SCRIPT = join(import.meta.dirname, "../../scripts/release.ts");
const FORMER = "0.1.0";
/** A start in emulation with its trial. */
const START_MS = 600_000;
/** Makes the agent of the next release fail, and its trial: as a Node.js that this processor does not know would. */
const FAILING = "/var/lib/diemcau/next-fails";
const FAILS = `[Service]\nExecStartPre=/bin/sh -c '! [ -e ${FAILING} ] || grep -q IMAGE_VERSION=${FORMER} /etc/os-release'\n`;

/** One block in each MiB of a partition: some of them are read at every start. */
async function rot(disk: string, partition: string): Promise<void> {
  const { stdout } = await runChecked(["/usr/sbin/sfdisk", "--json", disk]);
  const { partitions } = (JSON.parse(stdout) as { partitiontable: { partitions: Partition[] } }).partitiontable;
  const { start, size } = partitions.find(({ name }) => name === partition)!;
  await using file = await open(disk, "r+");
  for (let at = start * 512; at < (start + size) * 512; at += 1 << 20)
    await file.write(randomBytes(4_096), 0, 4_096, at);
}

/** In sectors. */
interface Partition {
  name: string;
  start: number;
  size: number;
}

/** The image that is shipped takes the next one from a hub, through everything that can go wrong. In order. */
describe("an update of the box's image", () => {
  let directory: string;
  let stand: Stand;
  let box: VirtualRoomBox;
  let point: PointId;
  let release: ReleaseView;
  const shell = (script: string, withinMs = 120_000) => box.machine.shell(script, { withinMs });
  const update = async (): Promise<BoxUpdateView | null | undefined> =>
    (await stand.desk.rooms()).find((room) => room.point.name === POINT_NAME)?.update;
  const updateIs = (what: string, is: (update: BoxUpdateView) => boolean, withinMs = START_MS) =>
    until(
      what,
      async () => {
        const now = await update();
        return now && is(now) ? now : undefined;
      },
      { withinMs, everyMs: 200 },
    );
  const act = (name: string, body: object = {}) =>
    stand.desk.request<ReleaseView>("POST", `/api/releases/${release.id}/${name}`, body);
  const running = async () => (await shell("sed -n s/^IMAGE_VERSION=//p /etc/os-release", 20_000)).trim();
  /** Waits until the agent works, whichever release it is of. */
  const isAtWork = async () => {
    await until("the encoder works", async () => (await box.roomState()).health?.encoder.state === "preview", {
      withinMs: START_MS,
      everyMs: 1_000,
    });
    expect(await shell("cat /var/lib/diemcau/kept")).toBe("data\n");
  };
  const pullThePlug = async () => {
    await box.machine.kill();
    await box.machine.start();
  };
  const recordsASession = async (name: string) => {
    const session = await stand.desk.createSession(name, [{ id: point, role: "central" }]);
    await until("the box is connected", async () => (await box.roomState()).connected, {
      withinMs: 120_000,
      everyMs: 500,
    });
    await stand.desk.act(session.id, "start");
    await until("it records", async () => ((await box.roomState()).recording?.seconds ?? 0) > 12, {
      withinMs: 180_000,
      everyMs: 500,
    });
    await stand.desk.act(session.id, "end");
    await until("it is at the province", async () => (await stand.desk.recording(session.id)).copies.provinceComplete, {
      withinMs: 180_000,
      everyMs: 500,
    });
    const count = await countRoom(session.id, point, {
      recordings: await box.copyRecordings(),
      archive: join(stand.hub.dataDirectory, "archive"),
      province: stand.province.directory,
    });
    expect(count.framesRecorded).toBeGreaterThan(30);
    expect(count.framesAtProvince).toBe(count.framesRecorded);
    expect(count.hashesEqual).toBe(true);
  };

  beforeAll(async () => {
    const { image, nextRelease, keyFile, publicFile } = UPDATE_IMAGES;
    directory = await mkdtemp(join(tmpdir(), "diemcau-update-"));
    const disk = join(directory, "disk/next");
    await mkdir(disk, { recursive: true });
    for (const name of await readdir(nextRelease)) await cp(join(nextRelease, name), join(disk, name));
    await runChecked([process.execPath, SCRIPT, "sign", disk, "--key", keyFile, "--flavour", "headless"]);
    stand = await raiseStand({
      directory: join(directory, "stand"),
      rooms: [],
      hubConfig: { releases: { keys: publicFile, importDirectory: join(directory, "disk"), firstRingHours: 0 } },
    });
    await mkdir(join(directory, "box"));
    box = await startVirtualRoomBox({
      directory: join(directory, "box"),
      image: await image(),
      config: { update: { keys: "/usr/lib/diemcau/release-keys.pem", limitKibPerS: 20_000 } },
      dropIns: {
        "diemcau-agent.service": FAILS,
        "diemcau-trial.service": FAILS,
        // On a box it yields to the encoder, which takes all that an emulated processor has.
        "diemcau-install.service": "[Service]\nCPUWeight=1000\nNice=0\n",
      },
    });
    await hasBooted(box);
    await showHub(box, stand);
    point = await pairRoomBox(box, stand.desk, POINT_NAME);
    await shell("echo data >/var/lib/diemcau/kept");
  });
  afterAll(async () => {
    await box?.[Symbol.asyncDispose]();
    await stand?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  test("root's installer refuses what was tampered with, cut off, old, of other hardware or somebody else's", async () => {
    const publisher = publisherOf(UPDATE_IMAGES.keyFile, UPDATE_IMAGES.publicFile);
    const stranger = await openPublisher(directory, "stranger");
    const make = (by: typeof publisher, version: string, wish: object = {}) =>
      by.make(join(directory, `bad-${version}`), { version, sizeBytes: 8_192, ...wish });
    const refusal = async ({ directory: from }: MadeRelease) => {
      for (const name of await readdir(from)) {
        const bytes = (await readFile(join(from, name))).toString("base64");
        await shell(`mkdir -p /run/bad && echo ${bytes} | base64 -d >/run/bad/${name}`);
      }
      const request = JSON.stringify({ id: "00000000000000ff", directory: "/run/bad" });
      await shell(`cd /run/diemcau/request && rm -f install-release.answer && echo '${request}' >install-release`);
      const answer = await until(
        "the installer answers",
        async () => (await shell("cat /run/diemcau/request/install-release.answer 2>/dev/null || true")) || undefined,
        { withinMs: 120_000, everyMs: 500 },
      );
      await shell("rm -r /run/bad; systemctl reset-failed diemcau-install.service");
      return (JSON.parse(answer) as { outcome: object }).outcome;
    };
    const tampered = await make(publisher, "9.1");
    await flipByte(tampered.rootFile);
    expect(await refusal(tampered)).toMatchObject({ ok: false, reason: "tampered" });
    const short = await make(publisher, "9.2");
    await truncate(short.rootFile, 4_096);
    expect(await refusal(short)).toMatchObject({ ok: false, reason: "truncated" });
    expect(await refusal(await make(publisher, "0.0.9"))).toMatchObject({ ok: false, reason: "downgraded" });
    expect(await refusal(await make(publisher, "9.3", { architecture: "arm64" }))).toMatchObject({
      ok: false,
      reason: "wrongHardware",
    });
    expect(await refusal(await make(stranger, "9.4"))).toMatchObject({ ok: false, reason: "unknownKey" });
    expect((await shell("lsblk -no PARTLABEL /dev/vda")).match(/_empty/g)).toHaveLength(2);
  });

  test("never-again 12: the mains fail at random moments, and the new release is in use without a person", async () => {
    await updateIs("the box has said what it runs", ({ flavour }) => flavour === "headless");
    release = await stand.desk.request<ReleaseView>("POST", "/api/releases/import", { folder: "next" });
    await act("publish", { firstRing: [] });
    const cuts: string[] = [];
    const cutWithin = async (limitMs: number) => {
      await someMoment(limitMs);
      const now = await update();
      cuts.push(`${now?.state} ${now?.percent} % on ${now?.running}`);
      await pullThePlug();
    };
    await updateIs("it downloads", ({ state }) => state === "downloading");
    await cutWithin(20_000);
    await isAtWork();
    await updateIs("it goes on", ({ state, percent }) => state === "downloading" && percent > 30);
    await cutWithin(20_000);
    await isAtWork();
    await updateIs("it installs", ({ state }) => state === "installing");
    await cutWithin(10_000);
    await isAtWork();
    await updateIs("it installs again", ({ state }) => state === "installing");
    await until("the slot is being written", async () => (await shell("pgrep -f sysupdate || true")) !== "", {
      withinMs: START_MS,
      everyMs: 500,
    });
    await cutWithin(10_000);
    await isAtWork();
    await updateIs("the new release starts", ({ state }) => state === "installed");
    await cutWithin(60_000);
    await until("a shell", () => shell("true", START_MS).then(() => true), { withinMs: START_MS });
    await cutWithin(30_000);
    console.log(`mains cut: ${cuts.join("; ")}`);
    await updateIs("it is healthy", ({ state }) => state === "healthy", 3 * START_MS);
    expect(await running()).toBe(release.version);
    expect(cuts).toHaveLength(6);
    await until("the boot loader counts no more", async () => !(await shell("ls /boot/EFI/Linux")).includes("+"), {
      withinMs: 120_000,
      everyMs: 1_000,
    });
    expect(await shell("ls -A /var/lib/diemcau/update | grep -x trial || true")).toBe("");
    await isAtWork();
    await recordsASession("Trên bản mới");
  });

  test("a slot whose bytes have rotted does not start, and the former release records on", async () => {
    // The tries are put back by hand, as after an installation.
    await shell(
      `cd /boot/EFI/Linux && mv diemcau_${release.version}.efi diemcau_${release.version}+1-2.efi && touch ${FAILING} && sync`,
    );
    await box.machine.kill();
    await rot(join(directory, "box/disk.raw"), `diemcau_${release.version}`);
    await box.machine.start();
    await until("the former release runs", async () => (await running()) === FORMER, {
      withinMs: START_MS,
      everyMs: 2_000,
    });
    await isAtWork();
    await recordsASession("Sau khi ô nhớ hỏng");
    expect(await readFile(box.machine.consoleFile, "utf8")).toMatch(/verity: .* is corrupted/);
  });

  test("a release whose agent fails is started three times; then the former one records on, and says why", async () => {
    // The rotten slot is written anew.
    await updateIs("it is in its slot again", ({ state }) => state === "installed", START_MS);
    const gaveUp = await updateIs("the box gave it up", ({ state }) => state === "fellBack", 3 * START_MS);
    expect(gaveUp).toMatchObject({ running: FORMER, release: { version: release.version } });
    expect(await shell("ls /boot/EFI/Linux")).toContain(`diemcau_${release.version}+0-3.efi`);
    await isAtWork();
    await recordsASession("Sau bản lỗi");
  });
});
