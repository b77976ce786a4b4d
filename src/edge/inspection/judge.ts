import type { AlarmCause } from "../../protocol/protocol.ts";

/** Causes that the file itself speaks of. */
export type FileCause = Extract<
  AlarmCause,
  | "pictureBlack"
  | "pictureDark"
  | "pictureFrozen"
  | "soundSilent"
  | "soundClipping"
  | "soundHum"
  | "soundNoSpeech"
  | "encoderSlow"
  | "frameRateLow"
  | "avOffset"
>;
/** Whether a cause is there now, with the measured figures; a cause that is left out cannot be known now. */
export type Findings = Partial<Record<FileCause, { present: boolean; facts: string }>>;

/** One key frame, shrunk: means and extremes of its luma, 16 to 235. */
export interface PictureValues {
  mediaMs: number;
  mean: number;
  /** Below this is all but a tenth of the picture. */
  high: number;
  max: number;
}

/** Sound of 400 ms. */
export interface SoundValues {
  mediaMs: number;
  peakDb: number;
  /** EBU R128, LUFS. */
  momentaryLufs: number;
  integratedLufs: number;
}

/** What the pure counter found in the file up to now. */
export interface FileValues {
  /** Monotonic. */
  nowMs: number;
  frames: number;
  lastVideoMs: number | undefined;
  lastAudioMs: number | undefined;
  /** Bytes of the largest frame since the last look that depends on others; undefined where there was none. */
  largestDependentBytes: number | undefined;
}

const BLACK_MEAN = 24;
const BLACK_MAX = 48;
const DARK_MEAN = 40;
const DARK_HIGH = 64;
/**
 * A repeated picture is coded as "nothing has changed": one packet of 188 bytes, at most two (measured at 720p). Even a
 * sensor that looks at a white wall has noise that costs more.
 */
const STILL_BYTES = 2 * 188;
const STILL_MS = 3_000;
/** A living microphone has noise of its own, above -65 dBFS; one that is switched off gives nothing at all. */
const SILENT_LUFS = -70;
const SILENT_MS = 2_000;
const CLIPPING_DB = -0.05;
const CLIPPING_COUNT = 4;
const CLIPPING_MS = 10_000;
const HUM_DB = -48;
/** Hum stands above what else is heard in the quietest moments. */
const HUM_ABOVE_DB = 6;
const HUM_MS = 12_000;
const SPEECH_WINDOW_MS = 10_000;
const SPEECH_FLOOR_MS = 30_000;
const SPEECH_DB = -55;
const SPEECH_ABOVE_DB = 10;
/** Of the 25 values of ten seconds. */
const SPEECH_COUNT = 4;
const NO_SPEECH_MS = 180_000;
const SOUND_LOST_MS = 2_000;
const AV_OFFSET_MS = 500;
const RATE_WINDOW_MS = 10_000;
const RATE_SHARE = 0.9;
const PACE_SHARE = 0.95;
/** The file is read from its beginning first: what was written before says nothing of the pace. */
const SETTLE_MS = 3_000;

/**
 * Keeps what the last half minute of a file says, and judges it. Pure: all times are media times of the file, except
 * the one clock that is handed in.
 */
export class Judge {
  private readonly frameRate: number;
  private pictures: PictureValues[] = [];
  private sounds: SoundValues[] = [];
  private speechBand: { mediaMs: number; db: number }[] = [];
  private humBand: { mediaMs: number; db: number }[] = [];
  private file: FileValues[] = [];
  private beganMs: number | undefined;
  private livelyMs: number | undefined;
  private firstSoundMs: number | undefined;
  private spokeMs: number | undefined;

  /** @param frameRate that the take should have */
  constructor(frameRate: number) {
    this.frameRate = frameRate;
  }

  notePicture(values: PictureValues): void {
    this.pictures = [...this.pictures, values].slice(-3);
  }

