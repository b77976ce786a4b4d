import { join } from "node:path";
import { makeDirectory, type Clock, type Log } from "../../platform/platform.ts";
import type {
  DeviceOrder,
  Health,
  LiveKind,
  SegmentName,
  SessionId,
  SignedRecord,
  TakeId,
} from "../../protocol/protocol.ts";
import type { CaptureConfig, EncoderRun, ScreenSource, ShareUrls } from "../capture/capture.ts";
import { DeviceBook, openDeviceBook, type Devices } from "../devices/devices.ts";
import type { EndedSession, RecorderIdentity } from "./chronicle.ts";
import type { Fallback } from "./fallback.ts";
import { Past } from "./past.ts";
import type { Readings } from "./readings.ts";
import type { RecordedSegment, RecordedTake } from "./recorded-takes.ts";
import { BoxRecorder } from "./recorder.ts";
import { Takes } from "./takes.ts";

export type { Fallback } from "./fallback.ts";
export type { RecordedTake } from "./recorded-takes.ts";
export { bothTracks } from "./tracks.ts";

export interface RecorderOptions extends Readings {
  clock: Clock;
  log: Log;
  /** The screen is recorded only while a session is, and has no preview. */
  config: Omit<CaptureConfig, "source"> & { source: CaptureConfig["source"] | ScreenSource };
  dataDirectory: string;
  /** In tmpfs; survives the agent, not the boot. */
  runDirectory: string;
  /** Loopback RTMP relay; the same after a restart of the agent, since the encoder goes on publishing to it. */
  liveUrl: ((kind: LiveKind, run: string) => string) | undefined;
  agentVersion: string;
  listDevices?: (() => Promise<Devices>) | undefined;
  /** Where recording goes on when the data directory's disk fails; none without a second medium. */
  fallback?: Fallback | undefined;
}

export interface RecorderFacts extends Pick<Health, "encoder" | "picture" | "sound" | "echo" | "source" | "devices"> {
  /** Of Health["recording"], what the recorder knows. */
  recording: { session: SessionId | null; take: TakeId | null; seconds: number; growing: boolean };
}

export interface Recorder {
  /** Null: preview only, unpublished. */
  setIdentity(identity: RecorderIdentity | null): void;
  /**
   * What to record; `why` is the reason that goes into the record of a take that ends by this. Idempotent; the start of
   * the same session may become known better.
   */
  setSession(session: { id: SessionId; startedAt: string } | null, why: "sessionEnded" | "paused"): void;
  /**
   * Sessions that have ended: what this box's recordings of them do not reach is stated. Where `startedAt` is given, a
   * session of which nothing was recorded is stated as missing from there on.
   */
  setEnded(sessions: readonly EndedSession[]): void;
  /** Which cameras and microphones are preferred; null where the hub says nothing of it. */
  setDeviceOrder(order: DeviceOrder | null): void;
  /** Where the room's picture and sound are to go besides; a preview starts anew for its sake, a recording does not. */
  setShare(share: ShareUrls | null): void;
  /**
   * Reads a closed segment again. One that is not what was recorded is stated as damaged, and is no longer among the
   * segments from then on.
   */
  examine(name: SegmentName): Promise<"whole" | "damaged">;
  /** Called after each record that has reached the disk. */
  onRecord(listener: (take: TakeId) => void): void;
  /** Those that have a record and have not left the working set, oldest first. */
  takes(): RecordedTake[];
  records(take: TakeId, fromN: number, limit: number): Promise<SignedRecord[]>;
  /**
   * Closed segments: on disk, recorded and never changed again. A box holds years of them, so whoever looks often says
   * of which takes.
   */
  segments(of?: (take: RecordedTake) => boolean): RecordedSegment[];
  /** Of a closed segment, as signed. */
  sha256(take: TakeId, seq: number): Promise<string | undefined>;
  /**
   * Of these takes, of which nothing is left to do, as many leave the working set for good as the chain allows. Their
   * folders go to `past`, whole. @returns how many
   */
  retire(done: ReadonlySet<TakeId>): Promise<number>;
  /** All that ever left. */
  past(): Promise<Set<TakeId>>;
  /** Bytes of a session's closed segments. */
  sessionBytes(session: SessionId): number;
  /** The segment that is being written now. */
  openSegment(): { name: SegmentName; path: string } | null;
  facts(): RecorderFacts;
  /** Takes and segments that the disk does not give back. */
  unreadable(): ReadonlySet<string>;
  /** What the microphone hears now; undefined while nothing listens. `count` differs from one measurement to the next. */
  level(): ReturnType<EncoderRun["level"]>;
  /** The sound server's address of the microphone in use; undefined without one, or where it is reached past the server. */
  microphone(): string | undefined;
  /** The take that is being written now and the segment that is open in it; null while nothing is recorded. */
  writing(): { take: TakeId; directory: string; openSeq: number; frameRate: number } | null;
  /** The program that records, for whoever looks into its files. */
  ffmpeg(): Promise<string>;
  /** A JPEG that the encoder keeps rewriting. */
  ownPicture(): string;
  /** When the loop that records turned last, in the clock's monotonic time. */
  turnedMs(): number;
  /** Records until the signal aborts; then the encoder is stopped in good order and the take is closed. */
  run(signal: AbortSignal): Promise<void>;
}

export async function openRecorder(options: RecorderOptions): Promise<Recorder> {
  const { dataDirectory, fallback, config, log } = options;
  const recordings = join(dataDirectory, "recordings");
  await makeDirectory(recordings);
  const second = await fallback?.recordings();
  const past = new Past(dataDirectory);
  const media = [recordings, ...(second ? [second] : [])];
  const track = config.source.kind === "screen" ? "screen" : "room";
  const stored = await Takes.load(media, past.directory, track, log);
  const book = { clock: options.clock, log, list: options.listDevices };
  const devices = track === "room" ? await openDeviceBook(dataDirectory, book) : new DeviceBook(book);
  return new BoxRecorder(options, { recordings, past, track, stored, devices });
}
