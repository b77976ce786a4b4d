import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LIVE_KINDS, type BoxId, type PointId, type RoomState } from "../../src/protocol/protocol.ts";
import { runChecked } from "../../src/platform/platform.ts";
import { layCable, type Cable } from "./cable.ts";
import { DeskClient } from "./desk-client.ts";
import { freePort } from "./free-port.ts";
import type { Namespace } from "./namespace.ts";
import { startProvince, type ProvinceDaemon } from "./province-daemon.ts";
import { supervise, type Supervised } from "./supervised.ts";
import { until } from "./until.ts";

/**
 * A whole province on one machine: hub, rooms and storage as the processes that they are in the field, each started
 * again when it dies, as systemd would. Used by scripts/demo, the fault tests and the benches.
 */
export interface Stand extends AsyncDisposable {
  readonly hub: HubProcess;
  readonly rooms: RoomProcess[];
  readonly province: ProvinceDaemon;
  /** Signed in as the administrator. */
  readonly desk: DeskClient;
  readonly password: string;
}

export interface HubProcess {
  readonly process: Supervised;
  readonly url: string;
  readonly tlsPort: number;
  readonly dataDirectory: string;
  readonly logFile: string;
}

export interface RoomProcess {
  readonly name: string;
  readonly process: Supervised;
  /** Its configuration file. */
  readonly config: string;
  readonly dataDirectory: string;
  readonly runDirectory: string;
  readonly roomUrl: string;
  readonly logFile: string;
  /** The line to the hub, where this room has one that can be cut. */
  readonly cable: Cable | undefined;
  /** The host that the room runs on, where that is not this one. */
  readonly namespace: Namespace | undefined;
  /** Known once paired. */
  box: BoxId;
  point: PointId;
}

export interface StandOptions {
  directory: string;
  /** Folders of screens that were built for this test; those of `npm run build` otherwise. */
  screens?: { desk: string; room: string };
  /** Where the hub's port listens; 127.0.0.1 unless rooms live in namespaces. */
  hubHost?: string;
  /** More of the hub's configuration. */
  hubConfig?: object;
  rooms: {
    name: string;
    /** A cable for TCP, on top of the namespace's own line where there is one. */
    cable?: boolean;
    namespace?: Namespace;
    capture?: unknown;
    /** More of its configuration. */
    config?: object;
    env?: NodeJS.ProcessEnv;
    /** Words in front of its command. */
    enter?: readonly string[];
    /** Makes the data directory before the room starts; it is a plain folder otherwise. */
    makeData?: (dataDirectory: string) => Promise<void>;
  }[];
  say?: (line: string) => void;
}

const root = join(import.meta.dirname, "../..");
export const ADMINISTRATOR = "admin";

async function startHub(
  directory: string,
  host: string,
  province: string,
  ui: string | undefined,
  config: object | undefined,
): Promise<HubProcess> {
  const dataDirectory = join(directory, "data");
  await mkdir(dataDirectory, { recursive: true });
  const [tlsPort, loopbackPort] = [await freePort(), await freePort()];
  const file = join(directory, "hub.json");
  await writeFile(
    file,
    JSON.stringify({
      dataDirectory,
      listen: { host, port: tlsPort },
      loopback: { port: loopbackPort },
      hostNames: ["localhost", "127.0.0.1"],
      province: { target: province },
      ui,
      ...config,
    }),
  );
  const logFile = join(directory, "hub.log");
  const process = await supervise([globalThis.process.execPath, join(root, "src/hub/main.ts"), "--config", file], {
    logFile,
  });
  return { process, url: `http://127.0.0.1:${loopbackPort}`, tlsPort, dataDirectory, logFile };
}

async function startRoom(
  directory: string,
  options: StandOptions["rooms"][number],
  hubPort: number,
  ui?: string,
): Promise<RoomProcess> {
  const dataDirectory = join(directory, "data");
  const runDirectory = join(directory, "run");
  await mkdir(dataDirectory, { recursive: true });
  await options.makeData?.(dataDirectory);
  await mkdir(runDirectory, { recursive: true });
  const host = options.namespace?.hostAddress ?? "127.0.0.1";
  const cable = options.cable ? await layCable({ host: "127.0.0.1", port: hubPort }, { host }) : undefined;
  const roomPort = await freePort();
  const config = join(directory, "box.json");
  await writeFile(
    config,
    JSON.stringify({
      dataDirectory,
      runDirectory,
      hub: { host, port: cable?.port ?? hubPort },
      capture: options.capture ?? { source: { kind: "virtual", label: options.name } },
      room: { port: roomPort, ui },
      ...options.config,
    }),
  );
  const logFile = join(directory, "box.log");
  const process = await supervise(
    [
      ...(options.namespace?.enter ?? []),
      ...(options.enter ?? []),
      globalThis.process.execPath,
      join(root, "src/edge/start.js"),
      "--config",
      config,
    ],
    { logFile, ...(options.env && { env: { ...globalThis.process.env, ...options.env } }) },
  );
  return {
    name: options.name,
    process,
    config,
    dataDirectory,
    runDirectory,
    roomUrl: `http://127.0.0.1:${roomPort}`,
    logFile,
    cable,
    namespace: options.namespace,
    box: "" as BoxId,
    point: "" as PointId,
  };
}

