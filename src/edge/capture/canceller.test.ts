import { describe, expect, it } from "vitest";
import { parseLiveSound, planFeed } from "./canceller.ts";

const sources = (...names: string[]) => names.map((name, i) => `${i}\t${name}\tPipeWire\ts16le\tIDLE`).join("\n");

describe("live sound", () => {
  it("is there with our configuration, and free of echo while the canceller's own sink is there", () => {
    const usb = "alsa_input.usb-Jabra";
    expect(parseLiveSound(sources(usb))).toEqual({ address: undefined, cancelling: false });
    expect(parseLiveSound(sources(usb, "diem-cau-live.monitor"))).toEqual({
      address: "diem-cau-live.monitor",
      cancelling: false,
    });
    expect(parseLiveSound(sources(usb, "diem-cau-live.monitor", "diem-cau-loudspeaker.monitor")).cancelling).toBe(true);
  });

  it("comes straight from the microphone while there is no canceller, once and no longer", () => {
    const fed = "536870913\tmodule-loopback\tsource=usb sink=diem-cau-live latency_msec=20\n";
    const other = "536870914\tmodule-loopback\tsource=usb sink=headphones\n";
    expect(planFeed(false, other)).toEqual([{ kind: "load" }]);
    expect(planFeed(false, other + fed)).toEqual([]);
    expect(planFeed(true, other + fed)).toEqual([{ kind: "unload", module: "536870913" }]);
    expect(planFeed(true, other)).toEqual([]);
  });
});
