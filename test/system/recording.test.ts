import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { completeLines, isoUtc, runChecked, runProcess, systemClock } from "../../src/platform/platform.ts";
import { segmentPath, SignedRecord, type EvidenceRecord } from "../../src/protocol/protocol.ts";
import { virtualFaultsFile } from "../../src/edge/capture/virtual-faults.ts";
import { openRecorderStand, type RecorderStand } from "../support/recorder-stand.ts";
import { makeSmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

const kinds = (records: EvidenceRecord[]): string[] => records.map(({ kind }) => kind);

function pick<K extends EvidenceRecord["kind"]>(
  records: EvidenceRecord[],
  kind: K,
): Extract<EvidenceRecord, { kind: K }> {
  const found = records.find((record) => record.kind === kind);
  if (!found) throw new Error(`no ${kind} among ${kinds(records).join()}`);
  return found as Extract<EvidenceRecord, { kind: K }>;
}

const ended = (stand: RecorderStand, takes: number) =>
  until(`${takes} takes have ended`, async () => {
    const view = await stand.view();
    return view.takes.length === takes && view.takes.every((take) => take.ended) && view;
  });

test("every captured frame is in the files, and the chain holds for our code and for openssl alike", async () => {
  await using stand = await openRecorderStand();
  await stand.startAgent(false);
  await until("preview", async () => (await stand.view()).facts.encoder.state === "preview");
  const askedMs = await stand.setSession(true);
  await stand.recordedFrames(270);
  await stand.setSession(false);
  const { segments } = await ended(stand, 1);

  const [take] = await stand.chain();
  expect(kinds(take!)).toEqual(["takeStart", "gap", "segment", "segment", "takeEnd"]);
  const end = pick(take!, "takeEnd");
  expect(end).toMatchObject({ reason: "sessionEnded", segments: 2 });
  expect(end.frames).toBeGreaterThanOrEqual(270);
  expect(end["framesCaptured"]).toBe(end.frames);
  expect(end["framesEncoded"]).toBe(end.frames);

  const gap = pick(take!, "gap");
  expect(gap).toMatchObject({ cause: "starting" });
  const first = pick(take!, "segment");
  expect(Date.parse(first.startedAt.utc) - askedMs).toBeLessThan(3_000);
  expect(Math.abs(Date.parse(gap.to) - Date.parse(first.startedAt.utc))).toBeLessThanOrEqual(1);
  expect(first.frames).toBe(250);
  expect(first.streamEndMs - first.streamStartMs).toBeCloseTo(10_000, 0);

  for (const segment of segments) {
    expect(segment.path).toBe(join(stand.dataDirectory, "recordings", segmentPath(segment.name)));
    expect((await readFile(segment.path)).length).toBe(segment.sizeBytes);
  }
  const bytes = await readFile(segments[0]!.path);
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(first.sha256);

  const lines = completeLines(await readFile(join(segments[0]!.path, "../records.jsonl"), "utf8"));
  const { record, signature } = SignedRecord.parse(JSON.parse(lines[2]!));
  const [json, sig] = [join(stand.dataDirectory, "r.json"), join(stand.dataDirectory, "r.sig")];
  await writeFile(json, record);
  await writeFile(sig, Buffer.from(signature, "base64"));
  const verify = ["openssl", "dgst", "-sha256", "-verify", join(stand.dataDirectory, "public.pem"), "-signature", sig];
  expect((await runChecked([...verify, json])).stdout).toContain("Verified OK");
  await writeFile(json, record.replace('"frames":250', '"frames":249'));
  expect((await runProcess([...verify, json])).code).not.toBe(0);
});

test("never-again 5, 10: an encoder that is killed is replaced within two seconds, and what is missing is a signed gap", async () => {
  await using stand = await openRecorderStand();
  await stand.startAgent(true);
  await stand.recordedFrames(60);
  process.kill(stand.encoderPid(), "SIGKILL");
  await until("a second take", async () => (await stand.view()).takes.length === 2);
  await stand.recordedFrames(25);
  await stand.setSession(false);
  await ended(stand, 2);
  const [broken, next] = await stand.chain();
  expect(pick(broken!, "takeEnd")).toMatchObject({ reason: "encoderDied", segments: 1 });
  expect(pick(broken!, "takeEnd").frames).toBeGreaterThanOrEqual(60);
  expect(kinds(next!)).toEqual(["takeStart", "gap", "segment", "takeEnd"]);
  const gap = pick(next!, "gap");
  expect(gap.cause).toBe("encoderDied");
  expect(gap.durationMs).toBeGreaterThan(0);
  expect(gap.durationMs).toBeLessThan(2_000);
});

test("an encoder that stands still is noticed and replaced", async () => {
  await using stand = await openRecorderStand();
  await stand.startAgent(true);
  await stand.recordedFrames(30);
  process.kill(stand.encoderPid(), "SIGSTOP");
  await until("the sign goes out", async () => !(await stand.view()).facts.recording.growing);
  await until("a second take", async () => (await stand.view()).takes.length === 2, { withinMs: 15_000 });
  await stand.recordedFrames(10);
  await stand.setSession(false);
  await ended(stand, 2);
  const [stalled, next] = await stand.chain();
  expect(pick(stalled!, "takeEnd").reason).toBe("encoderStalled");
  expect(pick(next!, "gap")).toMatchObject({ cause: "encoderStalled" });
  expect(pick(next!, "gap").durationMs).toBeLessThan(6_000);
});

test("never-again 5: a killed agent loses no frame: the next one takes over the running encoder in mid-take", async () => {
  await using stand = await openRecorderStand();
  await stand.startAgent(true);
  await stand.recordedFrames(40);
  const encoder = stand.encoderPid();
  await stand.killAgent();
  await stand.startAgent(true);
  await stand.recordedFrames(280);
  expect(stand.encoderPid()).toBe(encoder);
  await stand.setSession(false);
  await ended(stand, 1);
  const chain = await stand.chain();
  expect(chain).toHaveLength(1);
  const end = pick(chain[0]!, "takeEnd");
  expect(end).toMatchObject({ reason: "sessionEnded", segments: 2 });
  expect(end["framesCaptured"]).toBe(end.frames);
  expect(end["framesEncoded"]).toBe(end.frames);
});

test("never-again 5: a take whose agent and encoder were both killed is closed by the next agent with all that its files hold", async () => {
  await using stand = await openRecorderStand();
  await stand.startAgent(true);
  await stand.recordedFrames(50);
  await stand.killAgent();
  process.kill(stand.encoderPid(), "SIGKILL");
  await stand.startAgent(true);
  await until("the old take is closed", async () => (await stand.view()).takes.some((take) => take.ended));
  await until("a second take", async () => (await stand.view()).takes.length === 2);
  await stand.stopAgent();
  const [recovered, next] = await stand.chain();
  expect(pick(recovered!, "takeEnd")).toMatchObject({ reason: "recovered", segments: 1 });
  expect(pick(recovered!, "takeEnd").frames).toBeGreaterThanOrEqual(49);
  expect(pick(next!, "gap").cause).toBe("agentDied");
  expect(pick(next!, "takeEnd").reason).toBe("agentStopped");
});

test.each(["agent", "agent and encoder"])(
  "never-again 10: what is missing before a take is stated, though the %s died with its first record only",
  async (dead) => {
    await using stand = await openRecorderStand();
    await stand.startAgent(true);
    await stand.recordedFrames(40);
    await stand.killAgent();
    if (dead !== "agent") process.kill(stand.encoderPid(), "SIGKILL");
    // As it is between the two: each is on the disk before the next is made.
    const [take] = await readdir(join(stand.dataDirectory, "recordings", stand.session));
    const file = join(stand.dataDirectory, "recordings", stand.session, take!, "records.jsonl");
    const [first] = completeLines(await readFile(file, "utf8"));
    await writeFile(file, `${first}\n`);
    await stand.startAgent(true);
    await stand.recordedFrames(280);
    await stand.setSession(false);
    await ended(stand, dead === "agent" ? 1 : 2);
    const [records] = await stand.chain();
    expect(kinds(records!).slice(0, 3)).toEqual(["takeStart", "gap", "segment"]);
    expect(pick(records!, "gap")).toMatchObject({ cause: "starting" });
    expect(pick(records!, "gap").to).toBe(pick(records!, "segment").startedAt.utc);
  },
);

test("a box that was down when its session ended states the rest of it, once (never-again 10)", async () => {
  await using stand = await openRecorderStand();
  await stand.startAgent(true);
  await stand.recordedFrames(40);
  await stand.killAgent();
  process.kill(stand.encoderPid(), "SIGKILL");
  const endedAt = isoUtc(systemClock.wallMs() + 5_000);
  await stand.startAgent(false, endedAt);
  await ended(stand, 2);
  await stand.stopAgent();
  await stand.startAgent(false, endedAt);
  await until("preview", async () => (await stand.view()).facts.encoder.state === "preview");
  const [recovered, stated, ...more] = await stand.chain();
  expect(more).toEqual([]);
  const last = pick(recovered!, "segment");
  const gap = pick(stated!, "gap");
  expect(kinds(stated!)).toEqual(["takeStart", "gap", "takeEnd"]);
  expect(gap).toMatchObject({ cause: "agentDied", to: endedAt });
  const recordedToMs = Date.parse(last.startedAt.utc) + last.streamEndMs - last.streamStartMs;
  // Three moments in whole milliseconds stand between the two.
  expect(Math.abs(Date.parse(gap.from) - recordedToMs)).toBeLessThanOrEqual(2);
});

test("never-again 2, 11: what is stated of one session while the next one starts leaves one chain, and every take known", async () => {
  await using stand = await openRecorderStand();
  await stand.startAgent(true);
  await stand.recordedFrames(40);
  await stand.killAgent();
  process.kill(stand.encoderPid(), "SIGKILL");
  await stand.startAgent("next", isoUtc(systemClock.wallMs() + 5_000));
  await stand.recordedFrames(10);
  await stand.setSession(false, "paused");
  await ended(stand, 3);
  await stand.setSession("next");
  await stand.recordedFrames(10);
  await stand.setSession(false);
  await ended(stand, 4);
  const sessions = (await stand.chain()).map(([first]) => first!.session);
  expect(sessions).toEqual([stand.session, stand.session, stand.nextSession, stand.nextSession]);
  await stand.stopAgent();
  await stand.startAgent(false);
  expect((await stand.view()).takes.map(({ session }) => session)).toEqual(sessions);
});

test("never-again 2: a segment that the disk does not give back any more keeps nothing that follows from being recorded", async () => {
  await using stand = await openRecorderStand();
  await using disk = await makeSmallDisk(64e6);
  const recordings = join(stand.dataDirectory, "recordings");
  await mkdir(recordings);
  const insert = () => runChecked(["mount", "--bind", disk.directory, recordings]);
  const pull = () => runChecked(["umount", recordings]);
  await insert();
  try {
    await stand.startAgent(true);
    await stand.recordedFrames(280);
    await stand.killAgent();
    process.kill(stand.encoderPid(), "SIGKILL");
    await until("nobody has the disk", () => pull().then(() => true));
    const { path } = await disk.spoil((name) => name.endsWith("000001.ts"));
    await insert();
    await expect(readFile(join(recordings, path))).rejects.toMatchObject({ errno: -117 });
    await stand.startAgent(true);
    await stand.recordedFrames(10);
    await stand.setSession(false);
    const { takes, unreadable } = await ended(stand, 2);
    expect(unreadable).toEqual([`${takes[0]!.take}/1`]);
    expect(takes.map(({ closed }) => closed)).toEqual([1, 1]);
    const [before, after] = await stand.chain();
    expect(kinds(before!)).toEqual(["takeStart", "gap", "segment", "takeEnd"]);
    const last = pick(before!, "segment");
    const gap = pick(after!, "gap");
    expect(gap).toMatchObject({ cause: "mediumFailed" });
    const recordedToMs = Date.parse(last.startedAt.utc) + last.streamEndMs - last.streamStartMs;
    expect(Math.abs(Date.parse(gap.from) - recordedToMs)).toBeLessThanOrEqual(2);
  } finally {
    await stand.stopAgent();
    await runChecked(["umount", "--lazy", recordings]);
  }
});

test("a pause ends the take and the next one begins with a gap of the pause's length", async () => {
  await using stand = await openRecorderStand();
  await stand.startAgent(true);
  await stand.recordedFrames(20);
  const pausedMs = await stand.setSession(false, "paused");
  await ended(stand, 1);
  await until("preview", async () => (await stand.view()).facts.encoder.state === "preview");
  const resumedMs = await stand.setSession(true);
  await stand.setSession(true);
  await until("a second take", async () => (await stand.view()).takes.length === 2);
  await stand.recordedFrames(10);
  await stand.setSession(false);
  await ended(stand, 2);
  const [before, after] = await stand.chain();
  expect(pick(before!, "takeEnd").reason).toBe("paused");
  expect(after!.map((record) => record.kind).slice(0, 2)).toEqual(["takeStart", "gap"]);
  const gap = pick(after!, "gap");
  expect(gap.cause).toBe("paused");
  expect(Math.abs(gap.durationMs - (resumedMs - pausedMs))).toBeLessThan(2_000);
});

test("never-again 6: a live line that takes the connection and then nothing more costs no frame and hardly delays the end", async () => {
  const sockets: Socket[] = [];
  const frozen = createServer((socket) => sockets.push(socket.pause().on("error", () => {})));
  await new Promise<void>((resolve) => frozen.listen(0, "127.0.0.1", resolve));
  try {
    await using stand = await openRecorderStand(undefined, undefined, (frozen.address() as AddressInfo).port);
    await stand.startAgent(true);
    await stand.recordedFrames(60);
    expect(sockets.length).toBeGreaterThan(0);
    await stand.setSession(false);
    await ended(stand, 1);
    const [take] = await stand.chain();
    const end = pick(take!, "takeEnd");
    expect(end["framesCaptured"]).toBe(end.frames);
    expect(end.frames).toBeGreaterThanOrEqual(60);
    expect(pick(take!, "segment").frames).toBe(end.frames);
  } finally {
    for (const socket of sockets) socket.destroy();
    frozen.close();
  }
});

test("a film is recorded round and round in real time, and ends with every frame that was encoded", async () => {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-film-"));
  try {
    const path = join(directory, "film.mp4");
    await runChecked([
      ...["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=480x360:rate=30:duration=1"],
      ...["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=1", "-pix_fmt", "yuv420p", path],
    ]);
    await using stand = await openRecorderStand({ kind: "file", path });
    await stand.startAgent(true);
    await stand.recordedFrames(75);
    const { facts } = await stand.view();
    // What a recording holds is measured in its file, and not by the recorder.
    expect(facts).toMatchObject({ picture: "unknown", sound: { state: "unknown" }, source: `file ${path}` });
    await stand.setSession(false);
    await ended(stand, 1);
    const [take] = await stand.chain();
    const end = pick(take!, "takeEnd");
    expect(end["framesEncoded"]).toBe(end.frames);
    const segment = pick(take!, "segment");
    expect(segment.streamEndMs - segment.streamStartMs).toBeCloseTo(segment.frames * 40, 0);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("a camera and a microphone that cannot be opened cost neither the other nor the session", async () => {
  const microphone = { id: "at:m", kind: "alsa" as const, address: "plughw:CARD=Nowhere,DEV=0", name: "Nowhere" };
  const camera = { id: "at:c", address: "/dev/video99", name: "Nowhere", modes: [] };
  await using stand = await openRecorderStand({ kind: "auto" }, { cameras: [camera], microphones: [microphone] });
  await stand.startAgent(true);
  await stand.recordedFrames(25);
  const { facts } = await stand.view();
  expect(facts).toMatchObject({ picture: "none", sound: { state: "none" }, source: "no camera; no microphone" });
  await stand.setSession(false);
  await ended(stand, 1);
  const [take] = await stand.chain();
  expect(pick(take!, "takeStart").source).toBe("no camera; no microphone");
  expect(pick(take!, "takeEnd").frames).toBeGreaterThanOrEqual(25);
});

test("camera and microphone pulled out and put in again cost each other nothing: slate, silence, signed gaps", async () => {
  await using stand = await openRecorderStand();
  await stand.startAgent(true);
  await stand.recordedFrames(25);
  const plugs = async (
    faults: { picture?: "unplugged"; sound?: "unplugged" },
    takes: number,
    picture: string,
    sound: string,
  ) => {
    await writeFile(virtualFaultsFile(stand.runDirectory), JSON.stringify(faults));
    await until(
      `the source follows ${JSON.stringify(faults)}`,
      async () => {
        const view = await stand.view();
        const { encoder, recording } = view.facts;
        return (
          view.takes.length === takes &&
          recording.growing &&
          encoder.frames >= 50 &&
          (view.facts.picture === "none") === (picture === "none") &&
          (view.facts.sound.state === "none") === (sound === "none")
        );
      },
      { withinMs: 60_000 },
    );
  };
  await plugs({ picture: "unplugged" }, 2, "none", "ok");
  await plugs({ sound: "unplugged" }, 3, "ok", "none");
  await plugs({}, 4, "ok", "ok");
  await stand.setSession(false);
  await ended(stand, 4);
  const takes = await stand.chain();
  expect(takes.map((take) => pick(take, "gap").cause)).toEqual(["starting", "deviceLost", "deviceLost", "deviceLost"]);
  const facts = takes.map((take) => {
    const { session, take: id, seq } = pick(take, "segment");
    return probe(join(stand.dataDirectory, "recordings", segmentPath({ session, take: id, seq })));
  });
  const [whole, slate, silent, again] = await Promise.all(facts);
  for (const take of [slate, silent, again]) expect(take!.format).toBe(whole!.format);
  // White words on the slate, and a voice with them.
  expect(slate!.brightest).toBeGreaterThan(200);
  expect(slate!.loudestDb).toBeGreaterThan(-40);
  expect(silent!.loudestDb).toBeLessThan(-80);
  expect(again!.loudestDb).toBeGreaterThan(-40);
});

/** Of a segment: what its streams are, its brightest point and its loudest sample. */
async function probe(path: string): Promise<{ format: string; brightest: number; loudestDb: number }> {
  const entries = "stream=codec_name,profile,width,height,pix_fmt,sample_rate,channels,r_frame_rate";
  const format = await runChecked(["ffprobe", "-v", "error", "-show_entries", entries, "-of", "csv=p=0", path]);
  const looked = await runChecked([
    ...["ffmpeg", "-hide_banner", "-nostdin", "-i", path, "-af", "volumedetect"],
    ...["-vf", "signalstats,metadata=mode=print:key=lavfi.signalstats.YMAX:file=-", "-f", "null", "-"],
  ]);
  return {
    format: format.stdout,
    brightest: Math.max(...[...looked.stdout.matchAll(/YMAX=(\d+)/g)].map((match) => Number(match[1]))),
    loudestDb: Number(/max_volume: (-?[\d.]+) dB/.exec(looked.stderr)?.[1]),
  };
}

test("a room process that cannot start never fills the disk with empty takes", async () => {
  await using stand = await openRecorderStand({ kind: "virtual", label: "mute", phrases: "/nonexistent" });
  await stand.startAgent(true);
  await until("failed", async () => (await stand.view()).facts.encoder.state === "failed", { withinMs: 60_000 });
  expect(await readdir(join(stand.dataDirectory, "recordings", stand.session))).toHaveLength(1);
});
