import { describe, expect, it } from "vitest";
import { chooseMode, givesPictures, parseCameraModes, planControls } from "./v4l.ts";

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
const want = { width: 1280, height: 720, frameRate: 25 };
const mode = (fourcc: string, width: number, height: number, frameRate: number) => ({
  ...{ fourcc, width, height, frameRate },
});

describe("a camera's mode", () => {
  it("is read from v4l2-ctl", () => {
    const modes = parseCameraModes(FORMATS);
    expect(modes).toHaveLength(5);
    expect(modes[1]).toEqual(mode("YUYV", 1280, 720, 10));
  });

  it("of vivid (Linux 6.12) is one that FFmpeg can be asked for, at 25 frames a second", () => {
    const text = `	[7]: 'NV12' (Y/UV 4:2:0, csc-colorspace, csc-ycbcr, csc-quantization, csc-xfer-func)
		Size: Discrete 1280x720
			Interval: Discrete 0.040s (25.000 fps)
			Interval: Discrete 0.033s (30.000 fps)
	[26]: 'Y16 ' (16-bit Greyscale, csc-colorspace, csc-xfer-func)
		Size: Discrete 1280x720
			Interval: Discrete 0.040s (25.000 fps)
	[27]: 'Y16 -BE' (16-bit Greyscale BE, csc-colorspace, csc-xfer-func)
		Size: Discrete 320x180
			Interval: Discrete 0.040s (25.000 fps)
`;
    const modes = parseCameraModes(text);
    expect(modes.map(({ fourcc }) => fourcc)).toEqual(["NV12", "NV12", "Y16 ", "Y16 -BE"]);
    expect(chooseMode(modes, want)).toEqual(mode("NV12", 1280, 720, 25));
  });

  it("of cameras that scale in steps is one of the usual sizes that they reach", () => {
    const text = `	[0]: 'YUYV' (YUYV 4:2:2)
		Size: Stepwise 32x32 - 1640x1232 with step 2/2
			Interval: Stepwise 0.011s - 1.000s with step 0.000s (1.000-90.000 fps)
	[1]: 'H264' (H.264, compressed)
		Size: Continuous 32x32 - 1920x1080
			Interval: Discrete 0.033s (30.000 fps)
`;
    expect(parseCameraModes(text).map(({ fourcc, width }) => [fourcc, width])).toEqual([
      ["YUYV", 1280],
      ["YUYV", 640],
      ["H264", 1920],
      ["H264", 1280],
      ["H264", 640],
    ]);
  });

  it("is fast enough before it is of the exact size, and the slowest that is", () => {
    expect(chooseMode(parseCameraModes(FORMATS), want)).toEqual(mode("MJPG", 1280, 720, 30));
    const both = [mode("MJPG", 1280, 720, 30), mode("MJPG", 1280, 720, 25)];
    expect(chooseMode(both, want)?.frameRate).toBe(25);
    expect(chooseMode([], want)).toBeUndefined();
  });

  it("is a camera's own H.264 only where nothing else is big and fast enough", () => {
    const small = mode("YUYV", 640, 480, 30);
    expect(chooseMode([mode("H264", 1280, 720, 30), mode("MJPG", 1920, 1080, 30)], want)?.fourcc).toBe("MJPG");
    expect(chooseMode([mode("H264", 1280, 720, 30), mode("MJPG", 3840, 2160, 30)], want)?.fourcc).toBe("H264");
    expect(chooseMode([mode("H264", 1280, 720, 30), small], want)?.fourcc).toBe("H264");
    expect(chooseMode([mode("GREY", 1280, 720, 30), small], want)).toBe(small);
  });
});

describe("a camera's nodes and controls", () => {
  const uvc = (caps: string) =>
    `Driver Info:\n\tDriver name      : uvcvideo\n\tCapabilities     : 0x84a00001\n\tDevice Caps      : ${caps}\n`;

  it("the node that gives pictures is told from the one that gives data about them", () => {
    expect(givesPictures(uvc("0x04200001"))).toBe(true);
    expect(givesPictures(uvc("0x04a00000"))).toBe(false);
    expect(givesPictures("")).toBe(false);
  });

  it("lamps on the 50 Hz mains and steady frames in the dark are asked for, where they can be and are not yet", () => {
    const controls = `
User Controls

                     brightness 0x00980900 (int)    : min=0 max=255 step=1 default=128 value=128
           power_line_frequency 0x00980918 (menu)   : min=0 max=2 default=2 value=2 (60 Hz)

Camera Controls

                  auto_exposure 0x009a0901 (menu)   : min=0 max=3 default=3 value=3 (Aperture Priority Mode)
     exposure_dynamic_framerate 0x009a0903 (bool)   : default=0 value=1
`;
    expect(planControls(controls)).toBe("power_line_frequency=1,exposure_dynamic_framerate=0");
    expect(planControls(controls.replace("value=2 (60 Hz)", "value=1 (50 Hz)").replace("value=1\n", "value=0\n"))).toBe(
      "",
    );
    expect(planControls(controls.replace("value=1\n", "value=1 flags=inactive\n"))).toBe("power_line_frequency=1");
    expect(planControls("")).toBe("");
  });
});
