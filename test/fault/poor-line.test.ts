import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { FLV_AUDIO, FlvReader } from "../../src/media/media.ts";
import { runChecked } from "../../src/platform/platform.ts";
import { lampsOf, type LiveKind, type SessionId } from "../../src/protocol/protocol.ts";
import { countRoom } from "../support/count.ts";
import { encoderPid } from "../support/encoder.ts";
import { makeNamespace, type Namespace } from "../support/namespace.ts";
import { raiseStand, standLogs, type RoomProcess, type Stand } from "../support/stand.ts";
import { until } from "../support/until.ts";

/** One room behind a line that the kernel narrows while it records. */
describe("never-again 6: a line that shrinks", () => {
  let directory: string;
  let line: Namespace;
  let stand: Stand;
  let room: RoomProcess;
  let session: SessionId;
  let encoder: number;
  /** Times of the sound's frames as a listener at the hub got them, of one run of the encoder. */
  const soundMs: number[] = [];

  const view = async () => (await stand.desk.rooms()).find(({ box }) => box === room.box)!;
  const live = (kinds: LiveKind[], withinMs: number) =>
    until(`${kinds.join(", ")} is what arrives`, async () => (await view()).live.join() === kinds.join(), {
      withinMs,
      everyMs: 100,
    });
  /** Both directions, with the small queue of a cheap router. */
  const narrow = async (kbps: number) => {
    const shape = ["root", "tbf", "rate", `${kbps}kbit`, "burst", "3000", "latency", "300ms"];
    const { near, far } = line.devices;
    await runChecked(["tc", "qdisc", "replace", "dev", near, ...shape]);
    await runChecked([...line.enter, "tc", "qdisc", "replace", "dev", far, ...shape]);
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-line-"));
    line = await makeNamespace();
    stand = await raiseStand({
      directory,
      hubHost: "0.0.0.0",
      rooms: [{ name: "UBND xã Trà Bùi", namespace: line }],
    });
    room = stand.rooms[0]!;
    session = (await stand.desk.createSession("Buổi tiếp qua đường hẹp", [{ id: room.point, role: "central" }])).id;
    await stand.desk.act(session, "start");
    await until("the room records", async () => (await view()).health?.recording.growing === true, {
      withinMs: 30_000,
    });
    await live(["video", "small", "audio"], 20_000);
    encoder = encoderPid(room);
    const reader = new FlvReader();
    const listener = new WebSocket(`${stand.hub.url.replace("http", "ws")}/live/${room.box}/audio`, {
      headers: { origin: stand.hub.url, cookie: stand.desk.cookie },
    });
    listener.on("message", (data: Buffer) => {
      for (const tag of reader.push(data))
        if (tag.type === FLV_AUDIO && tag.body[1] === 1) soundMs.push(tag.timestampMs);
    });
    await until("sound is heard", () => soundMs.length > 10);
  });

  afterAll(async () => {
    await stand?.[Symbol.asyncDispose]();
    await line?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  test("at 300 kbit/s the large picture goes, the small one and the sound stay, and both screens say why", async () => {
    await narrow(300);
    // Measured in the moment of its change, a line may be taken for one of sound only, which is corrected after 10 s.
    await until(
      "the small picture and the sound arrive, and the hub is told",
      async () => {
        const { live, health } = await view();
        return live.join() === "small,audio" && health?.link.quality === "small";
      },
      { withinMs: 40_000, everyMs: 100 },
    );
    expect(lampsOf((await view()).health ?? undefined, true, true).troubles).toContain("lineSmall");
  });

  test("at 150 kbit/s only the sound goes on", async () => {
    await narrow(150);
    await live(["audio"], 20_000);
    const before = soundMs.length;
    await until("sound goes on", () => soundMs.length > before + 200, { withinMs: 15_000 });
    expect((await view()).live).toEqual(["audio"]);
  });

  test("when the line is wide again everything comes back by itself", async () => {
    await narrow(20_000);
    await live(["video", "small", "audio"], 60_000);
    expect(encoderPid(room)).toBe(encoder);
  });

  test("not one frame of sound was lost to the listener, and not one frame to the record", async () => {
    const steps = new Set(soundMs.slice(1).map((ms, i) => ms - soundMs[i]!));
    // 1024 samples at 96 kHz, in whole milliseconds.
    expect([Math.min(...steps), Math.max(...steps)]).toEqual([10, 11]);
    await stand.desk.act(session, "end");
    await until("all is at the province", async () => (await stand.desk.recording(session)).copies.provinceComplete, {
      withinMs: 60_000,
      everyMs: 200,
    }).catch(async (error: unknown) => {
      throw new Error(await standLogs(directory), { cause: error });
    });
    const count = await countRoom(session, room.point, {
      recordings: join(room.dataDirectory, "recordings"),
      archive: join(stand.hub.dataDirectory, "archive"),
      province: stand.province.directory,
    });
    expect(count.framesRecorded).toBe(count.framesCaptured);
    expect(count.framesArchived).toBe(count.framesRecorded);
    expect(count.gaps.map(({ cause }) => cause)).toEqual(["starting"]);
    expect(count.hashesEqual).toBe(true);
  });
});
