import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createInspection, type InspectionReport, type Writing } from "../../src/edge/inspection/inspection.ts";
import { createLog, processesWith, systemClock } from "../../src/platform/platform.ts";
import { makeId, type AlarmCause } from "../../src/protocol/protocol.ts";
import { examine } from "../support/examine.ts";
import { MADE_FRAME_RATE, makeTake } from "../support/made-take.ts";
import { until } from "../support/until.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-inspection-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe("never-again 1: what is wrong in a file is an alarm, once, within 10 s of the file", () => {
  const FAULT_S = 10;
  const from = `gte(t\\,${FAULT_S})`;
  const faults: { cause: AlarmCause; picture?: string; sound?: string; withinS?: number }[] = [
    { cause: "pictureBlack", picture: `drawbox=t=fill:color=black:enable=${from}` },
    { cause: "pictureDark", picture: `lutyuv=y=16+(val-16)/6:enable=${from}`, withinS: 13 },
    { cause: "pictureFrozen", picture: `trim=end=${FAULT_S},tpad=stop=-1:stop_mode=clone` },
    { cause: "soundSilent", sound: `volume=0:enable=${from}` },
    { cause: "soundSilent", sound: `atrim=end=${FAULT_S}` },
    { cause: "soundClipping", sound: `volume=36dB:precision=fixed:enable=${from}` },
    { cause: "soundHum", sound: `aeval=val(0)+0.07*sin(2*PI*50*t)*${from}:c=same`, withinS: 22 },
    { cause: "frameRateLow", picture: `select=lt(t\\,${FAULT_S})+not(mod(n\\,2))`, withinS: 12 },
  ];

  test.each(faults)("$cause: $picture $sound", async ({ cause, picture, sound, withinS = 10 }) => {
    await makeTake({ directory, seconds: FAULT_S + withinS + 4, ...(picture && { picture }), ...(sound && { sound }) });
    const { alarms } = await examine(directory, MADE_FRAME_RATE);
    expect(alarms.map((alarm) => alarm.cause)).toEqual([cause]);
    expect(alarms[0]!.raisedS).toBeGreaterThan(FAULT_S);
    expect(alarms[0]!.raisedS).toBeLessThan(FAULT_S + withinS);
    expect(alarms[0]!.clearedS).toBeNull();
  });

  test("a fault that goes away clears its alarm", async () => {
    const between = "between(t\\,6\\,14)";
    await makeTake({ directory, seconds: 24, sound: `volume=0:enable=${between}` });
    const { alarms, speech, loudnessLufs } = await examine(directory, MADE_FRAME_RATE);
    expect(alarms).toMatchObject([{ cause: "soundSilent" }]);
    expect(alarms[0]!.clearedS).toBeGreaterThan(14);
    expect(speech).toBe(true);
    expect(loudnessLufs).toBeGreaterThan(-40);
  });

  test("five minutes of ordinary speech with pauses raise nothing", async () => {
    await makeTake({ directory, seconds: 300, size: "160x90", seed: 11 });
    const { alarms, mediaS } = await examine(directory, MADE_FRAME_RATE);
    expect(alarms).toEqual([]);
    expect(mediaS).toBeGreaterThan(299);
  });
});

describe("inspection of a file that is being written", () => {
  test("measures it as it grows; a killed or hanging program leaves it unknown until the next one measures again", async () => {
    const making = makeTake({ directory, seconds: 60, realTime: true });
    const take = makeId("take", new Uint8Array(10));
    const segments = async () => (await readdir(directory)).filter((name) => name.endsWith(".ts")).sort();
    let openSeq = 0;
    const writing = (): Writing => ({ take, directory, openSeq, frameRate: MADE_FRAME_RATE });
    const logged: string[] = [];
    const log = createLog(systemClock, (line) => logged.push(line));
    const ffmpeg = () => Promise.resolve("ffmpeg");
    const inspection = createInspection({ clock: systemClock, log, writing, ffmpeg, runDirectory: directory });
    const stop = new AbortController();
    const running = inspection.run(stop.signal);
    const checked = (is: boolean, withinMs: number): Promise<InspectionReport> =>
      until(
        `the file is ${is ? "checked" : "unknown"}`,
        () => {
          const report = inspection.report();
          return report?.file.checked === is && report;
        },
        { withinMs },
      );
    const program = () => {
      const pids = logged.flatMap((line) => (JSON.parse(line) as { pid?: number }).pid ?? []);
      return pids.at(-1)!;
    };
    try {
      const report = await checked(true, 15_000);
      expect(report.findings.pictureBlack).toMatchObject({ present: false });
      await until("speech is measured in the file", () => inspection.report()?.file.speech, { withinMs: 10_000 });

      const first = program();
      process.kill(first, "SIGKILL");
      await checked(false, 10_000);
      openSeq = (await segments()).length - 1;
      await checked(true, 15_000);
      expect(program()).not.toBe(first);

      const sizeBefore = (await stat(join(directory, (await segments()).at(-1)!))).size;
      process.kill(program(), "SIGSTOP");
      expect((await checked(false, 10_000)).findings).toEqual({});
      openSeq = (await segments()).length - 1;
      const grown =
        (await segments()).length > openSeq + 1 || (await stat(join(directory, (await segments()).at(-1)!))).size;
      expect(grown === true || grown !== sizeBefore).toBe(true);
      await checked(true, 30_000);
    } finally {
      stop.abort(new Error("the test ends"));
      await running;
    }
    expect(processesWith("signalstats").filter(({ pid }) => pid === program())).toEqual([]);
    await making;
  });
});
