import { describe, expect, it } from "vitest";
import { CaptureConfig, qualityFor } from "./config.ts";
import { planEncoder, runPaths, type PlanInput } from "./plan.ts";
import { Avoided, chooseSource, gainOf, parseFileFacts } from "./source.ts";

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
  share: null,
};
const outputs = (argv: string[]) => argv.flatMap((word, i) => (word === "-f" ? [argv[i + 1]!] : []));
const after = (argv: string[], option: string) => argv[argv.indexOf(option) + 1];

/** What FFmpeg is asked to do with a screen, and with a room that shares. */
it("a screen is recorded alone: nothing of it is live, and nobody looks at its own picture", () => {
  const argv = planEncoder({
    ...{ ...virtual, liveUrl: null, ownPicture: null },
    source: {
      picture: { kind: "screen", display: ":0" },
      sound: { kind: "pulse", address: "tv.monitor", name: "tv" },
      words: "",
    },
  });
  expect(outputs(argv)).toEqual(["x11grab", "pulse", "segment", "null"]);
  expect(argv.slice(argv.indexOf("x11grab")).slice(0, 7)).toEqual([
    "x11grab",
    "-draw_mouse",
    "0",
    "-framerate",
    "25",
    "-i",
    ":0",
  ]);
  expect(after(argv, "-filter_complex")).not.toMatch(/split=[01]\b|\[own|\[small0/);
});

it("picture and sound go to another program of the box too, in a preview and in a recording", () => {
  const share = { picture: "unix:/run/companion/picture", sound: "unix:/run/companion/sound" };
  const forms = (argv: string[]) => argv.filter((_, i) => argv[i - 1] === "-fifo_format");
  for (const recordTo of [null, virtual.recordTo]) {
    const argv = planEncoder({ ...virtual, recordTo, share });
    expect(forms(argv)).toEqual(["flv", "flv", "flv", "mpjpeg", "s16le"]);
    expect(argv.indexOf(share.picture)).toBeGreaterThan(argv.indexOf("segment"));
    expect(argv).toContain(share.sound);
  }
});

describe("encoder plan", () => {
  it("of a virtual room that records is this command line", () => {
    expect(planEncoder(virtual).join(" ")).toMatchSnapshot();
  });

  it("of a preview has no record, and unpaired no publish either", () => {
    expect(outputs(planEncoder({ ...virtual, recordTo: null }))).toEqual([
      ...["rawvideo", "wav", "fifo", "fifo", "fifo", "image2", "null"],
    ]);
    const unpaired = planEncoder({ ...virtual, recordTo: null, liveUrl: null });
    expect(outputs(unpaired)).toEqual(["rawvideo", "wav", "image2", "null"]);
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

  it("asks PulseAudio for 10 ms at a time: its own 50 ms would be heard in the talk", () => {
    const argv = planEncoder({
      ...virtual,
      source: { ...virtual.source, sound: { kind: "pulse", address: "source", name: "Microphone" } },
    });
    expect(argv.join(" ")).toContain("-f pulse -sample_rate 48000 -fragment_size 1920 -i source");
  });

  it("the talk's sound is in frames of 10.7 ms, and neither live time line is moved by what AAC begins with", () => {
    const argv = planEncoder(virtual).join(" ");
    expect(argv).toContain("-c:a aac -ar 96000 -b:a 56k");
    expect(argv.split("-output_ts_offset 1").length - 1).toBe(3);
  });

  it("records the microphone itself, and sends what the canceller gives in its place", () => {
    const sound = { kind: "pulse" as const, address: "alsa_input.usb-Jabra", name: "Jabra" };
    const camera = { kind: "camera" as const, path: "/dev/video0", name: "C920", mode: undefined };
    const source = { picture: camera, sound, liveSound: "diem-cau-live.monitor", words: "" };
    const argv = planEncoder({ ...virtual, source });
    const graph = after(argv, "-filter_complex")!.split(";");
    expect(argv.flatMap((word, i) => (word === "-i" ? [argv[i + 1]] : []))).toEqual([
      ...["/dev/video0", "alsa_input.usb-Jabra", "diem-cau-live.monitor"],
    ]);
    // Both are placed on the camera's clock.
    expect(argv.filter((word) => word === "-isync")).toHaveLength(2);
    expect(graph.find((part) => part.startsWith("[1:a:0]"))).toMatch(/asplit=2\[recordSound\]\[listen0\]$/);
    expect(graph.find((part) => part.startsWith("[2:a:0]"))).toMatch(/\[room\]$/);
    expect(graph.find((part) => part.startsWith("[room]"))).toMatch(/\[liveSound\]$/);
    const unpaired = planEncoder({ ...virtual, source, liveUrl: null });
    expect(unpaired).not.toContain("diem-cau-live.monitor");
  });

  it("levels what a microphone sends live, never what is recorded", () => {
    const sound = { kind: "alsa" as const, address: "plughw:CARD=C920,DEV=0", name: "C920" };
    const graph = after(planEncoder({ ...virtual, source: { ...virtual.source, sound } }), "-filter_complex")!.split(
      ";",
    );
    expect(graph.filter((part) => part.includes("compand"))).toEqual([
      expect.stringMatching(/^\[room\].*\[liveSound\]$/),
    ]);
    expect(after(planEncoder(virtual), "-filter_complex")).not.toContain("compand");
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
    expect(chooseSource({ kind: "auto" }, quality, { devices: {}, file })).toEqual({
      picture: { kind: "slate" },
      sound: { kind: "silence" },
      words: "no camera; no microphone",
    });
  });

  it("leaves out a device that FFmpeg could not open, for a while, and forgives it when it is plugged in again", () => {
    const avoided = new Avoided();
    const devices = {
      cameras: [],
      microphones: [{ id: "x", kind: "alsa" as const, address: "plughw:CARD=X,DEV=0", name: "X" }],
    };
    const [microphone] = devices.microphones;
    const source = chooseSource({ kind: "auto" }, quality, { devices: { microphone }, file });
    avoided.note(source, "cannot open audio device plughw:CARD=X,DEV=0 (Device or resource busy)", 0);
    expect(avoided.usable(devices, 59_000).microphones).toEqual([]);
    expect(avoided.usable(devices, 60_000).microphones).toHaveLength(1);
    avoided.note(source, "plughw:CARD=X,DEV=0: busy", 60_000);
    expect(avoided.usable(devices, 179_000).microphones).toEqual([]);
    avoided.usable(none, 179_000);
    expect(avoided.usable(devices, 179_001).microphones).toHaveLength(1);
  });

  it("has the canceller's sound only beside a microphone of PipeWire, and goes on without it where it cannot be opened", () => {
    const pulse = { id: "usb:x", kind: "pulse" as const, address: "alsa_input.usb-Jabra", name: "Jabra" };
    const devices = { cameras: [], microphones: [pulse], liveSound: "diem-cau-live.monitor" };
    const { liveSound } = devices;
    const source = chooseSource({ kind: "auto" }, quality, { devices: { microphone: pulse, liveSound }, file });
    expect(source.liveSound).toBe("diem-cau-live.monitor");
    const avoided = new Avoided();
    avoided.note(source, "diem-cau-live.monitor: Input/output error", 0);
    expect(avoided.usable(devices, 1)).toEqual({ cameras: [], microphones: [pulse] });
    const alsa = { ...pulse, kind: "alsa" as const };
    expect(chooseSource({ kind: "auto" }, quality, { devices: { microphone: alsa, liveSound }, file }).liveSound).toBe(
      undefined,
    );
  });

  it("with a better device is worth a new take: at once for what is missing, else when a segment ends", () => {
    const microphone = (id: string) => ({ id, kind: "alsa" as const, address: id, name: id });
    const camera = (id: string) => ({ id, address: `/dev/${id}`, name: id, modes: [] });
    const from = (camera1?: string, microphone1?: string) =>
      chooseSource({ kind: "auto" }, quality, {
        devices: {
          camera: camera1 === undefined ? undefined : camera(camera1),
          microphone: microphone1 === undefined ? undefined : microphone(microphone1),
        },
        file,
      });
    const all = new Set(["c1", "c2", "m1", "m2"]);
    const steady = () => true;
    expect(gainOf(from("c2", "m1"), from("c1", "m1"), all, steady)).toBe("atBorder");
    expect(gainOf(from(undefined, "m2"), from("c1", "m1"), all, steady)).toBe("now");
    expect(gainOf(from("c1", "m1"), from("c1", "m1"), all, steady)).toBeUndefined();
    // A camera that is not listed any more is missed by its node, and a failed listing is no reason at all.
    expect(gainOf(from("c2", "m1"), from("c1", "m1"), new Set(["c1"]), steady)).toBeUndefined();
    expect(gainOf(from("c2", "m1"), from(), new Set(), steady)).toBeUndefined();
    // A plug that was put in just now may come out again.
    expect(gainOf(from("c2"), from("c1"), all, () => false)).toBeUndefined();
    expect(gainOf(from(), from("c1"), all, () => false)).toBeUndefined();
  });

  it("is stamped by the wall clock, by the camera's driver or, where that has none, as it arrives", () => {
    const camera = { kind: "camera" as const, path: "/dev/video0", name: "C", mode: undefined };
    const argvOf = (picture: typeof camera & { stamps?: "arrival" }) =>
      planEncoder({ ...virtual, source: { picture, sound: { kind: "silence" }, words: "" } });
    expect(after(argvOf(camera), "-ts")).toBe("abs");
    const arriving = argvOf({ ...camera, stamps: "arrival" });
    expect([arriving.includes("-ts"), after(arriving, "-use_wallclock_as_timestamps")]).toEqual([false, "1"]);
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
