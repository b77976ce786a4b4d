/** What can go wrong, and to whom. Pure: no process, no file, no clock. */

/** Processes that can be killed or stopped; `hub` has no room. */
export const VICTIMS = ["hub", "agent", "encoder", "camera", "rsync"] as const;
export type Victim = (typeof VICTIMS)[number];

export type FaultKind =
  | { do: "kill"; victim: Victim }
  | { do: "freeze"; victim: Victim }
  | { do: "cutLine" }
  | { do: "badLine"; delayMs: number; loss: number; kbps: number | null }
  | { do: "corruptTransit" }
  | { do: "meddle" }
  | { do: "fillDisk" }
  | { do: "readOnlyDisk" }
  | { do: "damageSegment" }
  | { do: "jumpClock"; byMs: number }
  | { do: "twin" };

export interface Fault {
  /** Since the storm began. */
  atMs: number;
  /** How long it lasts; 0: over at once. */
  forMs: number;
  /** 0-based; the hub's faults name a room too, which then means nothing. */
  room: number;
  fault: FaultKind;
}

const HOUR_MS = 3_600_000;
/** Lengths around every limit of the product: encoder 3 s, control channel 4 s, rsync 20 s. */
const FREEZE_MS = [500, 2_000, 5_000];
const CUT_MS = [1_000, 6_000, 15_000];
const DISK_MS = [4_000, 8_000];
const LASTING_MS = 12_000;

/** Every kind of fault in the list, each with the values that the issue names. */
const ALL_KINDS: { fault: FaultKind; forMs: readonly number[] }[] = [
  ...VICTIMS.map((victim) => ({ fault: { do: "kill", victim } as const, forMs: [0] })),
  ...VICTIMS.map((victim) => ({ fault: { do: "freeze", victim } as const, forMs: FREEZE_MS })),
  { fault: { do: "cutLine" }, forMs: CUT_MS },
  { fault: { do: "badLine", delayMs: 0, loss: 0.01, kbps: null }, forMs: [LASTING_MS] },
  { fault: { do: "badLine", delayMs: 300, loss: 0, kbps: null }, forMs: [LASTING_MS] },
  { fault: { do: "badLine", delayMs: 20, loss: 0, kbps: 256 }, forMs: [LASTING_MS] },
  { fault: { do: "corruptTransit" }, forMs: [0] },
  { fault: { do: "meddle" }, forMs: [LASTING_MS] },
  { fault: { do: "fillDisk" }, forMs: DISK_MS },
  { fault: { do: "readOnlyDisk" }, forMs: DISK_MS },
  { fault: { do: "damageSegment" }, forMs: [0] },
  { fault: { do: "jumpClock", byMs: HOUR_MS }, forMs: [LASTING_MS] },
  { fault: { do: "jumpClock", byMs: -HOUR_MS }, forMs: [LASTING_MS] },
  { fault: { do: "twin" }, forMs: [8_000] },
];

/** mulberry32: the same numbers from the same seed, on every machine. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Faults that use the same thing of a room and so must not overlap there. */
export const resourceOf = ({ room, fault }: Pick<Fault, "room" | "fault">): string => {
  switch (fault.do) {
    case "kill":
    case "freeze":
      return fault.victim === "hub" ? "hub" : `${room}/${fault.victim}`;
    case "cutLine":
    case "badLine":
    case "corruptTransit":
    case "meddle":
      return `${room}/line`;
    case "fillDisk":
    case "readOnlyDisk":
    case "damageSegment":
      return `${room}/disk`;
    case "jumpClock":
      return `${room}/clock`;
    case "twin":
  }
  return `${room}/twin`;
};

/**
 * The schedule of a storm: rounds in which every kind comes once, in a drawn order, each at a drawn moment in a drawn
 * room, for as long as `forMs` allows. Nothing lasts beyond `durationMs`, and what uses the same thing never overlaps.
 * @param everyMs mean distance of two faults
 */
export function planStorm(options: { seed: number; durationMs: number; rooms: number; everyMs: number }): Fault[] {
  const { seed, durationMs, rooms, everyMs } = options;
  const random = randomFrom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const faults: Fault[] = [];
  const freeAtMs = new Map<string, number>();
  let bag: typeof ALL_KINDS = [];
  for (let atMs = everyMs * random(); atMs < durationMs; atMs += everyMs * (0.5 + random())) {
    if (bag.length === 0) bag = [...ALL_KINDS];
    const index = Math.floor(random() * bag.length);
    const { fault, forMs } = bag[index]!;
    const planned: Fault = { atMs: Math.round(atMs), forMs: pick(forMs), room: Math.floor(random() * rooms), fault };
    const resource = resourceOf(planned);
    if (planned.atMs + planned.forMs > durationMs || (freeAtMs.get(resource) ?? 0) > planned.atMs) continue;
    bag.splice(index, 1);
    freeAtMs.set(resource, planned.atMs + planned.forMs);
    faults.push(planned);
  }
  return faults;
}

/** One line for a person. */
export function faultInWords({ room, fault }: Pick<Fault, "room" | "fault">): string {
  const { do: what, ...values } = fault;
  return [what, ...Object.entries(values).map(([name, value]) => `${name}=${String(value)}`), `room ${room + 1}`].join(
    " ",
  );
}