/** What the room's own screen shows. */
async function roomState(room: RoomProcess): Promise<RoomState> {
  const url = `${room.roomUrl}/api/room`;
  if (!room.namespace) return (await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).json()) as RoomState;
  const ask = "process.stdout.write(await (await fetch(process.argv[1])).text())";
  const { stdout } = await runChecked([
    ...room.namespace.enter,
    process.execPath,
    "--input-type=module",
    "-e",
    ask,
    url,
  ]);
  return JSON.parse(stdout) as RoomState;
}

/** Reads the code from the room's screen and types it at the desk, as two people on the telephone do. */
async function pair(room: RoomProcess, desk: DeskClient): Promise<void> {
  const code = await until(
    `${room.name} shows its pairing code`,
    async () => {
      const { pairing } = await roomState(room);
      return pairing.state === "code" && pairing.code;
    },
    { withinMs: 30_000, everyMs: 100 },
  );
  const { box, point } = await desk.pair(code, room.name);
  room.box = box as BoxId;
  room.point = point.id as PointId;
}

export async function raiseStand(options: StandOptions): Promise<Stand> {
  const say = options.say ?? (() => {});
  const { directory } = options;
  await mkdir(directory, { recursive: true });
  const stack = new AsyncDisposableStack();
  try {
    const province = stack.use(await startProvince(join(directory, "province")));
    const hub = await startHub(
      join(directory, "hub"),
      options.hubHost ?? "127.0.0.1",
      province.target,
      options.screens?.desk,
      options.hubConfig,
    );
    stack.defer(async () => void (await hub.process.stop()));
    const oneTime = await until(
      `the hub prints its one-time password (${hub.logFile})`,
      async () => /\b([A-Z0-9]{4}(?:-[A-Z0-9]{4}){3})\b/.exec(await readFile(hub.logFile, "utf8"))?.[1],
      { withinMs: 30_000, everyMs: 50 },
    );
    const desk = new DeskClient(hub.url);
    await until("the hub answers", () => fetch(hub.url).then(() => true), { withinMs: 30_000 });
    await desk.signIn(ADMINISTRATOR, oneTime);
    const password = [...oneTime.toLowerCase().split("-")].reverse().join("-");
    await desk.changePassword(oneTime, password);
    say("Trung tâm đã chạy.");

    const rooms: RoomProcess[] = [];
    for (const [i, room] of options.rooms.entries()) {
      const started = await startRoom(join(directory, `room-${i + 1}`), room, hub.tlsPort, options.screens?.room);
      stack.defer(async () => {
        await started.process.stop();
        await started.cable?.[Symbol.asyncDispose]();
      });
      rooms.push(started);
    }
    for (const room of rooms) {
      await pair(room, desk);
      say(`Đã ghép thiết bị của ${room.name}.`);
    }
    await until(
      "every room is connected and live",
      async () => {
        const views = await desk.rooms();
        return rooms.every((room) =>
          views.some((view) => view.box === room.box && view.connected && view.live.length === LIVE_KINDS.length),
        );
      },
      { withinMs: 60_000, everyMs: 100 },
    );
    const resources = stack.move();
    return { hub, rooms, province, desk, password, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Last lines of every log of a stand: what to read when something went wrong. */
export async function standLogs(directory: string, lines = 15): Promise<string> {
  const parts: string[] = [];
  for (const folder of await readdir(directory)) {
    for (const file of await readdir(join(directory, folder)).catch(() => [])) {
      if (!file.endsWith(".log")) continue;
      const text = await readFile(join(directory, folder, file), "utf8");
      parts.push(`== ${folder}/${file}`, ...text.trimEnd().split("\n").slice(-lines));
    }
  }
  return parts.join("\n");
}
