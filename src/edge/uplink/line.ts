import { LIVE_KINDS, type LiveKind, type LiveQuality } from "../../protocol/protocol.ts";

/** What one kind of live stream, or the sync, has done since its relay was opened; both counts only grow. */
export interface Passage {
  /** Handed to the line by its program. */
  enteredBytes: number;
  /** Of those, acknowledged by the hub's kernel. */
  deliveredBytes: number;
}

export interface LineLook {
  /** Monotonic. */
  nowMs: number;
  live: Record<LiveKind, Passage>;
  sync: Passage;
}

/** What is sent at each quality, best first. Sound is always sent. */
const QUALITIES: readonly { quality: LiveQuality; kinds: readonly LiveKind[] }[] = [
  { quality: "full", kinds: ["video", "small", "audio"] },
  { quality: "small", kinds: ["small", "audio"] },
  { quality: "sound", kinds: ["audio"] },
];

export const isSent = (kind: LiveKind, quality: LiveQuality): boolean =>
  QUALITIES.find((each) => each.quality === quality)!.kinds.includes(kind);

/** Assumed of a stream that has not yet been seen on a healthy line, bytes a second. */
const NOMINAL_RATE: Record<LiveKind, number> = { video: 55_000, small: 17_000, audio: 10_000 };
const LOOK_MS = { calm: 2_000, pressed: 500 };
/** A rate is the mean of about this many looks, on a line that keeps up: behind a jam programs write less. */
const RATE_LOOKS = 10;

/**
 * What waits, in time of the stream. Bytes on their way count too, so a line with 300 ms of round trip is never below
 * that, and a key frame at 400 kbit/s is 150 ms by itself.
 */
const PRESSED_MS = { picture: 700, sound: 500 };
const STARVED_MS = { picture: 1_500, sound: 1_000 };
/**
 * The rate of the line is what got through in this time, while something waits. Nothing at all: the line is dead, not
 * slow, and less would not get through either.
 */
const WINDOW_MS = 1_000;
/** Of the measured line the live streams may take this much. */
const USABLE = 0.9;
/** A change needs this long to be seen in the queues. */
const SETTLE_MS = 2_000;
/** Time without pressure before the next better quality is tried; doubles with each try that failed. */
const HOLD_MS = { first: 10_000, cap: 300_000 };
/** A step up that had to be taken back within this time was a failed try; after the second time it is a success. */
const TRY_MS = 20_000;
const PROVEN_MS = 60_000;

const SYNC_START_KIB = 256;
const SYNC_FLOOR_KIB = 4;
const SYNC_RAISE_EVERY_MS = 5_000;
const SYNC_RAISE = 1.5;
/** A sync that does not use its limit learns nothing by a higher one. */
const SYNC_BUSY = 0.6;

/**
 * How a line that shrinks is shared: the sync yields first, then the large picture, then the small one; sound never,
 * and the recording has no part in it. Pure: looks in, quality and limit out.
 *
 * INVARIANTS
 * - One thing yields at a time, and the next only when the first had time to show in the queues.
 * - A better quality is tried only after a time without pressure, which doubles with every failed try.
 */
export class LinePolicy {
  #quality: LiveQuality = "full";
  #syncKib = SYNC_START_KIB;
  readonly #rates = { ...NOMINAL_RATE };
  readonly #looks: LineLook[] = [];
  #pressedLooks = 0;
  #settledMs = -Infinity;
  #clearMs: number | undefined;
  /** When a better quality was begun that is not yet proven. */
  #raisedMs: number | undefined;
  #holdMs = HOLD_MS.first;
  #syncClearMs: number | undefined;

  get quality(): LiveQuality {
    return this.#quality;
  }

  /** What is sent shall cost as few headers as it can. */
  get isNarrow(): boolean {
    return this.#pressedLooks > 0 || this.#quality !== "full";
  }

  /** A look costs milliseconds, so the line is watched closely only while something is behind. */
  get lookAgainMs(): number {
    return this.#pressedLooks > 0 ? LOOK_MS.pressed : LOOK_MS.calm;
  }

