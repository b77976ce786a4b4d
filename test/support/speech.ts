import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { wavSamples } from "../../src/edge/capture/virtual-scene.ts";

export const SPEECH_RATE = 48_000;
const VOICES = "/usr/share/sounds/alsa";
/** Noise of a quiet room through a cheap microphone, dBFS. */
const ROOM_DB = -62;

/** The spoken samples that Debian's alsa-utils brings. */
export async function voices(): Promise<Int16Array[]> {
  const files = (await readdir(VOICES)).filter((name) => name.endsWith(".wav") && !name.startsWith("Noise")).sort();
  const read = await Promise.all(files.map(async (name) => wavSamples(await readFile(join(VOICES, name)))));
  return read.filter((samples) => samples !== undefined);
}

/**
 * Ordinary speech in a room: phrases with breaths of 0.3 to 2 s, every tenth pause from 5 to 20 s, and the room's own
 * noise throughout. Endless; the same seed gives the same sound. Pieces of 16-bit mono at 48 kHz.
 */
export async function* ordinarySpeech(seed: number): AsyncGenerator<Int16Array<ArrayBuffer>> {
  const phrases = await voices();
  let state = seed;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  // Uniform noise of this half width has this level.
  const width = 32_767 * 10 ** (ROOM_DB / 20) * Math.sqrt(3);
  const inRoom = (samples: Int16Array, gain: number) =>
    Int16Array.from(samples, (sample) =>
      Math.max(-32_768, Math.min(32_767, sample * gain + (random() * 2 - 1) * width)),
    );
  for (;;) {
    yield inRoom(phrases[Math.floor(random() * phrases.length)]!, 0.4 + 0.6 * random());
    const pauseS = random() < 0.1 ? 5 + 15 * random() : 0.3 + 1.7 * random();
    yield inRoom(new Int16Array(Math.round(pauseS * SPEECH_RATE)), 1);
  }
}
