import { describe, expect, it } from "vitest";
import { findAgain, identityOf, idText, portOf, usbFolder } from "./identity.ts";

const USB = "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.3/1-2.3:1.0";
const facts = (serial: string) => ({ idVendor: "046d", idProduct: "0825", serial });
const id = (serial: string, path = USB) => idText(identityOf(path, facts(serial), ""));

describe("who a device is", () => {
  it("by USB: model, serial, controller and ports, interface", () => {
    expect(usbFolder(USB)).toBe("/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.3");
    expect(id("8A2F3D50")).toBe("usb:046d:0825:8A2F3D50@0000:00:14.0/2.3#1.0");
    expect(portOf(id("8A2F3D50"))).toBe("2.3");
  });

  it("the number of the bus, which is another one after each boot, is no part of it", () => {
    expect(id("", USB.replace("usb1", "usb3").replaceAll("/1-", "/3-"))).toBe(id(""));
  });

  it("a serial that every piece has tells nothing", () => {
    for (const serial of ["", "0", "00000001", "SN0001", "123456789", "0123456789ABCDEF", "11111111", " "])
      expect(id(serial)).toBe("usb:046d:0825@0000:00:14.0/2.3#1.0");
    expect(id("A B@C#")).toBe("usb:046d:0825:A_B_C_@0000:00:14.0/2.3#1.0");
  });

  it("a sound card of USB as Linux 6.12 shows it; a serial that is made of the socket is none", () => {
    const path = "/sys/devices/pci0000:00/0000:00:03.0/usb1/1-1/1-1:1.0/sound/card1";
    const usb = { idVendor: "46f4", idProduct: "0002", serial: "1-0000:00:03.0-1" };
    expect(usbFolder(path)).toBe("/sys/devices/pci0000:00/0000:00:03.0/usb1/1-1");
    expect(idText(identityOf(path, usb, ""))).toBe("usb:46f4:0002@0000:00:03.0/1#1.0");
    expect(idText(identityOf(path, usb, "1"))).toBe("usb:46f4:0002@0000:00:03.0/1#1.0:1");
    const loopback = identityOf("/sys/devices/platform/snd_aloop.0/sound/card0", undefined, "1");
    expect(idText(loopback)).toBe("at:platform/snd_aloop.0#1");
  });

  it("without USB: where it is, and its name there", () => {
    const made = identityOf("/sys/devices/platform/vivid.0/video4linux/video0", undefined, "vivid-000-vid-cap");
    expect(idText(made)).toBe("at:platform/vivid.0#vivid-000-vid-cap");
    expect(usbFolder("/sys/devices/platform/vivid.0")).toBeUndefined();
    expect(portOf(idText(made))).toBeUndefined();
    const soldered = identityOf("/sys/devices/pci0000:00/0000:00:1f.3", undefined, "0");
    expect(idText(soldered)).toBe("at:0000:00:1f.3#0");
  });
});

describe("known again", () => {
  const elsewhere = USB.replaceAll("1-2.3", "1-4");
  it("a camera with a serial, wherever it is plugged in", () => {
    expect(findAgain([id("8A2F3D50")], [id("77777778", elsewhere), id("8A2F3D50", elsewhere)])).toEqual([1]);
  });

  it("another piece of the same model is another camera, even in the same place", () => {
    expect(findAgain([id("8A2F3D50")], [id("77777778")])).toEqual([undefined]);
  });

  it("two equal cameras without a serial by their ports, whatever their order", () => {
    expect(findAgain([id(""), id("", elsewhere)], [id("", elsewhere), id("")])).toEqual([1, 0]);
  });

  it("the only camera without a serial also elsewhere; of two equal ones neither is guessed", () => {
    const third = USB.replaceAll("1-2.3", "1-7");
    expect(findAgain([id("")], [id("", elsewhere)])).toEqual([0]);
    expect(findAgain([id("")], [id("", elsewhere), id("", third)])).toEqual([undefined]);
    expect(findAgain([id(""), id("", elsewhere)], [id("", third)])).toEqual([undefined, undefined]);
    // One of the two is where it was, so the other one must be the one that was moved.
    expect(findAgain([id(""), id("", elsewhere)], [id(""), id("", third)])).toEqual([0, 1]);
  });

  it("the infrared eye of a camera is not taken for the camera", () => {
    const eye = USB.replace("1-2.3:1.0", "1-2.3:1.2");
    expect(findAgain([id("8A2F3D50")], [id("8A2F3D50", eye)])).toEqual([undefined]);
  });
});
