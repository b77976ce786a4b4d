import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { LIVE_KINDS, OTHER_PICTURE, type BoxId, type LiveKind, type LiveStreamName } from "../../protocol/protocol.ts";
import type { Clock, Log } from "../../platform/platform.ts";
import {
  flvHeader,
  parseAacConfig,
  parseAvcConfig,
  readFlvAudio,
  readFlvTags,
  readFlvVideo,
  webSocketPayloads,
} from "../../media/media.ts";
import type { IngestSink, PublishSink } from "../ingest/ingest.ts";
import { GopCache, roleOf } from "./gop.ts";
import { HLS_MASTER, type HlsFile, HlsOutput } from "./hls.ts";
import { ViewerQueue } from "./queue.ts";

export { roleOf } from "./gop.ts";

export interface Live {
  /** Where ingest delivers. */
  readonly sink: IngestSink;
  /**
   * Serves a browser: FLV over binary messages, the first being the FLV header, each later one whole tags. Kept
   * waiting while nothing is published; closed with 1012 when the publish ends, with 1013 when it cannot keep up. While
   * the picture that it asks for is missing it is shown the other one, and closed with 1012 when the right one is there.
   */
  addViewer(socket: WebSocket, box: BoxId, kind: LiveKind, gate?: ViewerGate): void;
  /** Boxes whose sound is left out of HLS from now on; that of all others is in it. */
  silence(boxes: ReadonlySet<BoxId>): void;
  /** What arrives from this box now. */
  publishing(box: BoxId): LiveKind[];
  /** Tells when `publishing` of a box changed; returns the way to stop listening. */
  onChange(listener: (box: BoxId) => void): () => void;
  /** A file of the box's HLS output (`index.m3u8` first); undefined where nothing is published or there is no such file. */
  hlsFile(box: BoxId, file: string): Promise<HlsFile | undefined>;
  close(): Promise<void>;
}

/** Sound passes while it is open; looked at for each tag, so that a change is in force at once and needs no reconnection. */
export interface ViewerGate {
  readonly open: boolean;
}

/** WebSocket close codes: service restart, try again later (IANA registry). */
const CLOSE_ENDED = 1012;
const CLOSE_TOO_SLOW = 1013;
const PING_MS = 10_000;
const HLS_IDLE_MS = 30_000;
/** How long the first request of a playlist waits for the first segment: two groups of pictures and some. */
const HLS_START_MS = 10_000;

const OPEN_GATE: ViewerGate = { open: true };
/** An empty message: no tag at all. */
const NOTHING = Buffer.alloc(0);
const SIGN_OF_LIFE_MS = 1_000;

interface Viewer {
  socket: WebSocket;
  /** Set once the FLV header is sent, that is while it follows a publish. */
  queue: ViewerQueue | undefined;
  /** It is shown this picture for want of the one it asked for. */
  borrowed: boolean;
  gate: ViewerGate;
  /** When the last sign of life went through its closed gate. */
  lifeMs: number;
  answered: boolean;
  waitingBytes: number;
}

interface Publish {
  run: string;
  config: Buffer | undefined;
  gop: GopCache;
  keyFrames: number;
}

/**
 * Both pictures of a box begin within a moment of each other. Who waits for one that does not come is shown the other
 * from this many of its key frames on: a second later, so that an ordinary start sends nobody back and forth.
 */
const LEND_FROM_KEY_FRAME = 2;

interface Hls {
  /** The picture that it was begun with. */
  picture: keyof typeof OTHER_PICTURE;
  output: HlsOutput;
  askedAtMs: number;
}

/**
 * Fan-out of live tags to any number of viewers.
 *
 * INVARIANTS
 * - A viewer is sent, in order and without holes: header, configuration, the group of pictures from its key frame
 *   (never cached sound), then each tag its queue lets through. Tags are shared between viewers, never copied.
 * - Nothing awaits a viewer: what one does not read waits in its own socket, bounded by its queue.
 * - A viewer follows one publish at a time: of the kind it asked for, or, while that has no key frame, of the other
 *   picture. To change over it is closed with 1012, as when a publish ends, and comes back.
 * - No sound passes a closed gate; pictures know no gates.
 * - A channel exists while it has a publish or a viewer; an HLS output while both its publishes are the ones it began with.
 */
