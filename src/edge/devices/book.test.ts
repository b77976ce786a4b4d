import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createLog, systemClock, type Clock } from "../../platform/platform.ts";
import { missedDevice } from "../../protocol/protocol.ts";
import { DeviceBook, openDeviceBook } from "./book.ts";
import type { Camera, Devices } from "./listing.ts";

const camera = (name: string, port: string): Camera => ({
  ...{ id: `usb:046d:0825:${name}@0000:00:14.0/${port}#1.0`, name, address: `/dev/video${port}`, modes: [] },
});
const [good, poor] = [camera("Webcam A", "1"), camera("B", "2")];
const log = createLog(systemClock, () => {});
const AUTO = { kind: "auto" } as const;

function world(book?: (options: ConstructorParameters<typeof DeviceBook>[0]) => DeviceBook) {
  let nowMs = 0;
  let listings = 0;
  const plugged = { cameras: [good, poor] };
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  const list = () => {
    listings++;
    return Promise.resolve<Devices>({ cameras: plugged.cameras, microphones: [] });
  };
  const options = { clock, log, list };
  const devices = book ? book(options) : new DeviceBook(options);
  return {
    devices,
    plugged,
    options,
    listings: () => listings,
    pass: (ms: number) => (nowMs += ms),
    /** What is chosen now, and what the list says of each. */
    choose: async (held = false, failed: Camera[] = []) => {
      const listed = await devices.list();
      const usable = { ...listed, cameras: listed.cameras.filter((c) => !failed.includes(c)) };
      return devices.choose(AUTO, listed, usable, held).camera?.name;
    },
    use: (device: Camera | undefined, inSession = false) =>
      devices.noteUse({ camera: device?.id, microphone: undefined }, inSession, true),
    said: () => devices.facts().cameras.map(({ name, state }) => `${name} ${state}`),
  };
}

describe("the room's devices", () => {
  it("nothing is asked while nothing is missing and nothing was plugged; what is missing is looked for now and then", async () => {
    const { devices, pass, listings } = world();
    await devices.known(false);
    pass(3_600_000);
    await devices.known(false);
    expect(listings()).toBe(1);
    await devices.known(true);
    pass(5_000);
    await devices.known(true);
    expect(listings()).toBe(2);
    devices.lookAgain();
    await devices.known(false);
    expect(listings()).toBe(3);
  });

  it("what is used before a session becomes the usual one; without it another is used, and it is said which is missing", async () => {
    const { devices, plugged, pass, choose, use, said } = world();
    expect(await choose()).toBe(good.name);
    use(good);
    pass(10_000);
    use(good);
    plugged.cameras = [poor];
    expect(await choose(true)).toBe(poor.name);
    use(poor, true);
    expect(said()).toEqual(["Webcam A absent", "B inUse"]);
    expect(missedDevice(devices.facts().cameras)?.name).toBe(good.name);
    // Nor does the other one become usual by being used in its place.
    pass(60_000);
    use(poor);
    plugged.cameras = [camera("Webcam A", "7"), poor];
    expect(await choose(true)).toBe(good.name);
    use(camera("Webcam A", "7"), true);
    expect(missedDevice(devices.facts().cameras)).toBeUndefined();
    expect(devices.facts().cameras[0]).toMatchObject({ state: "inUse", port: "7", wanted: true });
  });

  it("a usual device that has been away for a day is not expected back", async () => {
    const { devices, plugged, pass, choose, use } = world();
    await choose();
    use(good);
    pass(10_000);
    use(good);
    plugged.cameras = [poor];
    await choose();
    use(poor);
    pass(23 * 3_600_000);
    use(poor);
    expect(missedDevice(devices.facts().cameras)?.name).toBe(good.name);
    pass(3_600_000);
    use(poor);
    await choose();
    expect(devices.facts().cameras.map(({ name }) => name)).toEqual([poor.name]);
  });

  it("the administrator's order counts at once, over a restart too, until it is taken back", async () => {
    const directory = await mkdtemp(join(tmpdir(), "diemcau-devices-"));
    try {
      const first = world();
      const book = await openDeviceBook(directory, first.options);
      book.setOrder({ cameras: [{ id: poor.id, name: poor.name }], microphones: [] });
      const chosen = async (b: DeviceBook) => {
        const listed = await b.list();
        return b.choose(AUTO, listed, listed, true).camera?.name;
      };
      expect(await chosen(book)).toBe(poor.name);
      await expect.poll(() => readFile(join(directory, "devices.json"), "utf8").catch(() => "")).toContain(poor.id);
      const again = await openDeviceBook(directory, first.options);
      expect(await chosen(again)).toBe(poor.name);
      again.setOrder(null);
      expect(await chosen(again)).toBe(good.name);
      await expect.poll(() => readFile(join(directory, "devices.json"), "utf8")).not.toContain(poor.id);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("a device that is there and cannot be opened is told as failed, and is missed", async () => {
    const { devices, choose, use, said } = world();
    expect(await choose(false, [good])).toBe(poor.name);
    use(poor);
    expect(said()).toEqual(["Webcam A failed", "B inUse"]);
    expect(missedDevice(devices.facts().cameras)?.name).toBe(good.name);
  });

  it("one with a loose plug is chosen only where there is no other", async () => {
    const { devices, plugged, pass, choose } = world();
    expect(await choose()).toBe(good.name);
    for (let i = 0; i < 2; i++) {
      pass(3_000);
      devices.noteLoss(good.id);
      await devices.list();
    }
    expect(await choose()).toBe(poor.name);
    plugged.cameras = [good];
    expect(await choose()).toBe(good.name);
    plugged.cameras = [good, poor];
    pass(11_000);
    expect(await choose()).toBe(good.name);
  });

  it("a plug is told by the kernel's own files", async () => {
    const dev = await mkdtemp(join(tmpdir(), "diemcau-dev-"));
    const stop = new AbortController();
    try {
      const { options } = world();
      const book = new DeviceBook({ ...options, clock: systemClock, dev });
      const told: number[] = [];
      book.onChange(() => told.push(1));
      const running = book.run(stop.signal);
      await writeFile(join(dev, "tty7"), "");
      await writeFile(join(dev, "video3"), "");
      await expect.poll(() => told.length, { timeout: 5_000 }).toBe(1);
      await mkdir(join(dev, "snd"));
      await writeFile(join(dev, "snd", "controlC1"), "");
      await expect.poll(() => told.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
      stop.abort();
      await running;
    } finally {
      stop.abort();
      await rm(dev, { recursive: true });
    }
  });
});