  noteSound(values: SoundValues): void {
    this.firstSoundMs ??= values.mediaMs;
    this.sounds = recent([...this.sounds, values], CLIPPING_MS);
  }

  noteSpeechBand(mediaMs: number, db: number): void {
    this.speechBand = recent([...this.speechBand, { mediaMs, db }], SPEECH_FLOOR_MS);
    const floor = Math.min(...this.speechBand.map((value) => value.db));
    const loud = recent(this.speechBand, SPEECH_WINDOW_MS).filter(
      (value) => value.db > Math.max(SPEECH_DB, floor + SPEECH_ABOVE_DB),
    );
    if (loud.length >= SPEECH_COUNT && loud.at(-1)!.mediaMs === mediaMs) this.spokeMs = mediaMs;
  }

  noteHumBand(mediaMs: number, db: number): void {
    this.humBand = recent([...this.humBand, { mediaMs, db }], HUM_MS);
  }

  noteFile(values: FileValues): void {
    this.beganMs ??= values.nowMs;
    const { lastVideoMs, largestDependentBytes: largest } = values;
    if (lastVideoMs !== undefined && (this.livelyMs === undefined || (largest ?? 0) > STILL_BYTES))
      this.livelyMs = lastVideoMs;
    this.file = [...this.file, values].filter(({ nowMs }) => values.nowMs - nowMs <= RATE_WINDOW_MS);
  }

  /** Media time between what is in the file and what was looked at of it; infinite before both were. */
  behindMs(): number {
    const { lastVideoMs = Infinity, lastAudioMs = Infinity } = this.file.at(-1) ?? {};
    const picture = lastVideoMs - (this.pictures.at(-1)?.mediaMs ?? -Infinity);
    return Math.max(picture, lastAudioMs - (this.sounds.at(-1)?.mediaMs ?? -Infinity));
  }

  /** Momentary and integrated loudness, LUFS; null where it cannot be told. */
  loudness(): { momentaryLufs: number | null; integratedLufs: number | null } {
    const last = this.sounds.at(-1);
    const told = (lufs: number | undefined) => (lufs !== undefined && Number.isFinite(lufs) ? lufs : null);
    // Its gate lets nothing pass at -70 LUFS (EBU R128): then there is no integrated value yet.
    const integrated = told(
      this.sounds.findLast(({ integratedLufs }) => Number.isFinite(integratedLufs))?.integratedLufs,
    );
    return {
      momentaryLufs: told(last?.momentaryLufs),
      integratedLufs: integrated !== null && integrated > -70 ? integrated : null,
    };
  }

  speech(): { ever: boolean; lately: boolean } {
    const last = this.speechBand.at(-1)?.mediaMs;
    return {
      ever: this.spokeMs !== undefined,
      lately: last !== undefined && this.spokeMs !== undefined && last - this.spokeMs < SPEECH_FLOOR_MS,
    };
  }

  avOffsetMs(): number | null {
    const last = this.file.at(-1);
    return last?.lastAudioMs === undefined || last.lastVideoMs === undefined
      ? null
      : Math.round(last.lastAudioMs - last.lastVideoMs);
  }

  frameRateNow(): number | null {
    const [first, last] = [this.file[0], this.file.at(-1)];
    if (first?.lastVideoMs === undefined || last?.lastVideoMs === undefined) return null;
    const mediaMs = last.lastVideoMs - first.lastVideoMs;
    return mediaMs < RATE_WINDOW_MS / 2 ? null : ((last.frames - first.frames) * 1_000) / mediaMs;
  }

  findings(): Findings {
    return { ...this.pictureFindings(), ...this.soundFindings(), ...this.fileFindings() };
  }

