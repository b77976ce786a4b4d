import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { virtualFaultsFile, type VirtualFaults } from "../../src/edge/capture/virtual-faults.ts";
import { systemClock } from "../../src/platform/platform.ts";
import type { AlarmCause, SessionId } from "../../src/protocol/protocol.ts";
import { examine } from "../support/examine.ts";
import { MADE_FRAME_RATE, makeTake } from "../support/made-take.ts";
import { raiseStand, type RoomProcess, type Stand } from "../support/stand.ts";
import { until } from "../support/until.ts";
import { atMost, machineNow, median, round, type Bench } from "./report.ts";

const REPETITIONS = 4;
const GOAL_S = 10;
const LIMIT_S = 60;
/** Between a recovery and the next fault: the file must be good again for the judge's whole memory. */
const CALM_MS = 3_000;
const CPU_WINDOW_MS = 20_000;
const CPU_GOAL_PERCENT = 3;
const TICKS_PER_S = 100;
const HOUR_S = 3_600;

const FAULTS: { name: string; faults: Partial<VirtualFaults>; cause: AlarmCause }[] = [
  { name: "silence", faults: { sound: "silent" }, cause: "soundSilent" },
  { name: "black", faults: { picture: "black" }, cause: "pictureBlack" },
  { name: "freeze", faults: { picture: "frozen" }, cause: "pictureFrozen" },
  { name: "unplug", faults: { picture: "unplugged" }, cause: "cameraNone" },
  { name: "stopped growth", faults: { stopped: true }, cause: "notRecording" },
];

/**
 * Seconds from a fault in the room to its alarm in the hub's session log, and back; what the measuring costs; and
 * whether an hour of ordinary speech with pauses raises anything. --seconds sets the length of that hour.
 */
export const bench: Bench = {
  name: "alarm",
  async run({ seconds = HOUR_S }) {
    const machine = machineNow();
    const directory = await mkdtemp(join(tmpdir(), "dc-bench-alarm-"));
    try {
      const figures: Record<string, unknown> = {};
      const all: number[] = [];
      const stray: string[] = [];
      let cpuPercent: number | null = null;
      {
        await using stand = await raiseStand({ directory, rooms: [{ name: "UBND xã Ba Tơ" }] });
        const room = stand.rooms[0]!;
        const session = await begin(stand, room);
        cpuPercent = await measuringCost(room);
        for (const { name, faults, cause } of FAULTS) {
          const raised: number[] = [];
          const cleared: number[] = [];
          for (let i = 0; i < REPETITIONS; i++) {
            const before = (await alarmEvents(stand, session)).length;
            const faultMs = await setFaults(room, faults);
            await told(stand, session, before, "alarmRaised", cause);
            raised.push((systemClock.monotonicMs() - faultMs) / 1_000);
            const goodMs = await setFaults(room, {});
            await told(stand, session, before, "alarmCleared", cause);
            cleared.push((systemClock.monotonicMs() - goodMs) / 1_000);
            await systemClock.sleep(CALM_MS);
            const others = (await alarmEvents(stand, session)).slice(before).filter((event) => event.cause !== cause);
            stray.push(...others.map((event) => `${name}: ${event.cause}`));
          }
          all.push(...raised);
          figures[`${name}: s to the alarm at the hub`] = summary(raised);
          figures[`${name}: s to its clearing`] = summary(cleared);
        }
        await stand.desk.act(session, "end");
      }
      figures["faults"] = all.length;
      figures["second alarms for one fault"] = stray;
      figures["measuring the file, % of a core at 720p25"] = cpuPercent;
      const take = await mkdtemp(join(directory, "hour-"));
      await makeTake({ directory: take, seconds, size: "160x90", seed: 3 });
      const beganMs = systemClock.monotonicMs();
      const { alarms, mediaS } = await examine(take, MADE_FRAME_RATE);
      figures["ordinary speech examined, s"] = round(mediaS, 0);
      figures["times faster than real time"] = round((mediaS * 1_000) / (systemClock.monotonicMs() - beganMs), 1);
      figures["alarms in ordinary speech"] = alarms;
      return {
        name: "alarm",
        machine,
        figures,
        peers: {},
        goals: [
          atMost("s from fault to alarm at the hub, p95", round(percentile(all, 0.95)), GOAL_S),
          atMost("false alarms in an hour of ordinary speech", alarms.length, 0),
          atMost("second alarms for one fault", stray.length, 0),
          atMost("measuring the file, % of a core", cpuPercent, CPU_GOAL_PERCENT),
        ],
      };
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

async function begin(stand: Stand, room: RoomProcess): Promise<SessionId> {
  const { id } = await stand.desk.createSession("Buổi đo cảnh báo", [{ id: room.point, role: "central" }]);
  await stand.desk.act(id, "start");
  await until(
    "speech is measured in the file",
    async () => (await stand.desk.rooms())[0]?.health?.file?.speech === true,
    { withinMs: LIMIT_S * 1_000 },
  );
  return id;
}

/** @returns when the fault began, monotonic */
async function setFaults(room: RoomProcess, faults: Partial<VirtualFaults>): Promise<number> {
  await writeFile(virtualFaultsFile(room.runDirectory), JSON.stringify(faults));
  return systemClock.monotonicMs();
}

const alarmEvents = async (stand: Stand, session: SessionId) =>
  (await stand.desk.session(session)).events.filter(({ kind }) => kind === "alarmRaised" || kind === "alarmCleared");

const told = (stand: Stand, session: SessionId, before: number, kind: string, cause: AlarmCause) =>
  until(
    `${cause} is told (${kind})`,
    async () =>
      (await alarmEvents(stand, session)).slice(before).some((event) => event.kind === kind && event.cause === cause),
    { withinMs: LIMIT_S * 1_000, everyMs: 100 },
  );

/** CPU of the measuring program, of one core, percent. */
async function measuringCost(room: RoomProcess): Promise<number | null> {
  const started = (await readFile(room.logFile, "utf8"))
    .split("\n")
    .findLast((line) => line.includes("inspection.started"));
  const pid = started === undefined ? undefined : (JSON.parse(started) as { pid: number }).pid;
  if (pid === undefined) return null;
  const ticks = () => {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = ticks();
  await systemClock.sleep(CPU_WINDOW_MS);
  return round(((ticks() - before) / TICKS_PER_S / (CPU_WINDOW_MS / 1_000)) * 100);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

const summary = (values: readonly number[]) => ({ median: round(median(values)), worst: round(Math.max(...values)) });
