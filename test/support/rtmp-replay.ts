import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { FLV_SCRIPT, FLV_VIDEO, readFlvTags, readFlvVideo, type FlvTag } from "../../src/media/media.ts";
import type { Clock } from "../../src/platform/platform.ts";
import { postmark, POSTMARK_BYTES } from "./postmark.ts";
import { amf0, COMMAND, connectCommand, handshake, header, message, publishCommand } from "./rtmp-client.ts";

const CHUNK_BYTES = 65_536;
const TICK_MS = 2;
const SET_CHUNK_SIZE = 1;

export interface ReplayOptions {
  /** Each tag gets a postmark behind its body; players that decode would stumble over it. */
  postmarks?: boolean;
  /** Begins at this key frame (or sound frame) of the clip, counted round and round. */
  fromKeyFrame?: number;
  /** Starts this much later than the others. */
  delayMs?: number;
}

interface Replay {
  socket: Duplex;
  tags: FlvTag[];
  durationMs: number;
  options: ReplayOptions;
  startMs: number;
  next: number;
  loop: number;
  sent: number;
}

const chunkSize = (): Buffer => {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(CHUNK_BYTES);
  return message(SET_CHUNK_SIZE, body, 2);
};

const isStart = (tag: FlvTag): boolean => {
  const video = tag.type === FLV_VIDEO ? readFlvVideo(tag.body) : undefined;
  return video ? video.kind === "frame" && video.key : true;
};

/** Publishes FLV clips over RTMP, round and round, each tag at its time. */
export class Replayer {
  /** Bodies only. */
  sentBytes = 0;
  /** How far behind its time the latest tag was sent, at worst since this was last set to 0. */
  worstLagMs = 0;
  readonly #clock: Clock;
  readonly #clips = new Map<string, FlvTag[]>();
  readonly #replays: Replay[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Says over an open connection what a publisher says before its first frame. */
  add(socket: Duplex, name: string, clip: string, options: ReplayOptions = {}): void {
    const all = this.#clips.get(clip) ?? readFlvTags(readFileSync(clip)).filter(({ type }) => type !== FLV_SCRIPT);
    this.#clips.set(clip, all);
    socket.resume();
    socket.write(
      Buffer.concat([
        handshake(),
        connectCommand(),
        message(COMMAND, amf0("createStream", 2, null)),
        publishCommand(name),
        chunkSize(),
      ]),
    );
    // Frames only: the encoder's farewell at the end of the file is none.
    const tags = all.filter(({ body }) => body[1] === 1);
    // The last tag's length is that of the one before.
    const durationMs = 2 * tags.at(-1)!.timestampMs - tags.at(-2)!.timestampMs;
    const starts = [...tags.keys()].filter((n) => isStart(tags[n]!));
    const next = starts[(options.fromKeyFrame ?? 0) % starts.length]!;
    const replay: Replay = { socket, tags, durationMs, options, startMs: 0, next, loop: 0, sent: 0 };
    for (const tag of all.filter(({ body }) => body[1] === 0)) this.#send(replay, tag, false);
    this.#replays.push(replay);
  }

  /** All begin now. */
  start(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const replay of this.#replays)
      replay.startMs = nowMs + (replay.options.delayMs ?? 0) - replay.tags[replay.next]!.timestampMs;
    setInterval(() => {
      const nowMs = this.#clock.monotonicMs();
      for (const replay of this.#replays) this.#sendDue(replay, nowMs);
    }, TICK_MS);
  }

  #sendDue(replay: Replay, nowMs: number): void {
    for (;;) {
      const tag = replay.tags[replay.next]!;
      const lagMs = nowMs - replay.startMs - tag.timestampMs - replay.loop * replay.durationMs;
      if (lagMs < 0) return;
      this.worstLagMs = Math.max(this.worstLagMs, lagMs);
      this.#send(replay, tag, replay.options.postmarks === true);
      replay.next++;
      if (replay.next === replay.tags.length) {
        replay.next = 0;
        replay.loop++;
      }
    }
  }

  #send(replay: Replay, tag: FlvTag, marked: boolean): void {
    const { socket } = replay;
    const timestampMs = tag.timestampMs + replay.loop * replay.durationMs;
    const chunkStream = tag.type === FLV_VIDEO ? 6 : 4;
    const bytes = tag.body.length + (marked ? POSTMARK_BYTES : 0);
    if (bytes > CHUNK_BYTES && marked) throw new Error(`a postmark could be cut: a tag has ${bytes} bytes`);
    socket.cork();
    socket.write(header(tag.type, bytes, chunkStream, timestampMs));
    for (let at = 0; at < tag.body.length; at += CHUNK_BYTES) {
      if (at > 0) socket.write(Buffer.of(0xc0 | chunkStream));
      socket.write(tag.body.subarray(at, at + CHUNK_BYTES));
    }
    if (marked) socket.write(postmark(replay.sent++, this.#clock.monotonicMs()));
    socket.uncork();
    this.sentBytes += bytes;
  }
}

/** Says over an open connection what an RTMP player says. */
export function play(socket: Duplex, name: string): void {
  const play = message(COMMAND, amf0("play", 3, null, name), 8);
  socket.write(Buffer.concat([handshake(), connectCommand(), message(COMMAND, amf0("createStream", 2, null)), play]));
}
