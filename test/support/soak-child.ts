import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { sql } from "kysely";
import { runAgent } from "../../src/edge/agent.ts";
import { readEdgeConfig } from "../../src/edge/config.ts";
import { causeOf, createLog, systemClock } from "../../src/platform/platform.ts";
import { segmentFileName, type PointId, type RoomState } from "../../src/protocol/protocol.ts";
import { freePort } from "./free-port.ts";
import { steppedClock } from "./stepped-clock.ts";
import { startUplinkHub } from "./uplink-hub.ts";

export interface SoakPlan {
  /** Empty folder; everything is made below it. */
  home: string;
  days: number;
  sessionsPerDay: number;
  /** How often all is counted, in sessions. */
  sampleEvery: number;
}

/** What there is when everything that was recorded is at the hub and nothing is under way. */
export interface SoakSample {
  sessions: number;
  /** Since the soak began, in the soak's time. */
  day: number;
  rssBytes: number;
  /** After a collection. */
  heapBytes: number;
  openFiles: number;
  /** Of the clock, and of Node.js. */
  timers: number;
  childProcesses: number;
  box: { files: Record<string, number>; stateBytes: number; runFiles: number };
  hub: { databaseBytes: number; walBytes: number; archiveFiles: number; otherFiles: number };
  log: { lines: number; bytes: number };
}

/** Several looks fall into the time for which a recording's growth may rest. */
const STEP_MS = 200;
/** Real time that what was woken gets to finish what it does with files and sockets. */
const TURN_MS = 3;
const SESSION_MS = 12_000;
const EVERY_MS = 5 * 60_000;
const FIRST_SESSION_MS = 8 * 3_600_000;
const DAY_MS = 86_400_000;
const PATIENCE_MS = 60_000;
/** MPEG-TS null packet: what the open segment grows by. */
const NULL_PACKET = Buffer.concat([Buffer.of(0x47, 0x1f, 0xff, 0x10), Buffer.alloc(184, 0xff)]);

const plan = JSON.parse(process.argv[2]!) as SoakPlan;
const { home } = plan;
const [dataDirectory, runDirectory, configFile] = [join(home, "box"), join(home, "run"), join(home, "box.json")];
const stepped = steppedClock();
const beganMs = systemClock.wallMs() - (plan.days + 1) * DAY_MS;
const clock = {
  ...stepped,
  // A multiple of a day, so that hours are hours.
  wallMs: () => Math.floor(beganMs / DAY_MS) * DAY_MS + stepped.monotonicMs(),
  bootId: "00000000-0000-4000-8000-000000000000",
};
const realMs = () => systemClock.monotonicMs();
const written = { lines: 0, bytes: 0 };
const log = createLog(clock, (line) => {
  written.lines++;
  written.bytes += Buffer.byteLength(line);
  if (process.env["DIEMCAU_TEST_LOG"]) process.stderr.write(line);
});

/** What an encoder writes while time passes. */
function feed(ms: number): void {
  let current: { token: string; goal: { kind: string; directory?: string } };
  try {
    current = JSON.parse(readFileSync(join(runDirectory, "encoder/current.json"), "utf8")) as typeof current;
  } catch {
    return;
  }
  const folder = join(runDirectory, "encoder", current.token);
  fed = current.token === fedRun ? fed + ms : ms;
  fedRun = current.token;
  const write = (name: string, text: string) => appendFileSync(join(folder, name), text);
  const count = `frame=${Math.ceil(fed / 40)}\nfps=25\nout_time_us=${fed * 1_000}\ndrop_frames=0\ndup_frames=0\n`;
  write("progress", `${count}progress=continue\n`);
  write("sound", `lavfi.astats.Overall.Peak_level=-20\nlavfi.astats.Overall.RMS_level=${-30 - (fed % 7_000) / 500}\n`);
  const values = ["YMAX=200", `YAVG=${100 + (fed % 13_000) / 1_000}`, "UAVG=128", "VAVG=128", "SATAVG=20"];
  if (current.goal.kind !== "record")
    return write("picture", values.map((value) => `lavfi.signalstats.${value}\n`).join(""));
  const files = readdirSync(current.goal.directory!).filter((name) => name.endsWith(".ts"));
  if (files.includes(segmentFileName(2)))
    appendFileSync(join(current.goal.directory!, segmentFileName(2)), NULL_PACKET);
}
let fed = 0;
let fedRun = "";

async function pass(ms: number): Promise<void> {
  feed(ms);
  stepped.step(ms);
  await systemClock.sleep(TURN_MS);
}

async function passUntil(what: string, condition: () => Promise<boolean>): Promise<void> {
  const limitMs = realMs() + PATIENCE_MS;
  while (!(await condition())) {
    if (realMs() > limitMs) throw new Error(`waited in vain until ${what}`);
    await pass(STEP_MS);
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() ? [] : [join(entry.parentPath, entry.name)]));
}

const sizeOf = async (path: string) => (await stat(path).catch(() => undefined))?.size ?? 0;

