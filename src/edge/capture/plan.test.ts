import { describe, expect, it } from "vitest";
import { CaptureConfig, qualityFor } from "./config.ts";
import { planEncoder, runPaths, type PlanInput } from "./plan.ts";
import { Avoided, chooseSource, parseFileFacts } from "./source.ts";

const virtual: PlanInput = {
  ffmpeg: "ffmpeg",
  source: { picture: { kind: "virtual" }, sound: { kind: "virtual" }, words: "virtual room: A" },
  quality: qualityFor({ record: "auto", live: "auto" }, 2),
  paths: runPaths("/run/x"),
  recordTo: "/data/take",
  liveUrl: {
    video: "rtmp://127.0.0.1:9/live/v",
    small: "rtmp://127.0.0.1:9/live/s",
    audio: "rtmp://127.0.0.1:9/live/a",
  },
  ownPicture: "/run/own.jpg",
};
const outputs = (argv: string[]) => argv.flatMap((word, i) => (word === "-f" ? [argv[i + 1]!] : []));
const after = (argv: string[], option: string) => argv[argv.indexOf(option) + 1];

describe("encoder plan", () => {
  it("of a virtual room that records is this command line", () => {
    expect(planEncoder(virtual).join(" ")).toMatchSnapshot();
  });

  it("of a preview has no record, and unpaired no publish either", () => {
    expect(outputs(planEncoder({ ...virtual, recordTo: null }))).toEqual([
      ...["rawvideo", "s16le", "fifo", "fifo", "fifo", "image2", "null"],
    ]);
    const unpaired = planEncoder({ ...virtual, recordTo: null, liveUrl: null });
    expect(outputs(unpaired)).toEqual(["rawvideo", "s16le", "image2", "null"]);
    expect(after(unpaired, "-filter_complex")).not.toContain("[live");
  });

  it("writes the record before all other outputs", () => {
    expect(outputs(planEncoder(virtual))[2]).toBe("segment");
  });

  it("takes devices at their own size and brings them to the record's, with sound aligned to the camera's clock", () => {
    const argv = planEncoder({
      ...virtual,
      source: {
        picture: {
          kind: "camera",
          path: "/dev/video2",
          name: "C920",
          mode: { fourcc: "MJPG", width: 1920, height: 1080, frameRate: 30 },
        },
        sound: { kind: "alsa", address: "plughw:CARD=C920,DEV=0", name: "C920" },
        words: "C920",
      },
    });
    expect(argv.join(" ")).toContain(
      "-f v4l2 -ts abs -input_format mjpeg -video_size 1920x1080 -framerate 30 -i /dev/video2",
    );
    expect(argv.join(" ")).toContain(
      "-isync 0 -thread_queue_size 1024 -f alsa -sample_rate 48000 -i plughw:CARD=C920,DEV=0",
    );
    expect(argv.join(" ")).toContain("-fps_mode cfr -r 25");
  });

  it("opens a file once for picture and sound", () => {
    const file = { kind: "file" as const, path: "/film.mp4" };
    const argv = planEncoder({ ...virtual, source: { picture: file, sound: file, words: "film" } });
    expect(argv.filter((word) => word === "-i")).toHaveLength(1);
    expect(after(argv, "-filter_complex")).toContain("[0:a:0]");
  });
});

describe("source", () => {
  const quality = virtual.quality;
  const none = { cameras: [], microphones: [] };
  const file = { picture: false, sound: false };

  it("without camera and microphone is a slate with silence", () => {
    expect(chooseSource({ kind: "auto" }, quality, { devices: none, file })).toEqual({
      picture: { kind: "slate" },
      sound: { kind: "silence" },
      words: "no camera; no microphone",
    });
  });

  it("leaves out a device that FFmpeg could not open, for a while, and forgives it when it is plugged in again", () => {
    const avoided = new Avoided();
    const devices = {
      cameras: [],
      microphones: [{ kind: "alsa" as const, address: "plughw:CARD=X,DEV=0", name: "X" }],
    };
    const source = chooseSource({ kind: "auto" }, quality, { devices, file });
    avoided.note(source, "cannot open audio device plughw:CARD=X,DEV=0 (Device or resource busy)", 0);
    expect(avoided.usable(devices, 59_000).microphones).toEqual([]);
    expect(avoided.usable(devices, 60_000).microphones).toHaveLength(1);
    avoided.note(source, "plughw:CARD=X,DEV=0: busy", 60_000);
    expect(avoided.usable(devices, 179_000).microphones).toEqual([]);
    avoided.usable(none, 179_000);
    expect(avoided.usable(devices, 179_001).microphones).toHaveLength(1);
  });

  it("of a film is what FFmpeg finds in it", () => {
    const words = "  Stream #0:0[0x1](und): Video: h264 (High)\n  Stream #0:1: Audio: aac (LC)\n";
    expect(parseFileFacts(words)).toEqual({ picture: true, sound: true });
    expect(parseFileFacts("nothing.mp4: No such file or directory")).toEqual({ picture: false, sound: false });
  });
});

describe("configuration", () => {
  it("needs nothing, and refuses what it does not know", () => {
    expect(CaptureConfig.parse({})).toEqual({ source: { kind: "auto" }, record: "auto", live: "auto" });
    expect(CaptureConfig.safeParse({ source: { kind: "virtual", colour: "red" } }).success).toBe(false);
    expect(CaptureConfig.safeParse({ record: { width: 1281 } }).success).toBe(false);
  });

  it("gives two cores a small live picture", () => {
    expect(qualityFor({ record: "auto", live: "auto" }, 2).live).toEqual({ width: 640, height: 360, bitrateKbps: 400 });
    expect(qualityFor({ record: "auto", live: "auto" }, 4).live.width).toBe(1280);
  });
});
