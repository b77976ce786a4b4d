import { describe, expect, it } from "vitest";
import {
  chooseDevices,
  chooseMode,
  nodesOf,
  parseAlsaCapture,
  parseCameraModes,
  parsePulseSources,
  type Camera,
  type Microphone,
} from "./devices.ts";

const FORMATS = `ioctl: VIDIOC_ENUM_FMT
	Type: Video Capture

	[0]: 'YUYV' (YUYV 4:2:2)
		Size: Discrete 640x480
			Interval: Discrete 0.033s (30.000 fps)
		Size: Discrete 1280x720
			Interval: Discrete 0.100s (10.000 fps)
	[1]: 'MJPG' (Motion-JPEG, compressed)
		Size: Discrete 1280x720
			Interval: Discrete 0.017s (60.000 fps)
			Interval: Discrete 0.033s (30.000 fps)
		Size: Discrete 1920x1080
			Interval: Discrete 0.033s (30.000 fps)
`;
const CARDS = ` 0 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7f10000 irq 31
 1 [C920           ]: USB-Audio - HD Pro Webcam C920
                      HD Pro Webcam C920 at usb-0000:00:14.0-1, high speed
`;
const PCM = `00-00: ALC887-VD Analog : ALC887-VD Analog : playback 1 : capture 1
00-03: HDMI 0 : HDMI 0 : playback 1
01-00: USB Audio : USB Audio : capture 1
`;

describe("what is plugged in", () => {
  it("camera modes are read from v4l2-ctl", () => {
    const modes = parseCameraModes(FORMATS);
    expect(modes).toHaveLength(5);
    expect(modes[1]).toEqual({ fourcc: "YUYV", width: 1280, height: 720, frameRate: 10 });
  });

  it("capture devices of ALSA are addressed by card name; playback devices are left out", () => {
    expect(parseAlsaCapture(CARDS, PCM)).toEqual([
      { kind: "alsa", address: "plughw:CARD=PCH,DEV=0", name: "HDA Intel PCH (ALC887-VD Analog)" },
      { kind: "alsa", address: "plughw:CARD=C920,DEV=0", name: "HD Pro Webcam C920 (USB Audio)" },
    ]);
    expect(parseAlsaCapture("", "")).toEqual([]);
  });

  it("monitors of loudspeakers are no microphones", () => {
    const text = "1\talsa_output.pci.monitor\tm\ts16le\tIDLE\n2\talsa_input.usb-Jabra_SPEAK_510\tm\ts16le\tIDLE\n";
    expect(parsePulseSources(text)).toEqual([
      { kind: "pulse", address: "alsa_input.usb-Jabra_SPEAK_510", name: "usb-Jabra SPEAK 510" },
    ]);
  });
});

describe("what is watched while it records", () => {
  it("is the camera's node and the sound card; what has no file is missed by its sound", () => {
    const camera = { kind: "camera" as const, path: "/dev/video2", name: "C920", mode: undefined };
    const alsa = { kind: "alsa" as const, address: "plughw:CARD=C920,DEV=0", name: "C920 (USB Audio)" };
    expect(nodesOf({ picture: camera, sound: alsa, words: "" })).toEqual([
      { device: "C920", node: "/dev/video2" },
      { device: "C920 (USB Audio)", node: "/proc/asound/C920" },
    ]);
    const pulse = { kind: "pulse" as const, address: "alsa_input.usb-Jabra", name: "Jabra" };
    expect(nodesOf({ picture: { kind: "slate" }, sound: pulse, words: "" })).toEqual([]);
  });
});

describe("choice", () => {
  const camera = (path: string, name: string): Camera => ({ path, name, modes: [] });
  const microphone = (address: string, name: string): Microphone => ({ kind: "alsa", address, name });
  const devices = {
    cameras: [camera("/dev/video0", "OBS Virtual Camera"), camera("/dev/video2", "HD Pro Webcam C920")],
    microphones: [
      microphone("plughw:CARD=PCH,DEV=0", "HDA Intel PCH"),
      microphone("plughw:CARD=C920,DEV=0", "HD Pro Webcam C920 (USB Audio)"),
      microphone("plughw:CARD=USB,DEV=0", "Jabra SPEAK 510 USB"),
    ],
  };

  it("by itself takes the real camera and the speakerphone", () => {
    const { camera, microphone } = chooseDevices(devices);
    expect(camera?.path).toBe("/dev/video2");
    expect(microphone?.address).toBe("plughw:CARD=USB,DEV=0");
  });

  it("takes what is wanted by part of its name or by address, and nothing in its place", () => {
    const wanted = chooseDevices(devices, { camera: "obs", microphone: "plughw:CARD=PCH,DEV=0" });
    expect(wanted.camera?.path).toBe("/dev/video0");
    expect(wanted.microphone?.name).toBe("HDA Intel PCH");
    expect(chooseDevices(devices, { camera: "BRIO" }).camera).toBeUndefined();
  });

  it("finds nothing where nothing is", () => {
    expect(chooseDevices({ cameras: [], microphones: [] })).toEqual({ camera: undefined, microphone: undefined });
  });

  it("prefers a mode that is fast enough over one of the exact size, and the slowest that is", () => {
    const want = { width: 1280, height: 720, frameRate: 25 };
    expect(chooseMode(parseCameraModes(FORMATS), want)).toMatchObject({ fourcc: "MJPG", width: 1280, frameRate: 30 });
    expect(chooseMode([], want)).toBeUndefined();
  });
});
