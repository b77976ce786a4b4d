/**
 * QR codes (ISO/IEC 18004), as much as an address on a TV needs: bytes, error correction M (15 %), versions 1 to 10.
 */

/** Versions 1…10 at level M: bytes of error correction in each block, and sizes of the blocks' data. */
const BLOCKS: readonly { ecc: number; data: readonly number[] }[] = [
  { ecc: 10, data: [16] },
  { ecc: 16, data: [28] },
  { ecc: 26, data: [44] },
  { ecc: 18, data: [32, 32] },
  { ecc: 24, data: [43, 43] },
  { ecc: 16, data: [27, 27, 27, 27] },
  { ecc: 18, data: [31, 31, 31, 31] },
  { ecc: 22, data: [38, 38, 39, 39] },
  { ecc: 22, data: [36, 36, 36, 37, 37] },
  { ecc: 26, data: [43, 43, 43, 43, 44] },
];
/** Centres of the alignment patterns, by version. */
const ALIGNMENT: readonly (readonly number[])[] = [
  ...[[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34]],
  ...[
    [6, 22, 38],
    [6, 24, 42],
    [6, 26, 46],
    [6, 28, 50],
  ],
];
/** BCH codes: generator of the format (level and mask) and of the version. */
const FORMAT = { generator: 0x537, bits: 10, mask: 0x5412 };
const VERSION = { generator: 0x1f25, bits: 12 };

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** Rows of modules, dark ones true, without the quiet zone. Throws for more than 213 bytes. */
export function qrModules(text: string): boolean[][] {
  const bytes = new TextEncoder().encode(text);
  const version = 1 + BLOCKS.findIndex(({ data }, i) => sum(data) >= bytes.length + (i < 9 ? 2 : 3));
  if (version === 0) throw new RangeError(`${bytes.length} bytes are too many`);
  const bits = codewords(bytes, version).flatMap((byte) => Array.from({ length: 8 }, (_, i) => (byte >> (7 - i)) & 1));
  const drawn = MASKS.map((_, mask) => draw(version, bits, mask));
  return drawn.reduce((best, next) => (penalty(next) < penalty(best) ? next : best));
}

