/**
 * A wall clock that machines read back from the picture: 40 blocks across the top edge, each width/40 wide and high.
 * Blocks 0…31 are the milliseconds since 1970 modulo 2^32, most significant bit first; blocks 32…39 are a check byte.
 * White is luma 235, black 16, chroma neutral: large flat areas survive scaling to half size and 400 kbit/s H.264.
 */
const STAMP_BLOCKS = 40;
const WHITE = 235;
const BLACK = 16;
const NEUTRAL = 128;
const CHECK_SALT = 0x5a;
const MODULUS = 2 ** 32;

const checkByte = (value: number): number =>
  ((value >>> 24) ^ ((value >>> 16) & 255) ^ ((value >>> 8) & 255) ^ (value & 255) ^ CHECK_SALT) & 255;

/** Rows that the stamp covers at this width; its middle row is half of it. */
export const stampHeight = (width: number): number => Math.floor(width / STAMP_BLOCKS);

/**
 * Writes the clock into a planar YUV 4:2:0 frame (Y, U, V one after another, no padding; even width and height).
 * @param wallMs milliseconds since 1970
 */
export function writeStamp(frame: Uint8Array, width: number, height: number, wallMs: number): void {
  const value = (Math.floor(wallMs) % MODULUS) >>> 0;
  const check = checkByte(value);
  for (let block = 0; block < STAMP_BLOCKS; block++) {
    const bit = block < 32 ? (value >>> (31 - block)) & 1 : (check >>> (39 - block)) & 1;
    const from = Math.floor((block * width) / STAMP_BLOCKS);
    frame.fill(bit ? WHITE : BLACK, from, Math.floor(((block + 1) * width) / STAMP_BLOCKS));
  }
  const rows = stampHeight(width);
  for (let row = 1; row < rows; row++) frame.copyWithin(row * width, 0, width);
  const chromaBytes = (rows >> 1) * (width >> 1);
  const luma = width * height;
  frame.fill(NEUTRAL, luma, luma + chromaBytes);
  frame.fill(NEUTRAL, luma + luma / 4, luma + luma / 4 + chromaBytes);
}

/**
 * Reads the clock back from one row of RGBA pixels taken near the middle of the stamp (row ≈ stampHeight / 2).
 * @returns milliseconds modulo 2^32, or undefined where the check byte does not fit (no stamp, or a torn one)
 */
export function readStampRgba(row: ArrayLike<number>, width: number): number | undefined {
  let value = 0;
  let check = 0;
  for (let block = 0; block < STAMP_BLOCKS; block++) {
    // The middle half of the block: its edges are blurred by scaling and by the codec.
    const from = Math.floor(((block + 0.25) * width) / STAMP_BLOCKS);
    const to = Math.max(from + 1, Math.floor(((block + 0.75) * width) / STAMP_BLOCKS));
    let green = 0;
    for (let x = from; x < to; x++) green += row[x * 4 + 1] ?? 0;
    const bit = green > (to - from) * 128 ? 1 : 0;
    if (block < 32) value = value * 2 + bit;
    else check = check * 2 + bit;
  }
  return check === checkByte(value) ? value : undefined;
}

/** How old a stamp is at `nowMs` (milliseconds since 1970, fractions kept); negative if it lies ahead. */
export function stampAgeMs(stamp: number, nowMs: number): number {
  const age = (nowMs - stamp) % MODULUS;
  return age > MODULUS / 2 ? age - MODULUS : age < -MODULUS / 2 ? age + MODULUS : age;
}
