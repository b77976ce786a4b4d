import { describe, expect, it } from "vitest";
import { alsaAddress, parseAlsaCapture, parsePulseSources, planLevel } from "./sound.ts";

const CARDS = ` 0 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7f10000 irq 31
 1 [C920           ]: USB-Audio - HD Pro Webcam C920
                      HD Pro Webcam C920 at usb-0000:00:14.0-1, high speed
`;
const PCM = `00-00: ALC887-VD Analog : ALC887-VD Analog : playback 1 : capture 1
00-03: HDMI 0 : HDMI 0 : playback 1
01-00: USB Audio : USB Audio : capture 1
`;
/** PipeWire 1.4 with WirePlumber, by pactl 17, shortened. */
const SOURCES = `Source #50
	State: SUSPENDED
	Name: alsa_output.pci-0000_00_1f.3.analog-stereo.monitor
	Description: Monitor of Built-in Audio Analog Stereo
	Monitor of Sink: alsa_output.pci-0000_00_1f.3.analog-stereo
Source #51
	State: RUNNING
	Name: alsa_input.usb-0b0e_Jabra_SPEAK_510_USB_50C971-00.mono-fallback
	Description: Jabra SPEAK 510 USB Mono
	Driver: PipeWire
	Sample Specification: s16le 1ch 16000Hz
	Mute: yes
	Volume: mono: 26214 /  40% / -23.88 dB
	        balance 0.00
	Monitor of Sink: n/a
	Properties:
		alsa.card = "1"
		alsa.device = "0"
		device.bus_path = "pci-0000:00:14.0-usb-0:2:1.0"
Source #52
	State: RUNNING
	Name: diem-cau-voice
	Description: diem-cau-voice
	Monitor of Sink: n/a
Source #53
	Name: room-line
	Description: Line of the room
	Mute: no
	Volume: front-left: 65536 / 100% / 0.00 dB,   front-right: 65536 / 100% / 0.00 dB
	Monitor of Sink: n/a
`;

describe("sound devices", () => {
  it("of ALSA are addressed by card name; playback devices are left out", () => {
    const found = parseAlsaCapture(CARDS, PCM);
    expect(found).toEqual([
      { card: 0, cardId: "PCH", device: 0, name: "HDA Intel PCH (ALC887-VD Analog)" },
      { card: 1, cardId: "C920", device: 0, name: "HD Pro Webcam C920 (USB Audio)" },
    ]);
    expect(alsaAddress(found[1]!)).toBe("plughw:CARD=C920,DEV=0");
    expect(parseAlsaCapture("", "")).toEqual([]);
  });

  it("of a sound server are known by their card; neither monitors nor the box's own nodes are microphones", () => {
    expect(parsePulseSources(SOURCES)).toEqual([
      {
        name: "alsa_input.usb-0b0e_Jabra_SPEAK_510_USB_50C971-00.mono-fallback",
        description: "Jabra SPEAK 510 USB Mono",
        ...{ card: 1, device: 0, muted: true, volumePercent: 40 },
      },
      {
        ...{ name: "room-line", description: "Line of the room" },
        ...{ card: undefined, device: 0, muted: false, volumePercent: 100 },
      },
    ]);
    expect(parsePulseSources("")).toEqual([]);
  });

  it("a microphone that is muted or turned down to nothing is turned on; a level that somebody chose stays", () => {
    const [jabra, line] = parsePulseSources(SOURCES);
    expect(planLevel(jabra!)).toEqual([["set-source-mute", jabra!.name, "0"]]);
    expect(planLevel(line!)).toEqual([]);
    expect(planLevel({ ...line!, volumePercent: 5 })).toEqual([["set-source-volume", "room-line", "80%"]]);
  });
});
