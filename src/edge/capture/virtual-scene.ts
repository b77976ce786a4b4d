import { writeStamp } from "../../media/media.ts";

/**
 * What a virtual room shows and says, as pure functions of frame and sample numbers, so that catching up after a
 * delay needs no buffer. The picture is a wall in the label's own hue, a person who sways, and a block that travels:
 * enough motion to see life in it, and little enough that three rooms fit two cores.
 */

/** FNV-1a, 32 bits: the same label has the same hue and the same order of words everywhere. */
export function seedOf(label: string): number {
  let hash = 0x811c9dc5;
  for (const char of label) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193) >>> 0;
  return hash;
}

export interface Scene {
  /** Draws frame number `index` with its wall clock into one planar YUV 4:2:0 buffer, which the next call reuses. */
  draw(index: number, wallMs: number): Uint8Array;
}

/** @param width @param height in pixels, both even */
export function createScene(width: number, height: number, seed: number): Scene {
  const luma = width * height;
  const chroma = luma / 4;
  const background = new Uint8Array(luma + 2 * chroma);
  const hue = ((seed % 360) * Math.PI) / 180;
  background.fill(128 + Math.round(48 * Math.cos(hue)), luma, luma + chroma);
  background.fill(128 + Math.round(48 * Math.sin(hue)), luma + chroma);
  const deskFrom = Math.round(height * 0.82);
  for (let y = 0; y < height; y++) {
    const shade = y < deskFrom ? 150 - (70 * y) / height : 52;
    for (let x = 0; x < width; x++) background[y * width + x] = shade + ((x * 24) / width - 12);
  }
  const frame = new Uint8Array(background.length);

  const ellipse = (cx: number, cy: number, rx: number, ry: number, shade: number, untilY = height) => {
    for (let y = Math.max(0, Math.ceil(cy - ry)); y < Math.min(untilY, cy + ry); y++) {
      const half = rx * Math.sqrt(Math.max(0, 1 - ((y - cy) / ry) ** 2));
      frame.fill(shade, y * width + Math.round(cx - half), y * width + Math.round(cx + half));
    }
  };

  return {
    draw(index, wallMs) {
      frame.set(background);
      const sway = Math.sin(index / 20);
      const cx = width / 2 + sway * width * 0.02;
      ellipse(width / 2, height * 0.92, width * 0.17, height * 0.36, 96, deskFrom);
      ellipse(cx, height * 0.42, height * 0.12, height * 0.16, 190);
      const side = Math.round(height / 12);
      const travel = width - side;
      const at = (index * 8 + (seed % travel)) % (2 * travel);
      const left = at < travel ? at : 2 * travel - at;
      for (let y = deskFrom + 8; y < Math.min(height, deskFrom + 8 + side); y++)
        frame.fill(225, y * width + left, y * width + left + side);
      writeStamp(frame, width, height, wallMs);
      return frame;
    },
  };
}

const SPEECH_RATE = 48_000;

/**
 * Endless speech: the given phrases in an order of the seed's own, with pauses of 0.3 to 1.2 s between them.
 * @returns a function that copies samples `from` … `from + count` (16 bit, mono, 48 kHz)
 */
export function createSpeech(
  phrases: readonly Int16Array[],
  seed: number,
): (from: number, count: number) => Int16Array {
  let state = seed || 1;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const order = phrases.map((phrase) => ({ phrase, key: random() })).sort((a, b) => a.key - b.key);
  const parts = order.map(({ phrase }) => ({ phrase, pause: Math.round(SPEECH_RATE * (0.3 + 0.9 * random())) }));
  const loop = new Int16Array(parts.reduce((sum, { phrase, pause }) => sum + phrase.length + pause, 0));
  let at = 0;
  for (const { phrase, pause } of parts) {
    loop.set(phrase, at);
    at += phrase.length + pause;
  }
  return (from, count) => {
    const out = new Int16Array(count);
    for (let done = 0; done < count;) {
      const start = (from + done) % loop.length;
      const some = loop.subarray(start, Math.min(loop.length, start + count - done));
      out.set(some, done);
      done += some.length;
    }
    return out;
  };
}

/**
 * Head of an endless WAV of SPEECH_RATE in one channel. Its samples are floats, because FFmpeg holds 16-bit ones back
 * until it has 64 KB, to see whether they are a disguised S/PDIF stream.
 */
export function wavHead(): Uint8Array {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(WAVE_FORMAT_IEEE_FLOAT, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(SPEECH_RATE, 24);
  head.writeUInt32LE(SPEECH_RATE * 4, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(32, 34);
  head.write("data", 36);
  return head;
}

const WAVE_FORMAT_IEEE_FLOAT = 3;

/** What follows {@link wavHead}: floats hold 16-bit samples exactly. */
export const wavBytes = (samples: Int16Array): Uint8Array =>
  new Uint8Array(Float32Array.from(samples, (sample) => sample / 32_768).buffer);

/** Samples of a RIFF/WAVE file of 16-bit mono PCM at 48 kHz; undefined for any other kind. */
export function wavSamples(file: Uint8Array): Int16Array | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const tag = (at: number) => String.fromCharCode(...file.subarray(at, at + 4));
  if (file.length < 12 || tag(0) !== "RIFF" || tag(8) !== "WAVE") return undefined;
  let known = false;
  for (let at = 12; at + 8 <= file.length;) {
    const size = view.getUint32(at + 4, true);
    if (tag(at) === "fmt ")
      known =
        view.getUint16(at + 10, true) === 1 &&
        view.getUint32(at + 12, true) === SPEECH_RATE &&
        view.getUint16(at + 22, true) === 16;
    if (tag(at) === "data" && known) {
      const end = Math.min(at + 8 + size, file.length);
      // A copy: a Buffer's own slice would share, and show, the memory around it.
      return new Int16Array(Uint8Array.from(file.subarray(at + 8, end - ((end - at) % 2))).buffer);
    }
    at += 8 + size + (size % 2);
  }
  return undefined;
}
