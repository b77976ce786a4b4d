import { generateKeyPairSync } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { checkNextRecord, createSigner, emptyChain } from "../../evidence/evidence.ts";
import { createMpegTsCounter } from "../../media/media.ts";
import {
  adoptProcess,
  causeOf,
  isoUtc,
  makeDirectory,
  processesWith,
  processIdentity,
  randomId,
  sha256File,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import { makeId, type TakeId, type UpdateFailure } from "../../protocol/protocol.ts";
import { qualityFor, type CaptureConfig } from "../capture/capture.ts";
import type { Devices } from "../devices/devices.ts";
import { openRecorder, type Recorder } from "../recording/recording.ts";
import { updateFolder, type Fitted } from "./kept.ts";

/** Of media, in a take of a real recorder. */
export const TRIAL_SECONDS = 10;
const WITHIN_MS = 60_000;
const LOOK_MS = 200;
const LEFT_MS = 1_000;
/** Of the frames and of the sound that ten seconds have. */
const ENOUGH = 0.9;

export interface TrialOptions {
  log: Log;
  clock: Clock;
  capture: CaptureConfig;
  cores: number;
  dataDirectory: string;
  runDirectory: string;
  agentVersion: string;
  /** What the former release had: a camera that the new one does not find is the new one's fault. */
  fitted: Fitted;
  listDevices?: (() => Promise<Devices>) | undefined;
  /** Devices may be slow to come up after a start of the machine. */
  withinMs?: number;
}

export type TrialVerdict = { ok: true; detail: string } | { ok: false; reason: UpdateFailure; detail: string };

/**
 * Records ten seconds with the recorder that records sessions, on the disk that holds them, under a key of its own; reads
 * them back against their records; and deletes them. Nothing of it touches what the room has recorded or will record.
 */
export async function runTrial(options: TrialOptions): Promise<TrialVerdict> {
  const home = join(updateFolder(options.dataDirectory), "trial");
  const runDirectory = join(options.runDirectory, "trial");
  // A trial that was cut off by the power left its own.
  await rm(home, { recursive: true, force: true });
  await makeDirectory(home);
  await makeDirectory(runDirectory);
  try {
    return await recordAndVerify(options, home, runDirectory);
  } catch (error) {
    return { ok: false, reason: "trialFailed", detail: causeOf(error) };
  } finally {
    // An encoder that died at its start may have left who feeds it.
    for (const { pid } of processesWith(`${runDirectory}/`))
      await adoptProcess(processIdentity(pid) ?? "")?.stop(LEFT_MS);
    await rm(home, { recursive: true, force: true });
  }
}

async function recordAndVerify(options: TrialOptions, home: string, runDirectory: string): Promise<TrialVerdict> {
  const { log, clock, capture, agentVersion, listDevices } = options;
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const recorder = await openRecorder({
    ...{ clock, log, config: capture, dataDirectory: home, runDirectory, agentVersion, listDevices },
    liveUrl: undefined,
    hubOffset: () => null,
  });
  recorder.setIdentity({
    box: makeId("box", randomId()),
    point: makeId("point", randomId()),
    signer: createSigner(privateKey),
  });
  recorder.setSession({ id: makeId("session", randomId()), startedAt: isoUtc(clock.wallMs()) }, "sessionEnded");
  const enough = new AbortController();
  const running = recorder.run(enough.signal);
  const found = await waitForSeconds(recorder, clock, options.withinMs ?? WITHIN_MS);
  enough.abort(new Error("the trial is over"));
  await running;
  if (found.seconds === 0) return no("nothingRecorded", found.source || "no encoder could be started");
  if (options.fitted.camera && !found.camera) return no("cameraMissing", found.source);
  if (options.fitted.microphone && !found.microphone) return no("microphoneMissing", found.source);
  const { frameRate } = qualityFor(capture, options.cores).record;
  return verify(recorder, publicKey, frameRate, found.seconds);
}

const no = (reason: UpdateFailure, detail: string): TrialVerdict => ({ ok: false, reason, detail });

async function waitForSeconds(recorder: Recorder, clock: Clock, withinMs: number) {
  const untilMs = clock.monotonicMs() + withinMs;
  for (;;) {
    const { recording, picture, sound, source } = recorder.facts();
    const seen = { camera: picture !== "none", microphone: sound.state !== "none", source, seconds: recording.seconds };
    // A second more: what the last file holds is whole frames.
    if (recording.seconds >= TRIAL_SECONDS + 1 || clock.monotonicMs() >= untilMs) return seen;
    await clock.sleep(LOOK_MS);
  }
}

async function verify(recorder: Recorder, key: string, frameRate: number, seconds: number): Promise<TrialVerdict> {
  let frames = 0;
  let soundMs = 0;
  const segments = new Map(recorder.segments().map(({ name, path }) => [`${name.take} ${name.seq}`, path]));
  for (const { take, records } of recorder.takes()) {
    const wrong = await verifyTake(take, records);
    if (wrong) return no("recordingDamaged", wrong);
  }
  if (frames === 0)
    return no("nothingRecorded", `the encoder gave ${seconds.toFixed(1)} s and no frame is on the disk`);
  const counted = `${frames} frames and ${(soundMs / 1_000).toFixed(1)} s of sound in ${TRIAL_SECONDS} s`;
  if (frames < ENOUGH * TRIAL_SECONDS * frameRate || soundMs < ENOUGH * TRIAL_SECONDS * 1_000)
    return no("recordingIncomplete", counted);
  return { ok: true, detail: counted };

  /** @returns what is wrong with it */
  async function verifyTake(take: TakeId, records: number): Promise<string | undefined> {
    let tip = emptyChain(take);
    for (const signed of await recorder.records(take, 0, records)) {
      const verdict = checkNextRecord(tip, signed, key);
      if (!verdict.ok) return `${verdict.reason}: ${verdict.detail}`;
      ({ tip } = verdict);
      const { record } = verdict;
      if (record.kind !== "segment") continue;
      const counter = createMpegTsCounter();
      const { sha256 } = await sha256File(segments.get(`${take} ${record.seq}`) ?? "", (chunk) => counter.push(chunk));
      if (sha256 !== record.sha256) return `segment ${record.seq} is not what was recorded`;
      const count = counter.count();
      if (count.videoFrames !== record.frames)
        return `segment ${record.seq} has ${count.videoFrames} frames, not ${record.frames}`;
      frames += count.videoFrames;
      soundMs += (count.lastAudioMs ?? 0) - (count.firstAudioMs ?? 0);
    }
    return tip.ended ? undefined : "the take was not closed";
  }
}
