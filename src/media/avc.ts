/** H.264 configuration (ISO/IEC 14496-15, AVCDecoderConfigurationRecord) as WebCodecs and MP4 want it. */
export interface AvcConfig {
  /** WebCodecs codec string, RFC 6381: `avc1.` + profile, constraints, level in hex. */
  codec: string;
  /** The avcC record itself: `description` of a VideoDecoderConfig. */
  description: Uint8Array;
  /** Bytes of the length before each NAL unit: 1, 2 or 4. */
  nalLengthBytes: number;
  /** Luma size after cropping, from the first sequence parameter set. */
  width: number;
  height: number;
}

/** Reads avcC from an FLV AVC sequence header; undefined where it is not one or names no parameter set. */
export function parseAvcConfig(avcC: Uint8Array): AvcConfig | undefined {
  if (avcC.length < 9 || avcC[0] !== 1 || (avcC[5]! & 0x1f) === 0) return undefined;
  const spsBytes = (avcC[6]! << 8) | avcC[7]!;
  if (spsBytes < 4 || avcC.length < 8 + spsBytes) return undefined;
  const sps = avcC.subarray(8, 8 + spsBytes);
  if ((sps[0]! & 0x1f) !== 7) return undefined;
  const size = spsSize(sps);
  if (!size) return undefined;
  return {
    codec: `avc1.${hex(avcC[1]!)}${hex(avcC[2]!)}${hex(avcC[3]!)}`,
    description: avcC,
    nalLengthBytes: (avcC[4]! & 3) + 1,
    ...size,
  };
}

const hex = (byte: number): string => byte.toString(16).padStart(2, "0");

/** Profiles whose sequence parameter sets carry chroma format and bit depth (ITU-T H.264 7.3.2.1.1). */
const HIGH_PROFILES: ReadonlySet<number> = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

function spsSize(sps: Uint8Array): { width: number; height: number } | undefined {
  const bits = new BitReader(unescapeNal(sps.subarray(1)));
  const profile = bits.read(8);
  bits.read(16); // constraint flags, level
  bits.readUe(); // seq_parameter_set_id
  let chromaFormat = 1;
  if (HIGH_PROFILES.has(profile)) {
    chromaFormat = bits.readUe();
    if (chromaFormat === 3) bits.read(1);
    bits.readUe(); // bit_depth_luma_minus8
    bits.readUe(); // bit_depth_chroma_minus8
    bits.read(1);
    if (bits.read(1))
      for (let i = 0; i < (chromaFormat === 3 ? 12 : 8); i++) if (bits.read(1)) skipScalingList(bits, i < 6 ? 16 : 64);
  }
  bits.readUe(); // log2_max_frame_num_minus4
  const orderType = bits.readUe();
  if (orderType === 0) bits.readUe();
  else if (orderType === 1) {
    bits.read(1);
    bits.readSe();
    bits.readSe();
    const cycle = bits.readUe();
    for (let i = 0; i < cycle && !bits.exhausted; i++) bits.readSe();
  }
  bits.readUe(); // max_num_ref_frames
  bits.read(1);
  const widthInMacroblocks = bits.readUe() + 1;
  const heightInMapUnits = bits.readUe() + 1;
  const frameOnly = bits.read(1);
  if (!frameOnly) bits.read(1);
  bits.read(1); // direct_8x8_inference_flag
  const crop = { left: 0, right: 0, top: 0, bottom: 0 };
  if (bits.read(1)) {
    crop.left = bits.readUe();
    crop.right = bits.readUe();
    crop.top = bits.readUe();
    crop.bottom = bits.readUe();
  }
  if (bits.exhausted) return undefined;
  const cropX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const cropY = (chromaFormat === 1 ? 2 : 1) * (2 - frameOnly);
  const width = widthInMacroblocks * 16 - (crop.left + crop.right) * cropX;
  const height = heightInMapUnits * 16 * (2 - frameOnly) - (crop.top + crop.bottom) * cropY;
  return width > 0 && height > 0 ? { width, height } : undefined;
}

function skipScalingList(bits: BitReader, size: number): void {
  let next = 8;
  for (let i = 0, last = 8; i < size && !bits.exhausted; i++) {
    if (next !== 0) next = (last + bits.readSe() + 256) & 255;
    if (next !== 0) last = next;
  }
}

/** Removes emulation prevention bytes (ITU-T H.264 7.4.1): 00 00 03 → 00 00. */
function unescapeNal(nal: Uint8Array): Uint8Array {
  const out = new Uint8Array(nal.length);
  let length = 0;
  for (let i = 0, zeros = 0; i < nal.length; i++) {
    const byte = nal[i]!;
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length++] = byte;
  }
  return out.subarray(0, length);
}

class BitReader {
  #at = 0;
  readonly #bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  /** More was read than there is; zeros were returned instead. */
  get exhausted(): boolean {
    return this.#at > this.#bytes.length * 8;
  }
  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#at++)
      value = (value << 1) | (((this.#bytes[this.#at >> 3] ?? 0) >> (7 - (this.#at & 7))) & 1);
    return value;
  }
  /** Exp-Golomb (ITU-T H.264 9.1). */
  readUe(): number {
    let zeros = 0;
    while (this.read(1) === 0 && zeros < 31 && !this.exhausted) zeros++;
    return 2 ** zeros - 1 + this.read(zeros);
  }
  readSe(): number {
    const value = this.readUe();
    return value & 1 ? (value + 1) / 2 : -value / 2;
  }
}
