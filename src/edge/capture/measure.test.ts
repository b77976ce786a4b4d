import { describe, expect, it } from "vitest";
import { Measurements } from "./measure.ts";

const picture = (max: number, mean: number, saturation = 40) => [
  "frame:25   pts:25      pts_time:1",
  `lavfi.signalstats.YMAX=${max}`,
  `lavfi.signalstats.YAVG=${mean}`,
  "lavfi.signalstats.UAVG=120.5",
  "lavfi.signalstats.VAVG=130.1",
  `lavfi.signalstats.SATAVG=${saturation}`,
  "lavfi.signalstats.YDIF=0.2",
];
const sound = (rms: string, peak: string) => [
  "frame:19   pts:18240   pts_time:0.38",
  `lavfi.astats.Overall.Peak_level=${peak}`,
  `lavfi.astats.Overall.RMS_level=${rms}`,
];

describe("progress", () => {
  it("is read block by block, also when a block comes in two halves", () => {
    const m = new Measurements();
    m.addProgress(["frame=10", "fps=25.00", "out_time_us=400000", "dup_frames=1"], 0);
    expect(m.progress).toBeUndefined();
    m.addProgress(["drop_frames=2", "speed=1.01x", "progress=continue", "frame=20"], 0);
    expect(m.progress).toEqual({
      frame: 10,
      fps: 25,
      droppedFrames: 2,
      duplicatedFrames: 1,
      speed: 0,
      outTimeMs: 400,
      ended: false,
    });
  });

  it("reads N/A as nothing", () => {
    const m = new Measurements();
    m.addProgress(["frame=0", "fps=0.00", "out_time_us=N/A", "speed=N/A", "progress=end"], 0);
    expect(m.progress).toMatchObject({ frame: 0, outTimeMs: 0, speed: 0, ended: true });
  });

  it("tells the speed of the last seconds, whatever the start was like", () => {
    const m = new Measurements();
    const at = (s: number, outS: number) =>
      m.addProgress([`out_time_us=${outS * 1e6}`, "progress=continue"], s * 1_000);
    for (let s = 0; s <= 7; s++) at(s, Math.max(0, s - 3));
    expect(m.progress?.speed).toBe(0);
    for (let s = 8; s <= 20; s++) at(s, s - 3);
    expect(m.progress?.speed).toBeCloseTo(1);
    for (let s = 21; s <= 30; s++) at(s, 17 + (s - 20) / 2);
    expect(m.progress?.speed).toBeCloseTo(0.5);
  });
});

describe("picture", () => {
  it("is black when neither mean nor maximum have light", () => {
    const m = new Measurements();
    m.addPicture(picture(200, 20), 0);
    expect(m.picture()).toBe("ok");
    m.addPicture(picture(30, 17), 1_000);
    expect(m.picture()).toBe("black");
  });

  it("is frozen after eight seconds without the least change", () => {
    const m = new Measurements();
    for (let s = 0; s < 8; s++) m.addPicture(picture(200, 100), s * 1_000);
    expect(m.picture()).toBe("ok");
    m.addPicture(picture(200, 100), 8_000);
    expect(m.picture()).toBe("frozen");
    m.addPicture(picture(200, 100, 40.001), 9_000);
    expect(m.picture()).toBe("ok");
  });
});

describe("sound", () => {
  it("is silent after eight seconds below -60 LUFS, and digital silence has no level", () => {
    const m = new Measurements();
    for (let i = 0; i < 40; i++) m.addSound(sound("-inf", "-inf"), i * 200);
    expect(m.sound()).toEqual({ state: "silent", levelLufs: null, speech: false });
    m.addSound([...sound("-30.0", "-12"), ...sound("-30.0", "-12")], 8_400);
    expect(m.sound().state).toBe("ok");
    expect(m.sound().levelLufs).toBeCloseTo(-30.691);
  });

  it("clips when full scale is reached again and again", () => {
    const m = new Measurements();
    m.addSound([...sound("-10", "0.0"), ...sound("-10", "-0.05"), ...sound("-10", "0.0")], 0);
    expect(m.sound().state).toBe("ok");
    m.addSound(sound("-10", "0.0"), 800);
    expect(m.sound().state).toBe("clipping");
  });

  it("is speech when it is loud and has pauses, and for thirty seconds after", () => {
    const hum = new Measurements();
    for (let i = 0; i < 60; i++) hum.addSound(sound("-30", "-20"), i * 200);
    expect(hum.sound().speech).toBe(false);
    const talk = new Measurements();
    for (let i = 0; i < 60; i++) talk.addSound(sound(i % 8 < 2 ? "-58" : "-25", "-12"), i * 200);
    expect(talk.sound().speech).toBe(true);
    talk.addSound(sound("-58", "-50"), 50_000);
    expect(talk.sound().speech).toBe(false);
  });

  it("tells each 200 ms how loud the last 400 ms were, and whether that stands out as speech", () => {
    const m = new Measurements();
    expect(m.level()).toBeUndefined();
    for (let i = 0; i < 10; i++) m.addSound(sound("-60", "-50"), i * 200);
    expect(m.level()).toEqual({ lufs: expect.closeTo(-60.691), speech: false, count: 10 });
    m.addSound(sound("-20", "-8"), 2_000);
    expect(m.level()).toEqual({ lufs: expect.closeTo(-23.7, 1), speech: true, count: 11 });
    for (let i = 0; i < 200; i++) m.addSound(sound("-30", "-20"), 2_200 + i * 200);
    expect(m.level()).toMatchObject({ speech: false });
    m.addSound(sound("-inf", "-inf"), 50_000);
    m.addSound(sound("-inf", "-inf"), 50_200);
    expect(m.level()).toMatchObject({ lufs: null, speech: false });
  });
});