export function createLive({ log, clock }: { log: Log; clock: Clock }): Live {
  const rooms = new Map<BoxId, Room>();
  const listeners = new Set<(box: BoxId) => void>();
  const closing = new AbortController();
  let silenced: ReadonlySet<BoxId> = new Set();
  const room = (box: BoxId): Room => {
    let found = rooms.get(box);
    if (!found) rooms.set(box, (found = new Room(log.with({ box }), clock, () => silenced.has(box))));
    return found;
  };
  const prune = (box: BoxId) => {
    if (rooms.get(box)?.empty) rooms.delete(box);
  };
  const changed = (box: BoxId) => {
    for (const listener of listeners) listener(box);
  };
  const sweep = async () => {
    for (;;) {
      await clock.sleep(PING_MS, closing.signal);
      for (const each of rooms.values()) each.sweep();
    }
  };
  void sweep().catch(() => {});

  return {
    sink: {
      open(name) {
        const publish = room(name.box).open(name);
        changed(name.box);
        return {
          tag: (timestampMs, tag, message) => publish.tag(timestampMs, tag, message),
          close() {
            publish.close();
            prune(name.box);
            changed(name.box);
          },
        };
      },
    },
    addViewer(socket, box, kind, gate = OPEN_GATE) {
      if (closing.signal.aborted) return socket.close(CLOSE_ENDED);
      const remove = room(box).addViewer(socket, kind, gate);
      socket.on("error", () => socket.terminate());
      socket.on("close", () => {
        remove();
        prune(box);
      });
    },
    silence(boxes) {
      const before = silenced;
      silenced = boxes;
      for (const [box, each] of rooms) if (before.has(box) !== boxes.has(box)) each.soundChanged();
    },
    publishing: (box) => rooms.get(box)?.publishing() ?? [],
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    hlsFile: async (box, file) => rooms.get(box)?.hlsFile(file),
    async close() {
      closing.abort();
      await Promise.all([...rooms.values()].map((each) => each.close()));
      rooms.clear();
    },
  };
}

/**
 * The stream beneath a WebSocket, for messages that are framed already; the package frames each anew for each socket, which
 * is a fifth of what a viewer costs. It has no public name (`_socket` in ws 8) and, without compression, nothing of its own
 * that such a message could overtake.
 */
const wireOf = (socket: WebSocket): Duplex => (socket as unknown as { _socket: Duplex })._socket;

/** Everything live of one box. */
class Room {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #isSilenced: () => boolean;
  readonly #viewers: Record<LiveKind, Set<Viewer>> = { video: new Set(), small: new Set(), audio: new Set() };
  readonly #publishes: Partial<Record<LiveKind, Publish>> = {};
  #hls: Hls | undefined;

  constructor(log: Log, clock: Clock, isSilenced: () => boolean) {
    this.#log = log;
    this.#clock = clock;
    this.#isSilenced = isSilenced;
  }

