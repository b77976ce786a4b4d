import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SoundTester } from "../../src/edge/sound-test/sound-test.ts";
import { createLog, processesWith, systemClock } from "../../src/platform/platform.ts";
import type { SoundTest } from "../../src/protocol/protocol.ts";
import { makePipewireRoom, twoVoices, type PipewireRoom } from "../support/pipewire-room.ts";
import { SPEECH_RATE } from "../support/speech.ts";
import { until } from "../support/until.ts";

/** Somebody half a metre from the microphone, as loud as a loudspeaker two metres from it. */
const ECHO_DB = -13.5;
/** Of programs that the test starts. */
const OURS = "--client-name=diem-cau-sound-test";
const silence = (seconds: number) => new Float32Array(seconds * SPEECH_RATE);

let directory: string;
let inSession: boolean;
let microphone: string | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-sound-test-"));
  inSession = false;
  microphone = "sim-microphone";
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

const openTester = () =>
  SoundTester.open({
    ...{ log: createLog(systemClock, () => {}), clock: systemClock, runDirectory: directory },
    nowUtc: () => "2026-11-22T01:13:00.000Z",
    ffmpeg: () => Promise.resolve("ffmpeg"),
    microphone: () => microphone,
    inSession: () => inSession,
    onChange: () => {},
  });

/** What the agent's programs hear. */
function enter(room: PipewireRoom): void {
  for (const name of ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"]) vi.stubEnv(name, room.env[name]);
  vi.stubEnv("PULSE_SERVER", undefined);
}

/** One press, and somebody who says something when the screen asks for it; also what else they say, and when. */
async function press(
  room: PipewireRoom,
  tester: SoundTester,
  says: { speak: Float32Array; listen?: Float32Array },
): Promise<SoundTest> {
  expect(tester.start()).toBe("started");
  expect(tester.start()).toBe("running");
  const saying = async (phase: "speak" | "listen", near: Float32Array) => {
    await until(phase, () => tester.state().running?.phase === phase, { withinMs: 30_000 });
    return room.perform({ far: new Float32Array(near.length), near });
  };
  await saying("speak", says.speak);
  if (says.listen) await saying("listen", says.listen);
  await until("the test has ended", () => tester.state().running === null, { withinMs: 60_000 });
  expect(processesWith(OURS)).toEqual([]);
  expect(tester.state()).toMatchObject({ broken: null, refused: null });
  return tester.result()!;
}

test("one press says whether others would hear themselves, and it is so after a restart of the agent", async () => {
  const { made } = await twoVoices();
  await using room = await makePipewireRoom({ delayMs: 20, reverberationS: 0.4, gainDb: ECHO_DB });
  enter(room);
  await using tester = await openTester();
  expect(tester.result()).toBeUndefined();
  const good = await press(room, tester, { speak: made(3, -26) });
  console.info(JSON.stringify(good));
  expect(good).toMatchObject({ at: "2026-11-22T01:13:00.000Z", voice: "heard", echo: "good" });
  expect(good.returnLossDb).toBeGreaterThanOrEqual(30);

  await using later = await openTester();
  expect(later.result()).toEqual(good);
  microphone = "another";
  expect(later.result()).toBeUndefined();
  microphone = "sim-microphone";

  const silent = await press(room, tester, { speak: silence(1) });
  expect(silent.voice).toBe("silent");
  const disturbed = await press(room, tester, { speak: made(3, -26), listen: made(10, -20) });
  expect(disturbed.echo).toBe("noisy");

  await room.loseCanceller();
  const open = await press(room, tester, { speak: made(3, -26) });
  expect(open).toMatchObject({ voice: "heard", echo: "open", returnLossDb: null });
}, 240_000);

test("a loudspeaker that is not heard and an echo that the canceller does not find are told apart", async () => {
  const { made } = await twoVoices();
  const verdictOf = async (acoustics: Parameters<typeof makePipewireRoom>[0]) => {
    await using room = await makePipewireRoom(acoustics);
    enter(room);
    await using tester = await openTester();
    const verdict = await press(room, tester, { speak: made(3, -26) });
    console.info(JSON.stringify(verdict));
    return verdict;
  };
  expect(await verdictOf({ delayMs: 20, reverberationS: 0.4, gainDb: -90 })).toMatchObject({ echo: "unheard" });
  // Later than any canceller looks for an echo.
  const late = await verdictOf({ delayMs: 700, reverberationS: 0.4, gainDb: ECHO_DB });
  expect(["weak", "poor"]).toContain(late.echo);
  expect(late.returnLossDb).toBeLessThan(30);
}, 240_000);

test("a session ends it at once, and none is begun in one", async () => {
  await using room = await makePipewireRoom({ delayMs: 20, reverberationS: 0.4, gainDb: ECHO_DB });
  enter(room);
  await using tester = await openTester();
  inSession = true;
  expect(tester.start()).toBe("inSession");
  expect(tester.state().refused).toBe("inSession");
  inSession = false;
  expect(tester.start()).toBe("started");
  await until("it listens", () => processesWith(OURS).length === 2, { withinMs: 10_000 });
  inSession = true;
  await until("it has ended", () => tester.state().running === null);
  expect(processesWith(OURS)).toEqual([]);
  expect(tester.state()).toMatchObject({ broken: "session", result: null });

  inSession = false;
  expect(tester.start()).toBe("started");
  tester.stop();
  await until("it is stopped", () => tester.state().running === null);
  expect(tester.state()).toMatchObject({ broken: null, result: null });

  microphone = undefined;
  expect(tester.start()).toBe("noMicrophone");
});
