import { findAgain, likeness } from "./identity.ts";

/** What choosing needs to know of a device. */
export interface Candidate {
  id: string;
  /** For people. */
  name: string;
  /** What FFmpeg opens. */
  address: string;
}

/** A device that somebody wants: by its id, its address or part of its name. */
export interface Wanted {
  id: string;
  /** As it was called when it was chosen. */
  name: string;
}

/** One line of the list of a room's cameras or microphones, best first; without a device it is one that is not there. */
export interface Row<T> {
  wanted: Wanted | undefined;
  device: T | undefined;
}

/** Where each wanted device is among those that are there, each at most once. */
function find(wanted: readonly Wanted[], devices: readonly Candidate[]): (number | undefined)[] {
  const found = findAgain(
    wanted.map(({ id }) => id),
    devices.map(({ id }) => id),
  );
  const taken = new Set(found);
  for (const [i, { id }] of wanted.entries()) {
    if (found[i] !== undefined) continue;
    const word = id.toLowerCase();
    const is = (test: (device: Candidate) => boolean) => devices.findIndex((d, j) => !taken.has(j) && test(d));
    const named = [is(({ address }) => address === id), is(({ name }) => name.toLowerCase().includes(word))];
    found[i] = named.find((j) => j >= 0);
    taken.add(found[i]);
  }
  return found;
}

/**
 * All that is there or wanted, best first: what was put in order, the room's usual device, then the likeliest.
 * @param held in a session: a device that nobody put in order does not take the usual one's place, however good it looks
 */
export function rank<T extends Candidate>(
  devices: readonly T[],
  order: readonly Wanted[],
  usual: Wanted | undefined,
  likely: (device: T) => number,
  held: boolean,
): Row<T>[] {
  const ordered = find(order, devices);
  const other = usual && !order.some(({ id }) => likeness(id, usual.id) > 0) ? usual : undefined;
  const otherAt = other && find([other], devices)[0];
  // A word of the order may mean the usual device, whose id it does not know.
  const isExtra = other !== undefined && (otherAt === undefined || !ordered.includes(otherAt));
  const known = isExtra ? [...order, other] : order;
  const found = isExtra ? [...ordered, otherAt] : ordered;
  const usualAt = isExtra ? otherAt : undefined;
  // Outside of sessions the usual device is first among equals only.
  const first = (j: number) => (!held && j === usualAt ? undefined : found.indexOf(j));
  const rest = [...devices.keys()]
    .filter((j) => (first(j) ?? -1) < 0)
    .sort((a, b) => likely(devices[b]!) - likely(devices[a]!) || Number(b === usualAt) - Number(a === usualAt));
  const rows = known.flatMap((wanted, i): Row<T>[] => {
    const j = found[i];
    if (j !== undefined && i === order.length && !held) return [];
    return [{ wanted, device: j === undefined ? undefined : devices[j]! }];
  });
  return [...rows, ...rest.map((j) => ({ wanted: j === usualAt ? usual : undefined, device: devices[j]! }))];
}

/** The device of that name or address and no other: a wrong camera is worse than a slate. */
export function pick<T extends Candidate>(devices: readonly T[], word: string): T | undefined {
  const [at] = find([{ id: word, name: word }], devices);
  return at === undefined ? undefined : devices[at];
}

/** What speaks for a camera, by its name. */
export const likelyCamera = ({ name }: Candidate): number =>
  (/virtual|loopback|infrared|\bir\b/i.test(name) ? -5 : 0) + (/usb|webcam|cam/i.test(name) ? 2 : 0);

/** What speaks for a microphone, by its name. */
export const likelyMicrophone = ({ name }: Candidate): number =>
  (/speak|conference|jabra|poly|array|echo/i.test(name) ? 6 : 0) +
  (/usb/i.test(name) ? 3 : 0) +
  (/webcam|cam\b|camera/i.test(name) ? 1 : 0) -
  (/hdmi|loopback|dummy/i.test(name) ? 8 : 0);