await mkdir(dataDirectory, { recursive: true });
const hub = await startUplinkHub({ clock, directory: join(home, "hub"), schedule: "reception" });
const roomPort = await freePort();
const capture = {
  source: { kind: "file", path: join(process.env["SOAK_MEDIA"]!, "000000.ts") },
  record: { width: 160, height: 120, frameRate: 25, maxBitrateKbps: 100 },
  live: { width: 160, height: 120, bitrateKbps: 60 },
};
const places = { dataDirectory, runDirectory, room: { port: roomPort } };
await writeFile(configFile, JSON.stringify({ ...places, capture, hub: { host: "127.0.0.1", port: hub.port } }));
const stop = new AbortController();
const agent = runAgent(await readEdgeConfig(configFile), { log, clock, stopped: stop.signal, configFile });
const room = async (): Promise<RoomState | undefined> =>
  (await (await fetch(`http://127.0.0.1:${roomPort}/api/room`).catch(() => undefined))?.json()) as
    | RoomState
    | undefined;

let point = "";
await passUntil("the box is paired", async () => {
  const state = await room();
  if (state?.pairing.state === "code" && point === "") {
    const outcome = await hub.fleet.pairing.typeCode(state.pairing.code, { pointName: "Phòng" }, "soak");
    if (!outcome.ok) throw new Error(outcome.detail);
    point = "typed";
  }
  return state?.pairing.state === "paired" && state.connected;
});
point = (await room())!.point!.id;

async function holdSession(n: number): Promise<void> {
  const plan = { name: `Buổi ${n}`, scheduledAt: null, plannedMinutes: 10 };
  const created = await hub.reception.create({ ...plan, points: [{ id: point as PointId, role: "central" }] }, "soak");
  if (!created.ok) throw new Error(created.detail);
  const { id } = created.session;
  const startedMs = clock.monotonicMs();
  await hub.reception.start(id, "soak");
  await passUntil(`session ${n} is recorded`, async () => (await room())?.recording?.session === id);
  while (clock.monotonicMs() - startedMs < SESSION_MS) await pass(STEP_MS);
  await hub.reception.end(id, "soak");
  await passUntil(`session ${n} has ended`, async () => (await room())?.recording === null);
}

/** All that was recorded is verified, in finished bags. */
async function isQuiet(): Promise<boolean> {
  const undone = await hub.db
    .selectFrom("session")
    .leftJoin("bag", "bag.sessionId", "session.id")
    .select("id")
    .where((where) => where.or([where("viewing", "is", null), where("viewing", "=", 0)]))
    .executeTakeFirst();
  const state = await room();
  return undone === undefined && state?.connected === true && state.unsynced.segments === 0;
}

async function sample(sessions: number): Promise<SoakSample> {
  await passUntil("everything is at the hub", isQuiet);
  // What has just been done is put away.
  for (let turn = 0; turn < 20; turn++) await pass(STEP_MS);
  global.gc!();
  await systemClock.sleep(50);
  global.gc!();
  const boxFiles = await filesBelow(dataDirectory);
  const kindOf = (path: string) => {
    const [top, , , name] = path.slice(dataDirectory.length + 1).split("/");
    return name === undefined ? top! : `${top}/…/${name}`;
  };
  const files = Object.fromEntries([...Map.groupBy(boxFiles, kindOf)].map(([kind, of]) => [kind, of.length]));
  const hubFiles = await filesBelow(join(home, "hub"));
  const archive = join(home, "hub/archive");
  const archived = hubFiles.filter((path) => /^(?:session-|\.loudness\/)/.test(relative(archive, path)));
  const database = await sql<{ bytes: number }>`
    select (page_count - freelist_count) * page_size as bytes
    from pragma_page_count, pragma_freelist_count, pragma_page_size
  `.execute(hub.db);
  return {
    sessions,
    day: clock.monotonicMs() / DAY_MS,
    rssBytes: process.memoryUsage.rss(),
    heapBytes: process.memoryUsage().heapUsed + process.memoryUsage().external,
    openFiles: readdirSync("/proc/self/fd").length,
    timers: stepped.sleepers() + process.getActiveResourcesInfo().filter((name) => name === "Timeout").length,
    childProcesses: process.getActiveResourcesInfo().filter((name) => name === "ProcessWrap").length,
    box: {
      files,
      stateBytes: await sizeOf(join(dataDirectory, "state.json")),
      runFiles: (await filesBelow(runDirectory)).length,
    },
    hub: {
      databaseBytes: database.rows[0]!.bytes,
      walBytes: await sizeOf(join(home, "hub/hub.db-wal")),
      archiveFiles: archived.length,
      otherFiles: hubFiles.length - archived.length,
    },
    log: { ...written },
  };
}

let held = 0;
try {
  for (let day = 0; day < plan.days; day++)
    for (let n = 0; n < plan.sessionsPerDay; n++) {
      const untilMs = (day + 1) * DAY_MS + FIRST_SESSION_MS + n * EVERY_MS - clock.monotonicMs();
      // In one leap, as a machine that was asleep: what happens in idle minutes happens in the steps.
      if (untilMs > 0) await pass(untilMs);
      await holdSession(held++);
      await passUntil("everything is at the hub", isQuiet);
      if (held % plan.sampleEvery === 0) process.stdout.write(`${JSON.stringify(await sample(held))}\n`);
    }
  stop.abort();
  const ending = setInterval(() => stepped.step(STEP_MS), TURN_MS);
  await agent;
  await hub[Symbol.asyncDispose]();
  clearInterval(ending);
} catch (error) {
  process.stderr.write(`${causeOf(error)}\n`);
  process.exit(1);
}
