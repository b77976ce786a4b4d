import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyBag } from "../../src/evidence/evidence.ts";
import { fileSize, runChecked, systemClock } from "../../src/platform/platform.ts";
import { BAG, type SessionId } from "../../src/protocol/protocol.ts";
import { accountFor, placesOf, type Account } from "../support/account.ts";
import { copiesOf } from "../support/copies.ts";
import { boxRecords } from "../support/count.ts";
import { makeImpairedNamespace } from "../support/namespace.ts";
import { raiseStand, standLogs, type RoomProcess, type Stand } from "../support/stand.ts";
import { fakeClock, mountDisk, Storm, unmountDisk, type Hit, type StormRoom } from "../support/storm.ts";
import { faultInWords, planStorm, type Fault } from "../support/storm-plan.ts";
import { until } from "../support/until.ts";
import { atMost, machineNow, round, type Bench } from "./report.ts";

const MINUTES = 10;
const SEED = 1;
const ROOMS = ["Trụ sở Tiếp công dân tỉnh", "UBND xã Ba Tơ"];
/** Mean distance of two faults. */
const EVERY_MS = 4_000;
/** Before the first fault, and after the last. */
const CALM_MS = 8_000;
/** For all that was held up: the hub's backoff for refused segments alone may take a minute. */
const SETTLE_MS = 120_000;
/** Small, so that two rooms leave the machine time for what is tested. */
const CAPTURE = {
  record: { width: 320, height: 180, frameRate: 25, maxBitrateKbps: 600 },
  live: { width: 214, height: 120, bitrateKbps: 60 },
};

/** A tenth of a second at 25 frames. */
const MISSING_FRAMES = 2;

/** What a storm may not leave behind, with what shows it. */
interface Violation {
  room: string;
  what: string;
  evidence: string;
}

type RoomAccount = Account & { damaged: number };

/**
 * One session of two rooms in which everything happens that the schedule of the seed says. Afterwards every moment of
 * the session is looked for in what the boxes have signed, and every recorded byte in the archive.
 */
export const bench: Bench = {
  name: "storm",
  async run({ minutes = MINUTES, seed = SEED }) {
    const machine = machineNow();
    const directory = await mkdtemp(join(tmpdir(), "diemcau-storm-"));
    await using resources = new AsyncDisposableStack();
    resources.defer(() => rm(directory, { recursive: true, force: true }));
    const { stand, rooms } = await raise(directory, resources);
    const session = await beginSession(stand);
    const storm = new Storm(stand, rooms, session, seed);
    const durationMs = minutes * 60_000;
    const faults = planStorm({ seed, durationMs, rooms: rooms.length, everyMs: EVERY_MS });
    const hits = await blow(storm, faults, durationMs);
    await until("the session is ended", () => stand.desk.act(session, "end").then(() => true), { withinMs: 30_000 });
    const settledSeconds = await settle(stand, storm, session);
    const violations: Violation[] = [];
    if (settledSeconds === null) {
      violations.push(await notSettled(stand, session));
      console.error(await standLogs(directory, 40));
    }
    const { startedAt, endedAt } = await stand.desk.session(session);
    const accounts: Record<string, RoomAccount> = {};
    for (const room of stand.rooms) {
      const found = await examine(stand, storm, room, session, { startedAt: startedAt!, endedAt: endedAt! });
      accounts[room.name] = found.account;
      violations.push(...found.violations);
    }
    violations.push(...(await examineBag(stand, session)));
    if (violations.length > 0) {
      // Everything, also what lies on the rooms' own disks, before it is taken down.
      await runChecked(["cp", "-a", directory, `${directory}-found`]);
      console.error(`All that boxes and hub have of it is kept in ${directory}-found`);
    }
    return {
      name: "storm",
      machine,
      figures: {
        ...{ minutes, seed, settledSeconds },
        faults: hits.map(({ fault, hit }) => ({
          atMs: fault.atMs,
          forMs: fault.forMs,
          what: faultInWords(fault),
          ...hit,
        })),
        struck: hits.filter(({ hit }) => hit.hit).length,
        restarts: { hub: stand.hub.process.restarts, rooms: stand.rooms.map(({ process }) => process.restarts) },
        accounts,
        violations,
      },
      peers: {},
      goals: [
        ...Object.entries(accounts).map(([room, { differenceMs }]) =>
          atMost(`${room}: recorded + gaps - session, s`, round(Math.abs(differenceMs) / 1_000, 3), 0.1),
        ),
        ...Object.entries(accounts).map(([room, { missingFrames }]) =>
          atMost(`${room}: frames missing within takes`, missingFrames, MISSING_FRAMES),
        ),
        atMost("unexplained differences", violations.length, 0),
      ],
    };
  },
};

async function raise(
  directory: string,
  resources: AsyncDisposableStack,
): Promise<{ stand: Stand; rooms: StormRoom[] }> {
  const roomOptions = async (name: string, index: number) => {
    const namespace = resources.use(await makeImpairedNamespace());
    const clockFile = join(directory, `clock-${index + 1}`);
    return {
      ...{ name, namespace, cable: true, clockFile, env: await fakeClock(clockFile) },
      capture: { source: { kind: "virtual", label: name }, ...CAPTURE },
      async makeData(data: string) {
        await mountDisk(data);
        resources.defer(async () => void (await unmountDisk(data)));
      },
    };
  };
  const options: Awaited<ReturnType<typeof roomOptions>>[] = [];
  for (const [index, name] of ROOMS.entries()) options.push(await roomOptions(name, index));
  const stand = resources.use(await raiseStand({ directory, rooms: options }));
  const rooms = stand.rooms.map((room, index) => {
    const { namespace: line, clockFile } = options[index]!;
    return { room, line, clockFile };
  });
  return { stand, rooms };
}

