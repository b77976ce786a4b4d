import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBag } from "../../src/evidence/evidence.ts";
import type { EvidenceRecord, GapCause, SessionId } from "../../src/protocol/protocol.ts";
import { accountFor, placesOf } from "../support/account.ts";
import { copiesOf } from "../support/copies.ts";
import { boxRecords } from "../support/count.ts";
import { makeImpairedNamespace } from "../support/namespace.ts";
import { raiseStand, standLogs, type RoomProcess, type Stand } from "../support/stand.ts";
import { fakeClock, Storm } from "../support/storm.ts";
import type { Fault, FaultKind } from "../support/storm-plan.ts";
import { until } from "../support/until.ts";

/** Faults of the storm one by one, each with what it must lead to; in the end every moment is accounted for. */
describe("a session through single blows", () => {
  const resources = new AsyncDisposableStack();
  let directory: string;
  let stand: Stand;
  let room: RoomProcess;
  let session: SessionId;
  let storm: Storm;

  const records = (): Promise<EvidenceRecord[]> => boxRecords(join(room.dataDirectory, "recordings"), session);
  const strike = (fault: FaultKind, forMs = 0) => storm.strike({ atMs: 0, room: 0, fault, forMs } satisfies Fault);
  const gap = (cause: GapCause, withinMs: number) =>
    until(
      `a gap ${cause} is stated`,
      async () => (await records()).find((record) => record.kind === "gap" && record.cause === cause),
      { withinMs },
    );
  const growing = () =>
    until(
      "it records, and the hub knows",
      async () => (await stand.desk.rooms()).some((view) => view.connected && view.health?.recording.growing === true),
      { withinMs: 30_000 },
    );
  const hubLog = () => readFile(stand.hub.logFile, "utf8");

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-blows-"));
    resources.defer(() => rm(directory, { recursive: true, force: true }));
    const line = resources.use(await makeImpairedNamespace());
    const clockFile = join(directory, "clock");
    stand = resources.use(
      await raiseStand({
        directory,
        rooms: [{ name: "UBND xã Ba Tơ", namespace: line, cable: true, env: await fakeClock(clockFile) }],
      }),
    );
    room = stand.rooms[0]!;
    session = (await stand.desk.createSession("Buổi tiếp qua từng sự cố", [{ id: room.point, role: "central" }])).id;
    await stand.desk.act(session, "start");
    await growing();
    storm = new Storm(stand, [{ room, line, clockFile }], session, 1);
  });

  afterAll(() => resources.disposeAsync());

  test("an encoder that stands still is replaced, and what is missing is a signed gap (never-again 6, 10)", async () => {
    expect(await strike({ do: "freeze", victim: "encoder" }, 6_000)).toMatchObject({ hit: true });
    const stalled = await gap("encoderStalled", 15_000);
    expect(stalled.kind === "gap" && stalled.durationMs).toBeGreaterThan(2_500);
    await growing();
  });

  test("control messages that come twice and in another order change nothing (never-again 4)", async () => {
    const takes = (await records()).filter(({ kind }) => kind === "takeStart").length;
    expect(await strike({ do: "meddle" }, 8_000)).toMatchObject({ hit: true });
    await growing();
    expect((await records()).filter(({ kind }) => kind === "takeStart")).toHaveLength(takes);
    expect(await hubLog()).not.toContain("archive.rewrite");
  });

  test.each([3_600_000, -3_600_000])(
    "a wall clock that jumps by %d ms puts no segment out of its place (never-again 11)",
    async (byMs) => {
      // The encoder is replaced in the middle of it, so that a take begins by the wrong clock.
      const freeze = strike({ do: "freeze", victim: "encoder" }, 6_000);
      expect(await strike({ do: "jumpClock", byMs }, 12_000)).toMatchObject({ hit: true });
      expect(await freeze).toMatchObject({ hit: true });
      await growing();
    },
  );

  test("a second box with the same identity is an alarm, and costs the first no moment and no byte (never-again 9, 13)", async () => {
    const twin = strike({ do: "twin" }, 6_000);
    await until(
      "the desk is told of two boxes, and the session's log",
      async () =>
        (await stand.desk.rooms())[0]!.alarms[0]?.cause === "identityTwin" &&
        (await stand.desk.session(session)).events.some(
          ({ kind, cause }) => kind === "alarmRaised" && cause === "identityTwin",
        ),
      { withinMs: 20_000 },
    );
    expect(await twin).toMatchObject({ hit: true });
    await growing();
    expect(await hubLog()).not.toContain("archive.rewrite");
  });

  test("a closed segment that is spoilt on the disk is stated as lost, by name (never-again 4, 9)", async () => {
    const hit = await strike({ do: "damageSegment" });
    const stated = await gap("segmentDamaged", 30_000);
    const [, take, file] = (hit.hit && hit.detail?.split("/")) || [];
    expect(stated.kind === "gap" && stated.segment).toEqual({ take, seq: Number.parseInt(file!, 10) });
  });

  test("every moment is recorded or stated as missing, and every byte is archived (never-again 10, 13)", async () => {
    await stand.desk.act(session, "end");
    await storm.bringTwinsHome(30_000);
    await until("all is at the province", async () => (await stand.desk.recording(session)).copies.provinceComplete, {
      withinMs: 50_000,
      everyMs: 200,
    }).catch(async (error: unknown) => {
      throw new Error(await standLogs(directory), { cause: error });
    });
    const { startedAt, endedAt } = await stand.desk.session(session);
    const places = { archive: join(stand.hub.dataDirectory, "archive"), province: stand.province.directory };
    const copies = [];
    for (const { dataDirectory } of [room, ...storm.twins])
      copies.push(
        ...(await copiesOf(session, room.point, { recordings: join(dataDirectory, "recordings"), ...places })),
      );
    expect(copies.filter(({ state }) => state === "differs")).toEqual([]);
    const damaged = new Set(copies.flatMap(({ state, key }) => (state === "damaged" ? [key] : [])));
    expect(damaged.size).toBe(1);
    const span = { startedAt: startedAt!, endedAt: endedAt! };
    const signed = await records();
    const [shown] = (await stand.desk.recording(session)).rooms;
    const account = accountFor(signed, span, {
      isUsable: (take, seq) => !damaged.has(`${take}/${seq}`),
      placeOf: placesOf(shown!),
    });
    expect(account.unexplained).toEqual([]);
    expect(Math.abs(account.differenceMs)).toBeLessThan(100);
    expect((await verifyBag(join(places.archive, session))).differences.map(({ code }) => code)).not.toContain(
      "missing",
    );
  });
});
