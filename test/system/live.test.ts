import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { readFlvVideo, type FlvTag } from "../../src/media/media.ts";
import { runChecked } from "../../src/platform/platform.ts";
import { liveStreamName } from "../../src/protocol/protocol.ts";
import { BOX, publish, startIngestBed, TestViewer, type IngestBed } from "../support/ingest-bed.ts";
import { connectCommand, handshake, message, publishCommand, send } from "../support/rtmp-client.ts";
import { steppedClock } from "../support/stepped-clock.ts";
import { until } from "../support/until.ts";

const pictures = (tags: readonly FlvTag[]) =>
  tags.map((tag) => readFlvVideo(tag.body)).filter((video) => video.kind === "frame");

describe("live", () => {
  test("a viewer that joins in the middle begins with configuration and a key frame, and misses nothing after", async () => {
    await using bed = await startIngestBed();
    const first = await new TestViewer(bed.webPort, "video").opened();
    await using _publisher = await running(publish(bed.rtmpPort, { seconds: 5 }));
    await until("some pictures", () => pictures(first.tags).length > 30);
    const late = await new TestViewer(bed.webPort, "video").opened();
    await Promise.all([first.closed, late.closed]);

    expect(late.chunks[0]!.length).toBe(13);
    expect(readFlvVideo(late.tags[0]!.body).kind).toBe("config");
    expect(readFlvVideo(late.tags[1]!.body)).toMatchObject({ kind: "frame", key: true });
    const times = (viewer: TestViewer) => viewer.tags.slice(1).map((tag) => tag.timestampMs);
    const from = times(first).indexOf(times(late)[0]!);
    expect(from).toBeGreaterThan(0);
    expect(times(late)).toEqual(times(first).slice(from));
  });

  test("a viewer of sound gets no cached sound, only the configuration", async () => {
    await using bed = await startIngestBed();
    const first = await new TestViewer(bed.webPort, "audio").opened();
    await using _publisher = await running(publish(bed.rtmpPort, { kind: "audio", seconds: 3 }));
    await until("some sound", () => first.tags.length > 40);
    const late = await new TestViewer(bed.webPort, "audio").opened();
    const heardBefore = first.tags.at(-1)!.timestampMs;
    await Promise.all([first.closed, late.closed]);
    expect([...late.tags[0]!.body.subarray(0, 2)]).toEqual([0xaf, 0]);
    expect(late.tags[1]!.timestampMs).toBeGreaterThanOrEqual(heardBefore);
  });

  test("a viewer waits while nothing is published, through the end of one publish to the next", async () => {
    await using bed = await startIngestBed();
    const early = await new TestViewer(bed.webPort, "video").opened();
    expect(early.chunks).toEqual([]);
    await using first = await running(publish(bed.rtmpPort, { seconds: 1 }));
    expect(await early.closed).toBe(1012);
    expect(pictures(early.tags).length).toBe(25);
    await first.child.exited;
    const again = await new TestViewer(bed.webPort, "video").opened();
    await using _second = await running(publish(bed.rtmpPort, { seconds: 1, run: "bbbbbbbb" }));
    expect(await again.closed).toBe(1012);
    expect(pictures(again.tags).length).toBe(25);
  });

  test("never-again 6: while the large picture is missing its viewers are shown the small one, and get it back", async () => {
    await using bed = await startIngestBed();
    await using _small = await running(publish(bed.rtmpPort, { kind: "small", run: "aaaaaaaa" }));
    const waiting = await new TestViewer(bed.webPort, "video").opened();
    await until("the waiting viewer is shown the small picture", () => pictures(waiting.tags).length > 10);
    const times = waiting.tags.slice(1).map((tag) => tag.timestampMs);
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    const small = await new TestViewer(bed.webPort, "small").opened();
    await using _large = await running(publish(bed.rtmpPort, { seconds: 2, run: "aaaaaaaa" }));
    expect(await waiting.closed).toBe(1012);
    const large = await new TestViewer(bed.webPort, "video").opened();
    expect(await large.closed).toBe(1012);
    expect(pictures(large.tags).length).toBeGreaterThan(25);
    // The large publish has ended: whoever asks for it again has a picture at once.
    const again = await new TestViewer(bed.webPort, "video").opened();
    await until("the small picture again", () => pictures(again.tags).length > 10, { withinMs: 500 });
    expect(small.closeCode).toBeUndefined();
  });

  test("at an ordinary start no viewer of one picture is lent the other", async () => {
    await using bed = await startIngestBed();
    const viewers = await Promise.all([
      new TestViewer(bed.webPort, "video").opened(),
      new TestViewer(bed.webPort, "small").opened(),
    ]);
    await using _small = await running(publish(bed.rtmpPort, { kind: "small", seconds: 3, run: "aaaaaaaa" }));
    await using _large = await running(publish(bed.rtmpPort, { seconds: 3, run: "aaaaaaaa" }));
    await Promise.all(viewers.map((viewer) => viewer.closed));
    for (const viewer of viewers) expect(pictures(viewer.tags).length).toBe(75);
  });

  test("a stalled viewer costs less than 4 MB and no other viewer a picture; read again, it goes on at a key frame", async () => {
    await using bed = await startIngestBed();
    const healthy = await new TestViewer(bed.webPort, "video").opened();
    const stalled = await stalledViewer(bed, "video");
    // 12 MB of pictures as fast as they are taken: 60 groups of 10, 20 kB each.
    const publisher = await handmadePictures(bed);
    let worst = 0;
    for (let group = 0; group < 60; group++) {
      for (let n = 0; n < 10; n++) publisher.picture(n === 0);
      await until("the healthy viewer has all", () => pictures(healthy.tags).length === publisher.sent());
      worst = Math.max(worst, stalled.waitingBytes());
    }
    expect(worst).toBeGreaterThan(1 << 20);
    expect(worst).toBeLessThan(4 << 20);

    stalled.socket.resume();
    await stalled.caughtUp();
    const before = pictures(stalled.tags()).length;
    expect(before).toBeLessThan(publisher.sent());
    for (let n = 0; n < 20; n++) publisher.picture(n === 10);
    await until("it goes on", () => pictures(stalled.tags()).length > before);
    await until("the healthy viewer has all", () => pictures(healthy.tags).length === publisher.sent());
    await until("the rest of the group comes", () => pictures(stalled.tags()).length === before + 10);
    expect(pictures(stalled.tags())[before]).toMatchObject({ key: true });
    expect(pictures(healthy.tags).length).toBe(620);
    publisher.socket.destroy();
    expect(await healthy.closed).toBe(1012);
  });

  test("among forty viewers of a picture a stalled one costs less than 4 MB and the others no picture", async () => {
    await using bed = await startIngestBed();
    const others = await Promise.all(Array.from({ length: 39 }, () => countingViewer(bed)));
    const stalled = await stalledViewer(bed, "video");
    const publisher = await handmadePictures(bed);
    let worst = 0;
    for (let group = 0; group < 40; group++) {
      for (let n = 0; n < 10; n++) publisher.picture(n === 0);
      await until("the others have all", () => others.every(({ pictures }) => pictures() === publisher.sent()));
      worst = Math.max(worst, stalled.waitingBytes());
    }
    expect(worst).toBeGreaterThan(1 << 20);
    expect(worst).toBeLessThan(4 << 20);
    for (const { socket } of others) expect(socket.readyState).toBe(WebSocket.OPEN);
    stalled.socket.destroy();
    publisher.socket.destroy();
  });

  test("sound is never skipped: a stalled listener is closed with 1013 at the bound, another hears all", async () => {
    await using bed = await startIngestBed();
    const healthy = await new TestViewer(bed.webPort, "audio").opened();
    const stalled = await stalledViewer(bed, "audio");
    const publisher = await send(
      bed.rtmpPort,
      Buffer.concat([
        handshake(),
        connectCommand(),
        publishCommand(liveStreamName({ box: BOX, kind: "audio", run: "aaaaaaaa" })),
        message(8, Buffer.of(0xaf, 0, 0x11, 0x88), 4, 0),
      ]),
    );
    const body = Buffer.alloc(20_000, 1);
    body.set([0xaf, 1]);
    let sent = 0;
    let worst = 0;
    while (!bed.events.some(({ event }) => event === "live.viewerTooSlow") && sent < 1_500) {
      for (let n = 0; n < 10; n++) publisher.write(message(8, body, 4, ++sent * 21));
      await until("the healthy listener has all", () => healthy.tags.length === sent + 1);
      worst = Math.max(worst, stalled.waitingBytes());
    }
    expect(bed.events.filter(({ event }) => event === "live.viewerTooSlow").length).toBe(1);
    expect(worst).toBeLessThanOrEqual(4 << 20);
    expect(worst).toBeGreaterThan(3 << 20);
    stalled.socket.resume();
    expect(await until("the close frame is read", stalled.closeCode)).toBe(1013);
    stalled.socket.destroy();
    expect(healthy.closeCode).toBeUndefined();
    publisher.destroy();
  });

  test("a viewer that neither answers nor reads is let go after two looks", async () => {
    const clock = steppedClock();
    await using bed = await startIngestBed({ clock });
    const healthy = await new TestViewer(bed.webPort, "video").opened();
    const stalled = await stalledViewer(bed, "video");
    const closed = once(stalled.socket, "close");
    const answered = once(healthy.socket, "ping");
    clock.step(10_000);
    await answered;
    // The answer is written when the ping is read; a ping of our own comes back after it.
    healthy.socket.ping();
    await once(healthy.socket, "pong");
    clock.step(10_000);
    stalled.socket.resume();
    await closed;
    expect(healthy.closeCode).toBeUndefined();
    expect(bed.events.filter(({ event }) => event === "live.viewerLost").length).toBe(1);
  });

  test("HLS starts at the first request, combines picture and sound, plays in ffprobe, and stops when unasked", async () => {
    const clock = steppedClock();
    await using bed = await startIngestBed({ clock });
    expect(await bed.live.hlsFile(BOX, "index.m3u8")).toBeUndefined();
    await using _video = await running(publish(bed.rtmpPort, { seconds: 60 }));
    await using _audio = await running(publish(bed.rtmpPort, { kind: "audio", seconds: 60 }));
    const viewers = [new TestViewer(bed.webPort, "video"), new TestViewer(bed.webPort, "audio")];
    await until("both arrive", () => viewers.every((viewer) => viewer.tags.length > 2));
    expect(bed.events.some(({ event }) => event === "hls.started")).toBe(false);

    const master = await bed.live.hlsFile(BOX, "index.m3u8");
    expect(master?.contentType).toBe("application/vnd.apple.mpegurl");
    const masterText = new TextDecoder().decode(master!.body);
    expect(masterText).toContain("mp4a.40.2");
    expect(masterText).toContain("avc1.");
    const playlistName = masterText.split("\n").find((line) => line.endsWith(".m3u8"))!;
    const playlist = () =>
      bed.live.hlsFile(BOX, playlistName).then((file) => new TextDecoder().decode(file?.body ?? new Uint8Array(0)));
    const names = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const slid = await until(
      "the playlist slides",
      async () => {
        const text = await playlist();
        return names(text).length === 6 && !text.includes("MEDIA-SEQUENCE:0") ? text : undefined;
      },
      { withinMs: 30_000, everyMs: 200 },
    );
    expect(slid).toContain("#EXT-X-TARGETDURATION:2");

    const directory = await mkdtemp(join(tmpdir(), "dc-hls-"));
    try {
      await mkdir(directory, { recursive: true });
      const init = /#EXT-X-MAP:URI="([^"]+)"/.exec(slid)![1]!;
      for (const name of [init, ...names(slid)]) {
        const file = await bed.live.hlsFile(BOX, name);
        if (!file) throw new Error(`${name} is in the playlist and not there`);
        await writeFile(join(directory, name), file.body);
      }
      await writeFile(join(directory, "play.m3u8"), `${slid}\n#EXT-X-ENDLIST\n`);
      const options = ["-v", "error", "-allowed_extensions", "ALL", "-count_frames", "-of", "json"];
      const entries = ["-show_entries", "stream=codec_name,width,nb_read_frames:format=duration"];
      const { stdout, stderr } = await runChecked(["ffprobe", ...options, ...entries, join(directory, "play.m3u8")]);
      expect(stderr).toBe("");
      const probed = JSON.parse(stdout) as {
        streams: { codec_name: string; nb_read_frames: string }[];
        format: { duration: string };
      };
      const frames = Object.fromEntries(
        probed.streams.map(({ codec_name, nb_read_frames }) => [codec_name, Number(nb_read_frames)]),
      );
      const seconds = Number(probed.format.duration);
      expect(seconds).toBeGreaterThan(11);
      expect(frames.h264).toBe(Math.round(seconds * 25));
      expect(Math.abs(frames.aac! - (seconds * 48_000) / 1024)).toBeLessThan(4);
    } finally {
      await rm(directory, { recursive: true });
    }

    expect(await bed.live.hlsFile(BOX, "no-such-file.m4s")).toBeUndefined();
    for (let n = 0; n < 4; n++) {
      clock.step(10_000);
      const seen = viewers.map(({ tags }) => tags.length);
      await until("publishers and viewers go on", () => viewers.every(({ tags }, at) => tags.length > seen[at]! + 1));
    }
    expect(bed.events.at(-1)!.event).toBe("hls.stopped");
    expect(await bed.live.hlsFile(BOX, playlistName)).toBeUndefined();
  });
});

