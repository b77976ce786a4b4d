import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runChecked } from "../../src/platform/platform.ts";
import { LIVE_KINDS, normalizePairingCode, type PointId } from "../../src/protocol/protocol.ts";
import { applianceFlavour, boxImage } from "../support/box-image.ts";
import { countRoom } from "../support/count.ts";
import { readPairingCode } from "../support/read-screen.ts";
import { raiseStand, type Stand } from "../support/stand.ts";
import { until } from "../support/until.ts";
import {
  hasBooted,
  pairingCode,
  pairRoomBox,
  showHub,
  SOUND_SERVER,
  startVirtualRoomBox,
  type VirtualRoomBox,
} from "../support/virtual-room-box.ts";

/** Where what the display showed is left for whoever wants to look at it. */
const REPORTS = join(import.meta.dirname, "../../reports/appliance");
const flavour = applianceFlavour();
const POINT_NAME = "UBND xã Ba Tơ";
const AS_AGENT = "setpriv --reuid=790 --regid=790 --init-groups env XDG_RUNTIME_DIR=/run/user/790";
const SESSION_S = 25;
const FRAME_RATE = 5;

/** A picture's pixels, or those of its middle (`filter`), by their brightness. */
async function greys(file: string, filter = "null"): Promise<Buffer> {
  const raw = `${file}.gray`;
  const as = ["-vf", filter, "-pix_fmt", "gray", "-f", "rawvideo"];
  await runChecked(["ffmpeg", "-v", "error", "-y", "-i", file, ...as, raw]);
  const pixels = await readFile(raw);
  await rm(raw);
  return pixels;
}

/** Of each grey that a picture has, how much of the picture. */
async function greyShares(file: string): Promise<number[]> {
  const pixels = await greys(file);
  const counts = Array.from({ length: 256 }, () => 0);
  for (const grey of pixels) counts[grey]!++;
  return counts.filter((count) => count > 0).map((count) => count / pixels.length);
}

const archivedFiles = async (stand: Stand, session: string): Promise<string[]> => {
  const folder = join(stand.hub.dataDirectory, "archive", session);
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith(".ts")).map((name) => join(folder, name));
};

/** The last segment may be of a few frames and no sound that can be decoded. */
async function largest(files: readonly string[]): Promise<string> {
  const sized = await Promise.all(files.map(async (file) => ({ file, bytes: (await stat(file)).size })));
  return sized.sort((a, b) => b.bytes - a.bytes)[0]!.file;
}

/** Level of what is between 300 and 3,400 Hz. */
async function speechDb(file: string): Promise<number> {
  const { stderr } = await runChecked([
    ...["ffmpeg", "-hide_banner", "-nostats", "-i", file, "-vn"],
    ...["-af", "highpass=f=300,lowpass=f=3400,volumedetect", "-f", "null", "-"],
  ]);
  return Number(/mean_volume: (-?[\d.]+) dB/.exec(stderr)?.[1] ?? -Infinity);
}

/**
 * The image that is shipped, booted as on a box: camera and microphone are drivers of its own kernel, the hub is a real
 * one on this machine. In order: each test goes on from the one before.
 */
