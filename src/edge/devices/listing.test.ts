import { describe, expect, it } from "vitest";
import { nodesOf } from "./listing.ts";

describe("what is watched while it records", () => {
  it("is the camera's node and the sound card, also behind a sound server; what has no file is missed by its sound", () => {
    const camera = { address: "/dev/video2", name: "C920" };
    expect(nodesOf({ camera, microphone: { address: "alsa_input.usb-C920", name: "C920 mic", card: "C920" } })).toEqual(
      [
        { device: "C920", node: "/dev/video2" },
        { device: "C920 mic", node: "/proc/asound/C920" },
      ],
    );
    expect(nodesOf({ camera: undefined, microphone: { address: "network", name: "Line" } })).toEqual([]);
  });
});