/** `d` of an SVG path, one unit for a module. */
export const qrPath = (modules: boolean[][]): string =>
  modules.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join("");

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Data in the form of the standard, split into blocks, each with its correction, interleaved. */
function codewords(bytes: Uint8Array, version: number): number[] {
  const { ecc, data } = BLOCKS[version - 1]!;
  const capacity = sum(data);
  const bits: number[] = [];
  const put = (value: number, length: number) => {
    for (let i = length - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  put(0b0100, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, capacity * 8 - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < capacity * 8; pad ^= 0xec ^ 0x11) put(pad, 8);
  const words = Array.from({ length: capacity }, (_, i) => Number.parseInt(bits.slice(i * 8, i * 8 + 8).join(""), 2));
  let at = 0;
  const blocks = data.map((length) => words.slice(at, (at += length)));
  const corrections = blocks.map((block) => correction(block, ecc));
  const interleave = (parts: number[][]) =>
    Array.from({ length: Math.max(...parts.map(({ length }) => length)) }, (_, i) =>
      parts.flatMap((part) => (i < part.length ? [part[i]!] : [])),
    ).flat();
  return [...interleave(blocks), ...interleave(corrections)];
}

/** Product in GF(2^8) with the polynomial 0x11d. */
function times(a: number, b: number): number {
  let product = 0;
  for (let i = 7; i >= 0; i--) product = (product << 1) ^ ((product >> 7) * 0x11d) ^ (((b >> i) & 1) * a);
  return product;
}

/** Reed–Solomon: remainder of the data by the generator of that degree. */
function correction(data: readonly number[], degree: number): number[] {
  let generator = [1];
  let root = 1;
  for (let i = 0; i < degree; i++) {
    const shifted = [...generator, 0];
    generator = shifted.map((value, j) => value ^ (j > 0 ? times(generator[j - 1]!, root) : 0));
    root = times(root, 2);
  }
  const remainder = Array<number>(degree).fill(0);
  for (const byte of data) {
    const factor = byte ^ remainder.shift()!;
    remainder.push(0);
    for (let j = 0; j < degree; j++) remainder[j]! ^= times(generator[j + 1]!, factor);
  }
  return remainder;
}

function withBch(value: number, { generator, bits }: { generator: number; bits: number }): number {
  let rest = value;
  for (let i = 0; i < bits; i++) rest = (rest << 1) ^ ((rest >> (bits - 1)) * generator);
  return (value << bits) | rest;
}

function draw(version: number, bits: readonly number[], mask: number): boolean[][] {
  const size = version * 4 + 17;
  const modules = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const fixed = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const set = (x: number, y: number, dark: boolean) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    modules[y]![x] = dark;
    fixed[y]![x] = true;
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  /** Rings around a centre: the parity of the distance, but for the given one. */
  const rings = (cx: number, cy: number, radius: number, light: readonly number[]) => {
    for (let dy = -radius; dy <= radius; dy++)
      for (let dx = -radius; dx <= radius; dx++)
        set(cx + dx, cy + dy, !light.includes(Math.max(Math.abs(dx), Math.abs(dy))));
  };
  for (const [x, y] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const)
    rings(x, y, 4, [2, 4]);
  const centres = ALIGNMENT[version - 1]!;
  const last = centres.at(-1);
  for (const x of centres)
    for (const y of centres) if (!(x === 6 && (y === 6 || y === last)) && !(y === 6 && x === last)) rings(x, y, 2, [1]);
  // Level M is 00.
  const format = withBch(mask, FORMAT) ^ FORMAT.mask;
  const formatBit = (i: number) => ((format >> i) & 1) === 1;
  for (let i = 0; i < 15; i++) {
    if (i < 8) set(size - 1 - i, 8, formatBit(i));
    else set(8, size - 15 + i, formatBit(i));
    if (i < 6) set(8, i, formatBit(i));
    else if (i < 8) set(8, i + 1, formatBit(i));
    else if (i === 8) set(7, 8, formatBit(i));
    else set(14 - i, 8, formatBit(i));
  }
  set(8, size - 8, true);
  if (version >= 7) {
    const word = withBch(version, VERSION);
    for (let i = 0; i < 18; i++) {
      const [a, b] = [size - 11 + (i % 3), Math.floor(i / 3)];
      set(a, b, ((word >> i) & 1) === 1);
      set(b, a, ((word >> i) & 1) === 1);
    }
  }
  let at = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++)
      for (const x of [right, right - 1]) {
        const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
        if (fixed[y]![x]) continue;
        const bit = at < bits.length ? bits[at++] === 1 : false;
        modules[y]![x] = bit !== MASKS[mask]!(x, y);
      }
  }
  return modules;
}

/** How hard a masked code is to read, by the four rules of the standard. */
function penalty(modules: boolean[][]): number {
  const size = modules.length;
  const columns = modules.map((_, x) => modules.map((row) => row[x]!));
  let points = 0;
  for (const line of [...modules, ...columns]) {
    const text = line.map((dark) => (dark ? "1" : "0")).join("");
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) points += run.length - 2;
    points += 40 * [...text.matchAll(/(?=10111010000|00001011101)/g)].length;
  }
  for (let y = 1; y < size; y++)
    for (let x = 1; x < size; x++) {
      const dark = modules[y]![x];
      if (dark === modules[y]![x - 1] && dark === modules[y - 1]![x] && dark === modules[y - 1]![x - 1]) points += 3;
    }
  const share = sum(modules.flat().map(Number)) / (size * size);
  return points + 10 * Math.floor(Math.abs(share - 0.5) * 20);
}
