import type { SoundFacts } from "./jitter.ts";
import type { SoundReport } from "./sound.worklet.ts";
import { speakers } from "./speakers.ts";

/** One room's place at the page's loudspeaker, heard from its making to its closing. */
export interface Sound {
  /** Where the worker sends samples; to be transferred. */
  readonly out: MessagePort;
  setGain(db: number): void;
  /** 0…1: -60 dB to full scale, as it is heard. */
  level(): number;
  readonly facts: SoundFacts | null;
  close(): void;
}

const METER_FLOOR_DB = 60;
/** Without a report for this long the context sleeps and nothing is heard. */
const REPORT_VALID_MS = 300;
/** Time constant of a change of gain: no click, and no waiting. */
const GAIN_S = 0.02;
const RETRY_MS = 1_000;

export const levelOf = (rms: number): number =>
  rms <= 0 ? 0 : Math.max(0, Math.min(1, 1 + (20 * Math.log10(rms)) / METER_FLOOR_DB));

export const amplitudeOf = (db: number): number => 10 ** (db / 20);

/** @param onAwake tells whether the loudspeaker takes anything, from now on and at each change */
export function openSound(gainDb: number, onAwake: (awake: boolean) => void): Sound {
  const { port1, port2 } = new MessageChannel();
  let amplitude = amplitudeOf(gainDb);
  let report: { atMs: number; value: SoundReport } | undefined;
  let closed = false;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let output: { worklet: AudioWorkletNode; gain: GainNode; release: () => void } | undefined;

  const connect = async () => {
    try {
      const context = await speakers.open();
      if (closed) return;
      const worklet = new AudioWorkletNode(context, "live-sound", { numberOfInputs: 0, outputChannelCount: [1] });
      const gain = new GainNode(context, { gain: amplitude });
      worklet.port.onmessage = ({ data }: MessageEvent<SoundReport>) => {
        report = { atMs: performance.now(), value: data };
      };
      worklet.port.postMessage(port1, [port1]);
      worklet.connect(gain).connect(context.destination);
      const onState = () => onAwake(context.state === "running");
      context.addEventListener("statechange", onState);
      onState();
      output = { worklet, gain, release: () => context.removeEventListener("statechange", onState) };
    } catch {
      // Without a worklet there is no sound.
      if (!closed) retry = setTimeout(() => void connect(), RETRY_MS);
    }
  };
  speakers.acquire();
  void connect();
  return {
    out: port2,
    setGain(db) {
      amplitude = amplitudeOf(db);
      output?.gain.gain.setTargetAtTime(amplitude, output.gain.context.currentTime, GAIN_S);
    },
    level() {
      return report && performance.now() - report.atMs < REPORT_VALID_MS ? levelOf(report.value.rms * amplitude) : 0;
    },
    get facts() {
      return report?.value.facts ?? null;
    },
    close() {
      closed = true;
      clearTimeout(retry);
      if (output) {
        const { worklet, gain, release } = output;
        release();
        worklet.port.onmessage = null;
        // The port stays open so that this arrives; a processor that has ended is collected with it.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origin
        worklet.port.postMessage(null);
        worklet.disconnect();
        gain.disconnect();
      }
      speakers.release();
    },
  };
}
