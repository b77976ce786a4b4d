import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createIngest } from "../../src/hub/ingest/ingest.ts";
import { createLog, runChecked, systemClock } from "../../src/platform/platform.ts";
import { liveStreamName } from "../../src/protocol/protocol.ts";
import { readFlvVideo } from "../../src/media/media.ts";
import { BOX, OTHER_BOX, publish, startIngestBed, TestViewer, type IngestBed } from "../support/ingest-bed.ts";
import {
  amf0,
  COMMAND,
  connectCommand,
  handshake,
  header,
  message,
  publishCommand,
  send,
} from "../support/rtmp-client.ts";
import { steppedClock } from "../support/stepped-clock.ts";
import { until } from "../support/until.ts";

const NAME = liveStreamName({ box: BOX, kind: "video", run: "zzzzzzzz" });
const AUDIO_NAME = liveStreamName({ box: BOX, kind: "audio", run: "zzzzzzzz" });
const SET_CHUNK_SIZE = 1;
const AUDIO = 8;
const VIDEO = 9;

const uint32 = (value: number) => {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
};
const opened = (...rest: Buffer[]) => Buffer.concat([handshake(), connectCommand(), ...rest]);
/** Publishes sound, so that the picture of the real publisher beside is not replaced. */
const published = (...rest: Buffer[]) => opened(publishCommand(AUDIO_NAME), ...rest);