async function beginSession(stand: Stand): Promise<SessionId> {
  const points = stand.rooms.map(({ point }, index) => ({
    ...{ id: point, role: index === 0 ? ("central" as const) : ("delegate" as const) },
  }));
  const { id } = await stand.desk.createSession("Buổi tiếp trong bão", points);
  await stand.desk.act(id, "start");
  await until(
    "all rooms record",
    async () => (await stand.desk.rooms()).every((view) => view.health?.recording.growing === true),
    { withinMs: 30_000 },
  );
  return id;
}

/** Every fault at its time, side by side; until the last is over. */
async function blow(storm: Storm, faults: readonly Fault[], durationMs: number) {
  await systemClock.sleep(CALM_MS);
  const beganMs = systemClock.monotonicMs();
  const sleepUntil = (atMs: number) => systemClock.sleep(Math.max(0, beganMs + atMs - systemClock.monotonicMs()));
  const hits = await Promise.all(
    faults.map(async (fault) => {
      await sleepUntil(fault.atMs);
      console.error(`${(fault.atMs / 1_000).toFixed(1)} s: ${faultInWords(fault)}, ${fault.forMs} ms`);
      const hit: Hit = await storm.strike(fault);
      return { fault, hit };
    }),
  );
  await sleepUntil(durationMs);
  await systemClock.sleep(CALM_MS);
  return hits;
}

/** Seconds until all that was recorded is at the hub and at the province; null if it is not in time. */
async function settle(stand: Stand, storm: Storm, session: SessionId): Promise<number | null> {
  const startedMs = systemClock.monotonicMs();
  const complete = async () => {
    const { copies } = await stand.desk.recording(session);
    return copies.hubComplete && copies.provinceComplete;
  };
  const settled = (withinMs: number) =>
    until("all is archived", complete, { withinMs, everyMs: 500 }).then(
      () => true,
      () => false,
    );
  await storm.bringTwinsHome(SETTLE_MS);
  return (await settled(SETTLE_MS)) ? round((systemClock.monotonicMs() - startedMs) / 1_000) : null;
}

async function notSettled(stand: Stand, session: SessionId): Promise<Violation> {
  const { rooms } = await stand.desk.recording(session);
  const waiting = rooms.flatMap(({ point, copies, segments }) => ({
    point: point.name,
    copies,
    segments: segments.filter(({ hub, province }) => hub !== "verified" || province !== "verified").slice(0, 5),
  }));
  return { room: "", what: "not all is archived", evidence: JSON.stringify(waiting) };
}

/** One room's disk, its twins' and the archive. */
async function examine(
  stand: Stand,
  storm: Storm,
  room: RoomProcess,
  session: SessionId,
  span: { startedAt: string; endedAt: string },
): Promise<{ account: RoomAccount; violations: Violation[] }> {
  const places = { archive: join(stand.hub.dataDirectory, "archive"), province: stand.province.directory };
  const violations: Violation[] = [];
  const violate = (what: string, evidence: string) => void violations.push({ room: room.name, what, evidence });
  const own = join(room.dataDirectory, "recordings");
  const twins = storm.twins
    .filter(({ of }) => of === room)
    .map(({ dataDirectory }) => join(dataDirectory, "recordings"));
  const damaged = new Set<string>();
  for (const recordings of [own, ...twins]) {
    if ((await readdir(join(recordings, session)).catch(() => [])).length === 0) continue;
    for (const { key, state, evidence } of await copiesOf(session, room.point, { recordings, ...places })) {
      if (state === "damaged") damaged.add(key);
      if (state === "differs") violate("a recorded segment is not archived with its hash", evidence);
    }
  }
  const records = await boxRecords(own, session);
  const shown = (await stand.desk.recording(session)).rooms.find(({ point }) => point.id === room.point);
  const account = accountFor(records, span, {
    isUsable: (take, seq) => !damaged.has(`${take}/${seq}`),
    placeOf: placesOf(shown ?? { segments: [], gaps: [] }),
  });
  for (const { kind, fromMs, toMs, evidence } of account.unexplained)
    violate(`${kind} for ${round((toMs - fromMs) / 1_000, 3)} s`, `${new Date(fromMs).toISOString()}: ${evidence}`);
  return { account: { ...account, damaged: damaged.size }, violations };
}

/** The archive by its own stand-alone check, once the viewing copies are in it: while they are added it is not whole. */
async function examineBag(stand: Stand, session: SessionId): Promise<Violation[]> {
  const bag = join(stand.hub.dataDirectory, "archive", session);
  const hasViewing = async ({ point }: RoomProcess) =>
    (await fileSize(join(bag, BAG.viewing(point, "room")))) !== undefined;
  let report = await verifyBag(bag);
  const isWhole = async () => {
    const viewing = await Promise.all(stand.rooms.map(hasViewing));
    report = await verifyBag(bag);
    return report.whole && !viewing.includes(false);
  };
  return until("the bag is whole", isWhole, { withinMs: SETTLE_MS, everyMs: 1_000 }).then(
    () => [],
    () => [
      { room: "", what: "the bag is not whole with its viewing copies", evidence: "" },
      ...report.differences.map(({ code, path, detail = "" }) => ({
        ...{ room: "", what: `the bag: ${code}`, evidence: `${path} ${detail}` },
      })),
    ],
  );
}