describe("the box's image", () => {
  let directory: string;
  let stand: Stand;
  let box: VirtualRoomBox;
  let point: PointId;
  const shell = (script: string) => box.machine.shell(script);
  const view = async () => (await stand.desk.rooms()).find((room) => room.point.name === POINT_NAME);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-appliance-"));
    stand = await raiseStand({ directory: join(directory, "stand"), rooms: [] });
    await mkdir(join(directory, "box"));
    box = await startVirtualRoomBox({
      directory: join(directory, "box"),
      image: await boxImage(flavour),
      display: flavour === "screen",
      soundServer: true,
      // On a box the screen yields to the record; an emulated processor would have nothing left for it.
      dropIns: { "diemcau-kiosk.service": "[Service]\nCPUWeight=10000\nNice=-5\n" },
    });
  });

  afterAll(async () => {
    await box?.[Symbol.asyncDispose]();
    await stand?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  test("starts with no failed unit and no ordering cycle", async () => {
    await hasBooted(box);
    expect(await shell("systemctl --failed --no-legend --plain")).toBe("");
    expect(await shell("journalctl -b --no-pager | grep -i 'ordering cycle' || true")).toBe("");
    expect((await shell("systemctl is-active diemcau-agent.service chrony.service")).trim()).toBe("active\nactive");
  });

  test("is what it says: a root that is checked as it is read, a second slot, a data partition over the rest", async () => {
    expect(await shell("findmnt -no SOURCE,FSTYPE,OPTIONS /")).toMatch(/^\/dev\/mapper\/root squashfs ro/);
    expect(await shell("veritysetup status root")).toMatch(/status:\s+verified/);
    const labels = await shell("lsblk -bno PARTLABEL,SIZE /dev/vda");
    expect(labels.match(/_empty/g)).toHaveLength(2);
    expect(Number(/diemcau-data\s+(\d+)/.exec(labels)?.[1])).toBeGreaterThan(2 ** 31);
    expect(await shell("findmnt -no FSTYPE,OPTIONS /var")).toMatch(/^ext4 rw,.*noatime/);
    expect((await shell("sysctl -n net.ipv4.tcp_congestion_control net.core.default_qdisc")).trim()).toBe("bbr\nfq");
  });

  test("PipeWire runs with our echo canceller", async () => {
    const sink = await until(
      "the canceller is there",
      async () => /.*diem-cau-loudspeaker.*/.exec(await shell(`${AS_AGENT} pactl list short sinks`))?.[0],
      { withinMs: 60_000, everyMs: 1_000 },
    );
    expect(sink).toContain("48000Hz");
    // From here on the agent opens the sound card itself: an emulated processor has no time for both.
    await shell(`systemctl mask --runtime --now ${SOUND_SERVER} && systemctl restart diemcau-agent.service`);
  });

  test.runIf(flavour === "screen")("the room's page stands on the TV, and is not black", async () => {
    await mkdir(REPORTS, { recursive: true });
    const file = join(REPORTS, "screen.png");
    // Letters are on it: of an empty or a black screen less than a thousandth is of another grey.
    await until(
      "the display shows the page",
      async () => {
        await box.machine.screenshot(file);
        const shares = await greyShares(file);
        return shares.length > 100 && Math.max(...shares) < 0.99;
      },
      { withinMs: 240_000, everyMs: 2_000 },
    );
    expect(await shell("pgrep -c -f 'chromium.*127.0.0.1:7080'")).toMatch(/^[1-9]/);
  });

  test.runIf(flavour === "screen")("a mouse that nobody has moved leaves no pointer on the TV", async () => {
    const file = join(REPORTS, "mouse.png");
    const middle = async () => {
      await box.machine.screenshot(file);
      return greys(file, "crop=40:40");
    };
    const move = (by: string) => shell(`${AS_AGENT} WAYLAND_DISPLAY=wayland-0 wlrctl pointer move ${by}`);
    await move("-300 -300");
    const before = await middle();
    await move("300 300");
    // Not yet: that it is there at first is seen too.
    await shell("pkill -STOP -x screen");
    await box.machine.plugMouse();
    const isAsBefore = async () => (await middle()).equals(before);
    await until("the pointer is there", async () => !(await isAsBefore()), { withinMs: 60_000, everyMs: 1_000 });
    await shell("pkill -CONT -x screen");
    await until("it has gone", isAsBefore, { withinMs: 120_000, everyMs: 1_000 });
    expect(await shell("journalctl -b -u diemcau-kiosk.service --no-pager")).not.toContain("wlrctl");
  });

  test("finds its hub by a stick that the hub made", async () => {
    await until(
      "the TV says that nobody names a hub",
      async () => {
        const { network } = await box.roomState();
        return network?.trouble === "hubUnknown";
      },
      { withinMs: 60_000, everyMs: 1_000 },
    );
    await showHub(box, stand);
    expect((await box.roomState()).network).toMatchObject({ hubSource: "stick", trouble: null });
    expect(await shell("systemctl --failed --no-legend --plain")).toBe("");
  });

  test("is paired by the code that is read off its screen", async () => {
    let code = await pairingCode(box);
    if (flavour === "screen") {
      const file = join(REPORTS, "pairing.png");
      code = await until(
        "the code can be read off the display",
        async () => {
          await box.machine.screenshot(file);
          // Eight letters are found in other words too, which stood there a moment ago.
          const read = await readPairingCode(file);
          return read === normalizePairingCode(await pairingCode(box)) && read;
        },
        { withinMs: 120_000, everyMs: 2_000 },
      );
      // An emulated processor has no time for a browser beside an encoder.
      await shell("systemctl stop diemcau-kiosk.service");
    }
    point = await pairRoomBox(box, stand.desk, POINT_NAME, code);
    expect(await view()).toMatchObject({ connected: true, live: expect.arrayContaining([...LIVE_KINDS]) as string[] });
  });

  test("nothing listens to the network", async () => {
    const listening = (await shell("ss -Hlntu | awk '{print $1, $5}'")).trim().split("\n");
    // What a DHCP client hears its server's answers on.
    const open = listening.filter((line) => !/ (127\.|\[::1\])/.test(line) && !/:68$|:546$/.test(line));
    expect(open).toEqual([]);
    expect(listening.length).toBeGreaterThan(0);
  });

  test("camera and microphone are streamed, recorded, delivered and verified, frame by frame", async () => {
    const session = await stand.desk.createSession("Buổi tiếp thử", [{ id: point, role: "central" }]);
    await stand.desk.act(session.id, "start");
    const health = await until(
      "it records",
      async () => {
        const now = (await view())?.health;
        return now?.recording.growing && now.encoder.state === "recording" && now;
      },
      { withinMs: 60_000 },
    );
    expect(health.source).toMatch(/vivid.*; Loopback/);
    await until("a while is recorded", async () => ((await view())?.health?.recording.seconds ?? 0) >= SESSION_S, {
      withinMs: 120_000,
      everyMs: 500,
    });
    await stand.desk.act(session.id, "end");
    await until("all of it is at the hub", async () => (await stand.desk.recording(session.id)).copies.hubComplete, {
      withinMs: 120_000,
    });
    await until("and at the province", async () => (await stand.desk.recording(session.id)).copies.provinceComplete, {
      withinMs: 60_000,
    });
    const count = await countRoom(session.id, point, {
      recordings: await box.copyRecordings(),
      archive: join(stand.hub.dataDirectory, "archive"),
      province: stand.province.directory,
    });
    expect(count.framesRecorded).toBeGreaterThan(SESSION_S * FRAME_RATE * 0.9);
    expect(count.framesRecorded).toBe(count.framesEncoded);
    expect(count.framesArchived).toBe(count.framesRecorded);
    expect(count.framesAtProvince).toBe(count.framesRecorded);
    expect(count.hashesEqual).toBe(true);
    expect(count.gaps.filter(({ cause }) => cause !== "starting")).toEqual([]);
    // The box measures what it writes with what its processor has left: nothing, where that is emulated.
    expect(await speechDb(await largest(await archivedFiles(stand, session.id)))).toBeGreaterThan(-40);
    console.log(
      `${count.framesRecorded} frames encoded, recorded, archived, at the province: ${count.segments} segments`,
    );
  });

  test("forgets everything when the hub orders it, and waits to be told of a hub again", async () => {
    const { box: id } = (await view())!;
    await stand.desk.request("POST", `/api/boxes/${id}/reset`);
    await until(
      "the box has started anew, and knows no hub",
      async () => {
        const { network, stick, point: of } = await box.roomState();
        return network?.trouble === "hubUnknown" && !stick && of === null;
      },
      { withinMs: 400_000, everyMs: 1_000 },
    );
    expect(await shell("ls /var/lib/diemcau/recordings 2>/dev/null || true")).toBe("");
    expect(await shell("ls /sys/firmware/efi/efivars | grep -c FactoryReset || true")).toBe("0\n");
    expect(await shell("lsblk -no PARTLABEL /dev/vda")).toMatch(/diemcau-data/);
    expect(await shell("systemctl --failed --no-legend --plain")).toBe("");
    expect((await view())?.connected ?? false).toBe(false);
  });
});