/** What is sent, and the reason it must be refused for. */
const HOSTILE: [string, string, Buffer][] = [
  ["a TLS or HTTP client", "notRtmp", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["a name that is not of a live stream", "wrongName", opened(publishCommand("camera"))],
  ["a name with a path in it", "wrongName", opened(publishCommand(`../${NAME}`))],
  ["the stream of another box", "wrongBox", opened(publishCommand(NAME.replace(BOX, OTHER_BOX)))],
  ["another app", "wrongApp", Buffer.concat([handshake(), connectCommand("vod"), publishCommand(NAME)])],
  ["a publish before connect", "wrongApp", Buffer.concat([handshake(), publishCommand(NAME)])],
  ["a publish without a name", "badInput", opened(message(COMMAND, amf0("publish", 5, null)))],
  ["a second publish on one connection", "secondPublish", published(publishCommand(AUDIO_NAME))],
  ["a play", "play", opened(message(COMMAND, amf0("play", 5, null, NAME)))],
  ["media before a publish", "mediaBeforePublish", opened(message(VIDEO, Buffer.of(0x17, 1, 0, 0, 0, 9)))],
  ["a connect without a URL", "badInput", Buffer.concat([handshake(), message(COMMAND, amf0("connect", 1, {}))])],
  ["a command cut short", "badInput", Buffer.concat([handshake(), message(COMMAND, Buffer.of(0, 200, 1))])],
  [
    "an unknown AMF type",
    "badInput",
    Buffer.concat([handshake(), message(COMMAND, Buffer.concat([amf0("connect"), Buffer.of(0x2a, 1)]))]),
  ],
  [
    "objects within objects beyond any stack",
    "badInput",
    // In chunks of 1 MiB, the largest allowed.
    opened(
      message(SET_CHUNK_SIZE, uint32(1 << 20), 2),
      header(COMMAND, 4 << 18, 3),
      Buffer.alloc(4 << 18, Buffer.of(3, 0, 1, 97)),
    ),
  ],
  [
    "an AMF array of 4 billion",
    "badInput",
    Buffer.concat([handshake(), message(COMMAND, Buffer.of(10, 255, 255, 255, 255))]),
  ],
  ["AMF3 data", "amf3", published(message(15, Buffer.of(0, 1, 2)))],
  ["an AMF3 command", "amf3", opened(message(17, Buffer.of(0, 2, 0, 0)))],
  ["a message without a body", "emptyMessage", published(header(AUDIO, 0, 4))],
  ["a chunk that continues nothing", "emptyMessage", opened(Buffer.of(0xc9, 1))],
  ["a message of 16 MB", "messageTooLong", published(header(AUDIO, 0xffffff, 4))],
  ["a chunk size of 0", "badChunkSize", opened(message(SET_CHUNK_SIZE, uint32(0), 2))],
  ["a chunk size of 2 GB", "badChunkSize", opened(message(SET_CHUNK_SIZE, uint32(0x7fffffff), 2))],
  ["a chunk size of two bytes", "badInput", opened(message(SET_CHUNK_SIZE, Buffer.of(1, 1), 2))],
  [
    "a new header inside a message",
    "headerInsideMessage",
    published(Buffer.concat([header(AUDIO, 300, 4), Buffer.alloc(128), header(AUDIO, 4, 4)])),
  ],
  [
    "seventeen chunk streams",
    "tooManyChunkStreams",
    published(
      ...Array.from({ length: 17 }, (_, n) => Buffer.concat([header(AUDIO, 200, 10 + n), Buffer.alloc(128, 0xaf)])),
    ),
  ],
  ["enhanced RTMP (a FourCC)", "unsupportedCodec", published(message(AUDIO, Buffer.of(0x90, 0x4f, 0x70, 0x75, 0x73)))],
  ["another codec", "unsupportedCodec", published(message(AUDIO, Buffer.of(0x2f, 1, 2, 3)))],
];

async function refusal(bed: IngestBed, bytes: Buffer): Promise<string> {
  const before = bed.refusals().length;
  const socket = await send(bed.rtmpPort, bytes);
  await closed(socket);
  return until("a refusal is logged", () => bed.refusals()[before]);
}

describe("ingest", () => {
  test("a real publisher loses no tag while everything hostile is refused with its reason", async () => {
    await using bed = await startIngestBed();
    const viewer = await new TestViewer(bed.webPort, "video").opened();
    await using publisher = await disposable(publish(bed.rtmpPort, { seconds: 8 }));
    await until("pictures arrive", () => viewer.tags.length > 5);

    for (const [what, reason, bytes] of HOSTILE) expect([what, await refusal(bed, bytes)]).toEqual([what, reason]);
    // Each logged once.
    expect(bed.refusals()).toEqual(HOSTILE.map(([, reason]) => reason));

    const random = lcg(20_261_101);
    for (let n = 0; n < 60; n++) {
      const noise = Buffer.from(Uint8Array.from({ length: 1 + (random() % 4_000) }, () => random() & 255));
      const prefix = [Buffer.of(3), handshake(), opened(), published()][n % 4]!;
      const socket = await send(bed.rtmpPort, Buffer.concat([prefix, noise]));
      socket.end();
      await closed(socket);
    }
    // A valid conversation with a few bytes changed: gets deeper into the parser than noise does.
    const honest = published(message(AUDIO, Buffer.concat([Buffer.of(0xaf, 1), Buffer.alloc(700, 7)]), 4));
    for (let n = 0; n < 120; n++) {
      const broken = Buffer.from(honest);
      for (let k = 0; k <= n % 4; k++) broken[3073 + (random() % (broken.length - 3073))] = random() & 255;
      const socket = await send(bed.rtmpPort, broken);
      socket.end();
      await closed(socket);
    }

    const exit = await publisher.child.exited;
    expect(exit.code).toBe(0);
    expect(await viewer.closed).toBe(1012);
    const frames = viewer.tags.map((tag) => ({ at: tag.timestampMs, video: readFlvVideo(tag.body) }));
    const times = frames.filter(({ video }) => video.kind === "frame").map(({ at }) => at);
    expect(times).toEqual(Array.from({ length: 200 }, (_, n) => times[0]! + n * 40));
    await until("all connections are gone", () => bed.sockets.size === 0);
  });

  test("handshakes cut anywhere, silence, and unread answers end by the clock or the bound", async () => {
    const clock = steppedClock();
    await using bed = await startIngestBed({ clock });
    for (const length of [0, 1, 2, 1000, 1537, 1538, 3072, 3073]) {
      const socket = await send(bed.rtmpPort, handshake().subarray(0, length));
      await until("accepted", () => bed.sockets.size === 1);
      clock.step(5_000);
      await closed(socket);
      await until("gone", () => bed.sockets.size === 0);
    }
    expect(bed.refusals()).toEqual(Array.from({ length: 8 }, () => "handshakeTimeout"));

    const silent = await send(bed.rtmpPort, published());
    await until("published", () => bed.live.publishing(BOX).length === 1);
    for (let n = 0; n < 3; n++) {
      await clock.slept();
      clock.step(5_000);
    }
    await closed(silent);
    expect(bed.refusals().at(-1)).toBe("idle");
    expect(bed.live.publishing(BOX)).toEqual([]);

    // Never reads: each createStream is answered with some 40 bytes, until the socket is full. How much that takes is
    // the kernel's choice (its buffers grow to tens of megabytes).
    const create = message(COMMAND, amf0("createStream", 2, null));
    const flood = await send(bed.rtmpPort, opened(), { read: false });
    const ended = closed(flood);
    const burst = Buffer.concat(Array.from({ length: 4_000 }, () => create));
    while (bed.refusals().at(-1) !== "unreadAnswers" && !flood.destroyed)
      await new Promise<void>((resolve) => flood.write(burst, () => setImmediate(resolve)));
    // A socket that neither reads nor writes is not told that the other side is gone.
    flood.resume();
    await ended;
    expect(bed.refusals().at(-1)).toBe("unreadAnswers");
  });

  test("a new connection of the same box and kind replaces the old; the other kind stays", async () => {
    await using bed = await startIngestBed();
    const changes: string[] = [];
    bed.live.onChange((box) => changes.push(`${box} ${bed.live.publishing(box).join("+")}`));
    const viewer = await new TestViewer(bed.webPort, "video").opened();
    await using sound = await disposable(publish(bed.rtmpPort, { kind: "audio", run: "aaaaaaaa" }));
    await using first = await disposable(publish(bed.rtmpPort, { run: "aaaaaaaa" }));
    await until("the first publishes", () => viewer.tags.length > 0);
    await using second = await disposable(publish(bed.rtmpPort, { run: "bbbbbbbb" }));
    expect(await viewer.closed).toBe(1012);
    await first.child.exited;
    const again = await new TestViewer(bed.webPort, "video").opened();
    await until("the second is seen", () => again.tags.length > 5);
    expect(bed.live.publishing(BOX)).toEqual(["video", "audio"]);
    expect(bed.refusals()).toEqual([]);

    bed.ingest.disconnect(BOX);
    await Promise.all([sound.child.exited, second.child.exited]);
    expect(await again.closed).toBe(1012);
    expect(bed.live.publishing(BOX)).toEqual([]);
    expect(changes).toContain(`${BOX} video+audio`);
    expect(changes.at(-1)).toBe(`${BOX} `);
  });

  test("a publisher with the wrong name or app is turned away, and one that lost its place does not come back in", async () => {
    await using bed = await startIngestBed({ box: OTHER_BOX });
    for (const wrong of [{}, { name: "camera" }, { box: OTHER_BOX, app: "vod" }]) {
      await using publisher = await disposable(publish(bed.rtmpPort, { ...wrong, seconds: 5 }));
      expect((await publisher.child.exited).code).not.toBe(0);
    }
    expect(bed.refusals()).toEqual(["wrongBox", "wrongName", "wrongApp"]);
    expect(bed.live.publishing(BOX)).toEqual([]);
  });

  test("ffmpeg cannot play what another ffmpeg publishes", async () => {
    await using bed = await startIngestBed();
    await using _publisher = await disposable(publish(bed.rtmpPort));
    await until("published", () => bed.live.publishing(BOX).length === 1);
    const directory = await mkdtemp(join(tmpdir(), "dc-play-"));
    try {
      const url = `rtmp://127.0.0.1:${bed.rtmpPort}/live/${liveStreamName({ box: BOX, kind: "video", run: "aaaaaaaa" })}`;
      await expect(
        runChecked(["ffmpeg", "-v", "error", "-i", url, "-t", "1", join(directory, "out.flv")]),
      ).rejects.toThrow("ffmpeg ended with");
      expect(bed.refusals()).toEqual(["play"]);
      expect(bed.live.publishing(BOX)).toEqual(["video"]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("what a viewer gets is an FLV file that ffprobe reads to the last frame", async () => {
    await using bed = await startIngestBed();
    const picture = await new TestViewer(bed.webPort, "video").opened();
    const sound = await new TestViewer(bed.webPort, "audio").opened();
    await using _video = await disposable(publish(bed.rtmpPort, { seconds: 3 }));
    await using _audio = await disposable(publish(bed.rtmpPort, { kind: "audio", seconds: 3 }));
    await Promise.all([picture.closed, sound.closed]);
    const directory = await mkdtemp(join(tmpdir(), "dc-flv-"));
    try {
      const probe = async (viewer: TestViewer) => {
        const file = join(directory, "got.flv");
        await writeFile(file, Buffer.concat(viewer.chunks));
        const { stdout, stderr } = await runChecked(
          ["ffprobe", "-v", "error", "-count_frames", "-of", "csv=p=0"].concat([
            "-show_entries",
            "stream=codec_name,nb_read_frames",
            file,
          ]),
        );
        return { stdout: stdout.trim(), stderr };
      };
      expect(await probe(picture)).toEqual({ stdout: "h264,75", stderr: "" });
      const { stdout, stderr } = await probe(sound);
      expect(stderr).toBe("");
      expect(Number(/^aac,(\d+)$/.exec(stdout)?.[1])).toBeGreaterThanOrEqual((3 * 48_000) / 1024);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("the ninth connection of a box is refused, and there is room again when one ends", async () => {
    await using bed = await startIngestBed();
    const open = [];
    for (let n = 0; n < 8; n++) open.push(await send(bed.rtmpPort, handshake()));
    await until("all are open", () => bed.sockets.size === 8);
    await closed(await send(bed.rtmpPort, handshake()));
    expect(bed.refusals()).toEqual(["tooManyConnections"]);
    open[0]!.destroy();
    await until("one is gone", () => bed.sockets.size === 7);
    await send(bed.rtmpPort, published());
    await until("published", () => bed.live.publishing(BOX).length === 1);
  });

  test("two ingests share nothing: a publish at one is unknown to the other", async () => {
    await using one = await startIngestBed();
    await using other = await startIngestBed();
    const silent = createIngest({ log: createLog(systemClock, () => {}), clock: systemClock, sink: other.live.sink });
    const socket = await send(one.rtmpPort, published());
    await until("published", () => one.live.publishing(BOX).length === 1);
    silent.disconnect(BOX);
    other.ingest.disconnect(BOX);
    expect(one.live.publishing(BOX)).toEqual(["audio"]);
    expect(other.live.publishing(BOX)).toEqual([]);
    socket.destroy();
    await until("ended", () => one.live.publishing(BOX).length === 0);
  });
});

/** A destroyed peer may show as a reset before the close. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (socket.closed ? resolve() : void socket.once("close", () => resolve())));

async function disposable(starting: ReturnType<typeof publish>) {
  const child = await starting;
  return { child, [Symbol.asyncDispose]: async () => void (await child.stop(2_000)) };
}

/** Numerical Recipes' generator: the same noise in every run. */
function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8;
}