  private pictureFindings(): Findings {
    const picture = this.pictures.at(-1);
    if (!picture) return {};
    const { mean, high, max } = picture;
    const facts = `luma mean ${mean}, p90 ${high}, max ${max}`;
    const black = mean < BLACK_MEAN && max < BLACK_MAX;
    const found: Findings = { pictureBlack: { present: black, facts } };
    // Of a black picture nobody can say whether it stands still, and it is dark by definition.
    if (black) return found;
    const stillMs = (this.file.at(-1)?.lastVideoMs ?? 0) - (this.livelyMs ?? 0);
    found.pictureDark = { present: mean < DARK_MEAN && high < DARK_HIGH, facts };
    found.pictureFrozen = { present: stillMs >= STILL_MS, facts: `no change for ${Math.round(stillMs)} ms` };
    return found;
  }

  private soundFindings(): Findings {
    const lost = this.avOffsetMs();
    if (lost !== null && lost < -SOUND_LOST_MS)
      return { soundSilent: { present: true, facts: `no sound in the file for ${-lost} ms` } };
    const last = this.sounds.at(-1);
    if (!last) return {};
    const loudest = Math.max(...recent(this.sounds, SILENT_MS).map(({ momentaryLufs }) => momentaryLufs));
    const silent = last.mediaMs - this.firstSoundMs! >= SILENT_MS && loudest < SILENT_LUFS;
    const found: Findings = { soundSilent: { present: silent, facts: `at most ${words(loudest)} LUFS` } };
    if (silent) return found;
    const clipped = this.sounds.filter(({ peakDb }) => peakDb >= CLIPPING_DB).length;
    found.soundClipping = { present: clipped >= CLIPPING_COUNT, facts: `${clipped} clipped moments in 10 s` };
    const hum = quietest(this.humBand);
    const rest = quietest(this.speechBand);
    if (hum !== undefined && rest !== undefined && span(this.humBand) >= HUM_MS - 1_000)
      found.soundHum = {
        present: hum > HUM_DB && hum - rest > HUM_ABOVE_DB,
        facts: `50 Hz at ${words(hum)} dBFS, speech band ${words(rest)} dBFS in the quietest moments`,
      };
    const quietMs = last.mediaMs - (this.spokeMs ?? this.firstSoundMs!);
    found.soundNoSpeech = { present: quietMs > NO_SPEECH_MS, facts: `no speech for ${Math.round(quietMs / 1_000)} s` };
    return found;
  }

  private fileFindings(): Findings {
    const found: Findings = {};
    const offset = this.avOffsetMs();
    if (offset !== null && offset >= -SOUND_LOST_MS)
      found.avOffset = { present: Math.abs(offset) > AV_OFFSET_MS, facts: `sound ${offset} ms against picture` };
    const rate = this.frameRateNow();
    if (rate !== null)
      found.frameRateLow = { present: rate < this.frameRate * RATE_SHARE, facts: `${rate.toFixed(1)} frames/s` };
    const settled = this.file.filter(({ nowMs }) => nowMs - this.beganMs! >= SETTLE_MS);
    const [first, last] = [settled[0], settled.at(-1)];
    if (first?.lastVideoMs !== undefined && last?.lastVideoMs !== undefined) {
      const wallMs = last.nowMs - first.nowMs;
      const pace = (last.lastVideoMs - first.lastVideoMs) / wallMs;
      if (wallMs >= RATE_WINDOW_MS * 0.9)
        found.encoderSlow = { present: pace < PACE_SHARE, facts: `${pace.toFixed(2)} s of media a second` };
    }
    return found;
  }
}

function recent<T extends { mediaMs: number }>(values: T[], ms: number): T[] {
  const last = values.at(-1)?.mediaMs ?? 0;
  return values.filter(({ mediaMs }) => last - mediaMs < ms);
}

const span = (values: readonly { mediaMs: number }[]): number =>
  values.length === 0 ? 0 : values.at(-1)!.mediaMs - values[0]!.mediaMs;

/** Level that a tenth of the values stay below. */
function quietest(values: readonly { db: number }[]): number | undefined {
  const sorted = values.map(({ db }) => db).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 10)];
}

const words = (db: number): string => (Number.isFinite(db) ? db.toFixed(0) : "-∞");