  get empty(): boolean {
    return this.publishing().length === 0 && LIVE_KINDS.every((kind) => this.#viewers[kind].size === 0);
  }

  publishing(): LiveKind[] {
    return LIVE_KINDS.filter((kind) => this.#publishes[kind]);
  }

  open({ kind, run }: LiveStreamName): PublishSink {
    const publish: Publish = { run, config: undefined, gop: new GopCache(), keyFrames: 0 };
    this.#publishes[kind] = publish;
    this.#stopHls();
    return {
      tag: (timestampMs, tag, message) => this.#tag(kind, publish, timestampMs, tag, message),
      close: () => {
        if (this.#publishes[kind] !== publish) return;
        this.#publishes[kind] = undefined;
        this.#stopHls();
        this.#eachFollower(kind, (asked, viewer) => this.#dismiss(asked, viewer, CLOSE_ENDED));
      },
    };
  }

  /** HLS is begun anew, with the sound or without. */
  soundChanged(): void {
    this.#stopHls();
  }

  addViewer(socket: WebSocket, kind: LiveKind, gate: ViewerGate): () => void {
    const viewer: Viewer = {
      socket,
      queue: undefined,
      borrowed: false,
      gate,
      lifeMs: 0,
      answered: true,
      waitingBytes: 0,
    };
    this.#viewers[kind].add(viewer);
    socket.on("pong", () => (viewer.answered = true));
    const publish = this.#publishes[kind];
    if (publish?.config) this.#join(viewer, kind, publish, publish.config);
    else if (kind !== "audio") this.#lend(viewer, OTHER_PICTURE[kind]);
    return () => void this.#viewers[kind].delete(viewer);
  }

  /** Ends viewers that neither answered nor read anything since the last look, and an HLS output nobody asks for. */
  sweep(): void {
    for (const kind of LIVE_KINDS)
      for (const viewer of this.#viewers[kind]) {
        const waitingBytes = viewer.socket.bufferedAmount;
        if (!viewer.answered && waitingBytes >= viewer.waitingBytes) {
          this.#log.info("live.viewerLost", { kind, waitingBytes });
          viewer.socket.terminate();
          continue;
        }
        viewer.answered = false;
        viewer.waitingBytes = waitingBytes;
        viewer.socket.ping();
      }
    if (this.#hls && this.#clock.monotonicMs() - this.#hls.askedAtMs > HLS_IDLE_MS) this.#stopHls();
  }

  async hlsFile(file: string): Promise<HlsFile | undefined> {
    if (file === HLS_MASTER) this.#hls ??= this.#startHls();
    const hls = this.#hls;
    if (!hls) return undefined;
    if (file.endsWith(".m3u8")) hls.askedAtMs = this.#clock.monotonicMs();
    const deadline = new AbortController();
    void this.#clock.sleep(HLS_START_MS, deadline.signal).then(
      () => deadline.abort(),
      () => {},
    );
    try {
      return await hls.output.file(file, deadline.signal);
    } finally {
      deadline.abort();
    }
  }

  async close(): Promise<void> {
    for (const kind of LIVE_KINDS) for (const viewer of this.#viewers[kind]) this.#dismiss(kind, viewer, CLOSE_ENDED);
    const hls = this.#hls;
    this.#hls = undefined;
    await hls?.output.close();
  }

  #tag(kind: LiveKind, publish: Publish, timestampMs: number, tag: Buffer, message: Buffer): void {
    const role = roleOf(kind, tag);
    if (role === "config") {
      if (publish.config?.equals(tag)) return;
      publish.config = Buffer.from(tag);
      publish.gop.clear();
      // Its tracks were declared with the configuration before.
      this.#stopHls();
      for (const viewer of this.#viewers[kind]) if (!viewer.queue) this.#join(viewer, kind, publish, undefined);
    } else if (kind !== "audio") publish.gop.add(role, timestampMs, message);
    if (!publish.config) return;
    this.#eachFollower(kind, (asked, viewer) => this.#offer(asked, viewer, role, message));
    if (kind !== "audio" && role === "key") this.#keyFrame(kind, publish);
    if (!this.#hls || (kind !== "audio" && kind !== this.#hls.picture)) return;
    const output = kind === "audio" ? "audio" : "video";
    for (const each of readFlvTags(tag)) this.#hls.output[output](each);
  }

  /** Viewers that are sent this publish, each with the kind that it asked for. */
  #eachFollower(kind: LiveKind, act: (asked: LiveKind, viewer: Viewer) => void): void {
    for (const viewer of this.#viewers[kind]) if (viewer.queue && !viewer.borrowed) act(kind, viewer);
    if (kind === "audio") return;
    const other = OTHER_PICTURE[kind];
    for (const viewer of this.#viewers[other]) if (viewer.borrowed) act(other, viewer);
  }

  /** Its own viewers that were shown the other picture come back to it; viewers of the other that wait in vain get it. */
  #keyFrame(kind: keyof typeof OTHER_PICTURE, publish: Publish): void {
    publish.keyFrames++;
    const other = OTHER_PICTURE[kind];
    for (const viewer of this.#viewers[kind]) if (viewer.borrowed) this.#dismiss(kind, viewer, CLOSE_ENDED);
    for (const viewer of this.#viewers[other]) if (!viewer.queue) this.#lend(viewer, kind);
  }

  #lend(viewer: Viewer, kind: keyof typeof OTHER_PICTURE): void {
    const publish = this.#publishes[kind];
    if (!publish?.config || publish.keyFrames < LEND_FROM_KEY_FRAME) return;
    viewer.borrowed = true;
    this.#join(viewer, kind, publish, publish.config);
  }

  #join(viewer: Viewer, kind: LiveKind, publish: Publish, config: Buffer | undefined): void {
    if (viewer.socket.readyState !== viewer.socket.OPEN) return;
    const cached = publish.gop.stretches();
    viewer.queue = new ViewerQueue(cached.length > 0);
    viewer.socket.send(flvHeader({ audio: kind === "audio", video: kind !== "audio" }));
    if (config) viewer.socket.send(config);
    for (const stretch of cached) wireOf(viewer.socket).write(stretch);
  }

  #offer(kind: LiveKind, viewer: Viewer, role: ReturnType<typeof roleOf>, message: Buffer): void {
    const { socket, queue, gate } = viewer;
    if (role === "sound" && !gate.open) {
      // A player takes a connection for dead on which nothing comes, and would come again and again.
      const nowMs = this.#clock.monotonicMs();
      if (nowMs - viewer.lifeMs < SIGN_OF_LIFE_MS || socket.readyState !== socket.OPEN) return;
      viewer.lifeMs = nowMs;
      socket.send(NOTHING);
      return;
    }
    if (!queue || socket.readyState !== socket.OPEN) return;
    switch (queue.offer(role, message.length, socket.bufferedAmount)) {
      case "send":
        wireOf(socket).write(message);
        return;
      case "close":
        this.#log.info("live.viewerTooSlow", { kind, waitingBytes: socket.bufferedAmount });
        this.#dismiss(kind, viewer, CLOSE_TOO_SLOW);
        return;
      case "skip":
    }
  }

  #dismiss(kind: LiveKind, viewer: Viewer, code: number): void {
    this.#viewers[kind].delete(viewer);
    viewer.socket.close(code);
  }

  #startHls(): Hls | undefined {
    const configOf = (kind: LiveKind) => {
      const config = this.#publishes[kind]?.config;
      return config && readFlvTags(config)[0]!.body;
    };
    const picture = this.#publishes.video?.config ? "video" : "small";
    const videoBody = configOf(picture);
    const audioBody = this.#isSilenced() ? undefined : configOf("audio");
    const videoTag = videoBody && readFlvVideo(videoBody);
    const audioTag = audioBody && readFlvAudio(audioBody);
    const video = videoTag?.kind === "config" ? parseAvcConfig(videoTag.avcC) : undefined;
    let audio = audioTag?.kind === "config" ? parseAacConfig(audioTag.audioSpecificConfig) : undefined;
    // Two runs of the encoder have two time lines: the picture goes without the sound of another run.
    if (video && this.#publishes[picture]?.run !== this.#publishes.audio?.run) audio = undefined;
    if (!video && !audio) return undefined;
    const output: HlsOutput = new HlsOutput({
      log: this.#log,
      ...(video && { video }),
      ...(audio && { audio }),
      onFailure: () => {
        if (this.#hls?.output === output) this.#hls = undefined;
      },
    });
    this.#log.info("hls.started", { video: Boolean(video), audio: Boolean(audio) });
    // The group of pictures at hand saves the first viewer the wait for a key frame.
    for (const stretch of (video && this.#publishes[picture]?.gop.stretches()) ?? [])
      for (const payload of webSocketPayloads(stretch)) for (const tag of readFlvTags(payload)) output.video(tag);
    return { output, picture, askedAtMs: this.#clock.monotonicMs() };
  }

  #stopHls(): void {
    if (!this.#hls) return;
    void this.#hls.output.close();
    this.#hls = undefined;
    this.#log.info("hls.stopped");
  }
}