  /** For the sync while a session runs, KiB/s, never above the configured ceiling. */
  syncLimitKibPerS(ceiling: number): number {
    return Math.max(1, Math.min(ceiling, Math.round(this.#syncKib)));
  }

  look(look: LineLook): void {
    const before = this.#looks.at(-1);
    this.#looks.push(look);
    while (this.#looks.length > 2 && look.nowMs - this.#looks[1]!.nowMs >= WINDOW_MS) this.#looks.shift();
    if (!before || look.nowMs <= before.nowMs) return;
    this.#learnRates(before, look);

    const pressed = this.#anyBehind(look, PRESSED_MS);
    this.#pressedLooks = pressed ? this.#pressedLooks + 1 : 0;
    if (pressed) this.#clearMs = this.#syncClearMs = undefined;
    else {
      this.#clearMs ??= look.nowMs;
      this.#syncClearMs ??= look.nowMs;
    }
    if (pressed) this.#yield(look, before);
    else this.#recover(look);
  }

  #learnRates(before: LineLook, look: LineLook): void {
    const seconds = (look.nowMs - before.nowMs) / 1_000;
    for (const kind of LIVE_KINDS) {
      const entered = look.live[kind].enteredBytes - before.live[kind].enteredBytes;
      if (entered <= 0 || this.#behindMs(kind, look) > PRESSED_MS.sound) continue;
      this.#rates[kind] += (entered / seconds - this.#rates[kind]) / RATE_LOOKS;
    }
  }

  #behindMs(kind: LiveKind, { live }: LineLook): number {
    return ((live[kind].enteredBytes - live[kind].deliveredBytes) / this.#rates[kind]) * 1_000;
  }

  #anyBehind(look: LineLook, limit: typeof PRESSED_MS): boolean {
    return LIVE_KINDS.some(
      (kind) =>
        isSent(kind, this.#quality) && this.#behindMs(kind, look) > (kind === "audio" ? limit.sound : limit.picture),
    );
  }

  /** Bytes a second that got through of late. */
  #through(look: LineLook, of: (look: LineLook) => number): number {
    const from = this.#looks[0]!;
    const spanMs = look.nowMs - from.nowMs;
    return spanMs > 0 ? ((of(look) - of(from)) / spanMs) * 1_000 : 0;
  }

  #yield(look: LineLook, before: LineLook): void {
    if (look.nowMs < this.#settledMs || this.#pressedLooks < 2) return;
    // The window of a line that has just died still holds what got through before.
    if (throughOf(look) <= throughOf(before)) return;
    const liveThrough = this.#through(look, liveDelivered);
    const syncThrough = this.#through(look, ({ sync }) => sync.deliveredBytes);
    if (liveThrough + syncThrough <= 0) return;
    if (syncThrough > 0 && this.#syncKib > SYNC_FLOOR_KIB) {
      this.#syncKib = Math.max(SYNC_FLOOR_KIB, Math.min(this.#syncKib, syncThrough / 1_024) / 2);
      this.#settledMs = look.nowMs + SETTLE_MS;
      return;
    }
    if (!this.#anyBehind(look, STARVED_MS)) return;
    const worse = QUALITIES.slice(QUALITIES.findIndex(({ quality }) => quality === this.#quality) + 1);
    const next =
      worse.find(({ kinds }) => this.#needs(kinds) <= USABLE * liveThrough)?.quality ?? worse.at(-1)?.quality;
    if (next === undefined) return;
    if (this.#raisedMs !== undefined && look.nowMs - this.#raisedMs < TRY_MS)
      this.#holdMs = Math.min(HOLD_MS.cap, this.#holdMs * 2);
    this.#raisedMs = undefined;
    this.#quality = next;
    // Of a sync that has sent nothing yet, too: its first burst would be seconds of the line.
    this.#syncKib = SYNC_FLOOR_KIB;
    this.#settledMs = look.nowMs + SETTLE_MS;
  }

  #needs(kinds: readonly LiveKind[]): number {
    return kinds.reduce((sum, kind) => sum + this.#rates[kind], 0);
  }

  #recover(look: LineLook): void {
    if (this.#raisedMs !== undefined && look.nowMs - this.#raisedMs >= PROVEN_MS) {
      this.#raisedMs = undefined;
      this.#holdMs = HOLD_MS.first;
    }
    const syncThrough = this.#through(look, ({ sync }) => sync.deliveredBytes) / 1_024;
    if (look.nowMs - this.#syncClearMs! >= SYNC_RAISE_EVERY_MS && syncThrough >= SYNC_BUSY * this.#syncKib) {
      this.#syncKib *= SYNC_RAISE;
      this.#syncClearMs = look.nowMs;
    }
    if (this.#quality === "full" || look.nowMs - this.#clearMs! < this.#holdMs) return;
    const at = QUALITIES.findIndex(({ quality }) => quality === this.#quality);
    this.#quality = QUALITIES[at - 1]!.quality;
    this.#raisedMs = this.#clearMs = look.nowMs;
  }
}

const throughOf = (look: LineLook): number => liveDelivered(look) + look.sync.deliveredBytes;

const liveDelivered = ({ live }: LineLook): number =>
  LIVE_KINDS.reduce((sum, kind) => sum + live[kind].deliveredBytes, 0);
