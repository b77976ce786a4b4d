import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChecked, runProcess, startProcess } from "../../src/platform/platform.ts";
import { missedDevice, segmentPath, type EvidenceRecord } from "../../src/protocol/protocol.ts";
import { openRecorderStand } from "../support/recorder-stand.ts";
import { until } from "../support/until.ts";

/** A private sound server whose microphones can be plugged in and out; each gives a tone of its own. */
async function openMicrophones() {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-pulse-"));
  const socket = join(directory, "socket");
  const env = { ...process.env, HOME: directory, XDG_RUNTIME_DIR: directory, PULSE_SERVER: `unix:${socket}` };
  const server = await startProcess(
    [
      ...["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"],
      ...["-L", `module-native-protocol-unix socket=${socket} auth-anonymous=1`],
    ],
    { env, stdio: ["ignore", "ignore", "ignore"] },
  );
  await until("the sound server answers", async () => (await runProcess(["pactl", "info"], { env })).code === 0);
  const modules = new Map<number, string>();
  return {
    env,
    async plug(hz: number) {
      const argv = ["pactl", "load-module", "module-sine-source", `source_name=microphone-${hz}`, `frequency=${hz}`];
      modules.set(hz, (await runChecked(argv, { env })).stdout.trim());
    },
    unplug: (hz: number) => runChecked(["pactl", "unload-module", modules.get(hz)!], { env }),
    async [Symbol.asyncDispose]() {
      await server.stop(5_000);
      await rm(directory, { recursive: true });
    },
  };
}

/** How loud a tone is in the first two seconds of a file, dB. */
async function toneOf(path: string, hz: number): Promise<number> {
  const filter = `bandpass=f=${hz}:width_type=h:w=20,volumedetect`;
  const { stderr } = await runChecked([
    ...["ffmpeg", "-hide_banner", "-nostdin", "-t", "2", "-i", path],
    ...["-af", filter, "-f", "null", "-"],
  ]);
  return Number(/mean_volume: (-?[\d.]+) dB/.exec(stderr)?.[1]);
}

test("a microphone that is pulled out is replaced by the next one in a session, named as missing, and used again when it is back, when a segment ends", async () => {
  await using microphones = await openMicrophones();
  await microphones.plug(440);
  await microphones.plug(880);
  await using stand = await openRecorderStand(
    { kind: "auto", cameras: [], microphones: ["880 Hz", "440 Hz"] },
    "listed",
    1,
    microphones.env,
  );
  await stand.startAgent(true);
  await stand.recordedFrames(75);
  const said = async () =>
    (await stand.view()).facts.devices!.microphones.map(({ name, state }) => `${/\d+ Hz/.exec(name)![0]} ${state}`);
  expect(await said()).toEqual(["880 Hz inUse", "440 Hz ready"]);

  await microphones.unplug(880);
  await until("the other microphone is recorded", async () => (await stand.view()).takes.length === 2, {
    withinMs: 30_000,
  });
  await stand.recordedFrames(50);
  expect(await said()).toEqual(["880 Hz absent", "440 Hz inUse"]);
  const { devices, recording } = (await stand.view()).facts;
  expect(missedDevice(devices?.microphones)?.name).toContain("880 Hz");
  expect(recording.growing).toBe(true);

  await microphones.plug(880);
  await until("the first microphone is back", async () => (await stand.view()).takes.length === 3, {
    withinMs: 60_000,
  });
  await stand.recordedFrames(50);
  expect(await said()).toEqual(["880 Hz inUse", "440 Hz ready"]);
  await stand.setSession(false);
  await until("all takes have ended", async () => (await stand.view()).takes.every(({ ended }) => ended));

  const takes = await stand.chain();
  expect(takes.map((take) => gapOf(take).cause)).toEqual(["starting", "deviceLost", "deviceChanged"]);
  expect(gapOf(takes[1]!).detail).toContain("880 Hz");
  expect(gapOf(takes[2]!).detail).toContain("440 Hz");
  // The swap back waited until a segment had ended: of the next one only a moment is in its take.
  const middle = takes[1]!.flatMap((record) => (record.kind === "segment" ? [record] : []));
  expect(middle.length).toBeGreaterThanOrEqual(2);
  expect(middle.at(-1)!.frames).toBeLessThan(75);
  for (const [i, hz] of [880, 440, 880].entries()) {
    const first = takes[i]!.find((record) => record.kind === "segment");
    if (first?.kind !== "segment") throw new Error("a take without a segment");
    const { session, take, seq } = first;
    const path = join(stand.dataDirectory, "recordings", segmentPath({ session, take, seq }));
    expect((await toneOf(path, hz)) - (await toneOf(path, hz === 880 ? 440 : 880))).toBeGreaterThan(20);
  }
  const kept = JSON.parse(
    await readFile(join(stand.dataDirectory, "devices.json"), "utf8").catch(() => "{}"),
  ) as object;
  // Nothing was used outside of a session: what is usual has not been learnt from a session.
  expect(kept).not.toHaveProperty("usual.microphone.id");
});

function gapOf(take: EvidenceRecord[]): Extract<EvidenceRecord, { kind: "gap" }> {
  const gap = take.find((record) => record.kind === "gap");
  if (gap?.kind !== "gap") throw new Error("no gap is stated");
  return gap;
}