async function running(starting: ReturnType<typeof publish>) {
  const child = await starting;
  return { child, [Symbol.asyncDispose]: async () => void (await child.stop(2_000)) };
}

/** A viewer that keeps nothing: handmade pictures are told from the rest by their size. */
async function countingViewer(bed: IngestBed) {
  const socket = new WebSocket(`ws://127.0.0.1:${bed.webPort}/${BOX}/video`);
  let pictures = 0;
  socket.on("message", (data: Buffer) => (pictures += data.length > 20_000 ? 1 : 0));
  await once(socket, "open");
  return { socket, pictures: () => pictures };
}

/** A publisher of pictures of 20 kB that are none, each when it is told. */
async function handmadePictures(bed: IngestBed) {
  const name = liveStreamName({ box: BOX, kind: "video", run: "aaaaaaaa" });
  const socket = await send(bed.rtmpPort, Buffer.concat([handshake(), connectCommand(), publishCommand(name)]));
  const config = "1700000000014d401fffe1001a674d401feca05217f1126022000003000200000300641e30632c01000568ebe3cb20";
  socket.write(message(9, Buffer.from(config, "hex"), 5, 0));
  let sent = 0;
  return {
    socket,
    sent: () => sent,
    picture(key: boolean) {
      const body = Buffer.alloc(20_000, 1);
      body.set([key ? 0x17 : 0x27, 1, 0, 0, 0]);
      socket.write(message(9, body, 5, ++sent * 40));
    },
  };
}

