import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/platform.ts";
import type { RoomState, SessionId } from "../../src/protocol/protocol.ts";
import { raiseStand, standLogs, type RoomProcess, type Stand } from "../support/stand.ts";
import { until } from "../support/until.ts";

/** A room whose line is cut: by its schedule and by hand it records all the same, and the hub takes it in afterwards. */
describe("a room without its hub", () => {
  let directory: string;
  let stand: Stand;
  let room: RoomProcess;

  const state = async (): Promise<RoomState> => (await (await fetch(`${room.roomUrl}/api/room`)).json()) as RoomState;
  const roomIs = (what: string, condition: (state: RoomState) => boolean, withinMs = 30_000) =>
    until(
      what,
      async () => {
        const now = await state();
        return condition(now) && now;
      },
      { withinMs, everyMs: 50 },
    ).catch(async (error: unknown) => {
      throw new Error(await standLogs(directory), { cause: error });
    });
  const press = async (path: "start" | "stop", session: SessionId | null): Promise<number> =>
    (
      await fetch(`${room.roomUrl}/api/room/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: room.roomUrl },
        body: JSON.stringify({ session }),
      })
    ).status;
  const complete = (session: SessionId) =>
    until("all of it is at the hub", async () => (await stand.desk.recording(session)).copies.hubComplete, {
      withinMs: 60_000,
      everyMs: 200,
    });
  const kinds = async (session: SessionId) => (await stand.desk.session(session)).events.map(({ kind }) => kind);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-schedule-"));
    stand = await raiseStand({ directory, rooms: [{ name: "UBND xã Ba Tơ", cable: true }] });
    room = stand.rooms[0]!;
  });

  afterAll(async () => {
    await stand?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  test("never-again 2: begins a scheduled session at its time, goes on through a kill, and the hub adopts it live", async () => {
    const scheduledAt = new Date(systemClock.wallMs() + 4_000).toISOString();
    const points = [{ id: room.point, role: "central" as const }];
    const { id } = await stand.desk.createSession("Định kỳ tháng 11", points, scheduledAt);
    await roomIs("the room knows of it", ({ nextSession }) => nextSession?.id === id);
    room.cable!.cut();
    const recording = await roomIs("the room records by itself", (now) => now.recording?.session === id, 60_000);
    expect(recording.session).toMatchObject({ id, state: "live", begunBy: "schedule" });
    expect(recording.stop).toEqual({ session: id });
    room.process.kill("SIGKILL");
    await roomIs("it records on after a kill", (now) => now.recording?.session === id && !now.connected);
    room.cable!.mend();
    await until("the hub has it live", async () => (await stand.desk.session(id)).state === "live", {
      withinMs: 30_000,
    });
    const session = await stand.desk.session(id);
    expect(session.adHoc).toBe(false);
    expect(session.events.map(({ kind }) => kind).filter((kind) => kind.startsWith("started"))).toEqual([
      "startedByRoom",
      "started",
    ]);
    const lateMs = Date.parse(session.startedAt!) - Date.parse(scheduledAt);
    expect(lateMs).toBeGreaterThanOrEqual(-50);
    // The line has to have been silent for 4 s and away for 10 s.
    expect(lateMs).toBeLessThan(20_000);
    await stand.desk.act(id, "end");
    await complete(id);
    const done = await roomIs("the room says so too", ({ receipt }) => receipt?.complete === true);
    expect(done.receipt).toMatchObject({ session: id, name: "Định kỳ tháng 11" });
    const [gap] = (await stand.desk.recording(id)).rooms[0]!.gaps;
    expect(gap).toMatchObject({ cause: "starting" });
    expect(gap!.durationMs).toBeLessThan(3_000);
  });

  test("a session that was begun and ended by hand in the room is in the hub's list, with its recording", async () => {
    room.cable!.cut();
    await roomIs("one may be begun", ({ start }) => start !== null);
    expect(await press("start", null)).toBe(204);
    expect(await press("start", null)).toBe(409);
    const begun = await roomIs("the room records", ({ recording }) => recording !== null);
    const { id } = begun.session!;
    expect(begun.session).toMatchObject({
      begunBy: "hand",
      name: expect.stringMatching(/^Buổi tiếp tại phòng \d\d:\d\d \d\d\/\d\d$/),
    });
    expect(await press("stop", id)).toBe(204);
    await roomIs("the room has stopped", ({ recording, session }) => recording === null && session === null);
    room.cable!.mend();
    const adopted = await until(
      "the hub lists it",
      async () => (await stand.desk.sessions()).find((session) => session.id === id && session.state === "ended"),
      { withinMs: 30_000 },
    );
    expect(adopted).toMatchObject({ adHoc: true, name: begun.session!.name });
    expect(await kinds(id)).toEqual(["startedByRoom", "started", "endedByRoom", "ended"]);
    await complete(id);
  });
});