/** A browser that stops reading after the handshake: a socket by hand, so that nothing reads for it. */
async function stalledViewer(bed: IngestBed, kind: "video" | "audio") {
  const sockets = new Set(bed.webSockets.clients);
  const socket: Socket = connect(bed.webPort, "127.0.0.1");
  socket.on("error", () => {});
  const request = [
    `GET /${BOX}/${kind} HTTP/1.1`,
    "Host: hub",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  ];
  socket.write(`${request.join("\r\n")}\r\n\r\n`);
  const server = await until("the viewer is known", () =>
    [...bed.webSockets.clients].find((each) => !sockets.has(each)),
  );
  const received: Buffer[] = [];
  socket.on("data", (data: Buffer) => received.push(data));
  socket.pause();
  const frames = () => readFrames(Buffer.concat(received));
  return {
    socket,
    waitingBytes: () => server.bufferedAmount,
    tags: () =>
      frames()
        .filter(({ opcode, payload }) => opcode === 2 && payload.length > 13)
        .map(({ payload }) => ({
          type: payload[0]!,
          timestampMs: payload.readUIntBE(4, 3),
          body: payload.subarray(11, -4),
        })),
    /** What was sent before has been read here. */
    async caughtUp() {
      const pings = () => frames().filter(({ opcode }) => opcode === 9).length;
      const before = pings();
      server.ping();
      await until("the backlog is read", () => pings() > before);
    },
    closeCode: () =>
      frames()
        .find(({ opcode }) => opcode === 8)
        ?.payload.readUInt16BE(0),
  };
}

/** Whole WebSocket frames of a server (RFC 6455, 5.2), behind the HTTP answer. */
function readFrames(bytes: Buffer): { opcode: number; payload: Buffer }[] {
  const frames = [];
  let at = bytes.indexOf("\r\n\r\n") + 4;
  while (at + 2 <= bytes.length) {
    const short = bytes[at + 1]! & 127;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (at + 2 + lengthBytes > bytes.length) break;
    const length =
      lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
    const start = at + 2 + lengthBytes;
    if (start + length > bytes.length) break;
    frames.push({ opcode: bytes[at]! & 15, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}
