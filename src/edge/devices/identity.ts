/**
 * Who a device is. Numbers (/dev/video0, card 1) change with every plug, so a device is told by what it says of itself and
 * by where it is plugged in, written as one text:
 *
 *     usb:046d:0825:8A2F3D50@0000:00:14.0/2.3#1.0     vendor : product : serial @ controller / ports # interface
 *     at:platform/vivid.0#vivid-000-vid-cap           soldered in or made by the kernel: its place # its name
 *     pulse:alsa_input.network                        known to the sound server alone
 */
export interface Identity {
  /** `usb:VVVV:PPPP`; undefined for what is not plugged in by USB. */
  model: string | undefined;
  /** Undefined where it has none, or one that tells nothing. */
  serial: string | undefined;
  place: string;
  unit: string;
}

/** What sysfs says of a USB device. */
export interface UsbFacts {
  idVendor: string;
  idProduct: string;
  serial: string;
}

/** USB device folder within a path of /sys/devices: bus, then ports from the root on. */
const USB_DEVICE = /^\d+-(\d+(?:\.\d+)*)$/;
const USB_INTERFACE = /^\d+-[\d.]+:(\d+\.\d+)$/;
/** Made up by factories that print one serial on every piece: it would make a neighbour of a stranger. */
const EMPTY_SERIAL = /^(?:sn)?(?:0*1?|(.)\1*|0*123456.*|0123456789abcdef)$/i;

/** Folder of the USB device that a device's folder in /sys/devices belongs to; undefined where it is no USB device. */
export function usbFolder(sysPath: string): string | undefined {
  const parts = sysPath.split("/");
  const at = parts.findLastIndex((part) => USB_DEVICE.test(part));
  return at < 0 ? undefined : parts.slice(0, at + 1).join("/");
}

/**
 * @param sysPath the device's own folder, resolved: `/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0`
 * @param usb of its {@link usbFolder}
 * @param unit what tells devices of one place apart; by USB in addition to the interface, and empty where there is one
 */
export function identityOf(sysPath: string, usb: UsbFacts | undefined, unit: string): Identity {
  const parts = sysPath.replace(/^\/sys\/devices\//, "").split("/");
  const at = parts.findLastIndex((part) => USB_DEVICE.test(part));
  if (at < 0 || !usb) {
    const place = parts.filter((part) => !/^(video4linux|sound|video\d+|card\d+|pci[\da-f]{4}:[\da-f]{2})$/.test(part));
    return { model: undefined, serial: undefined, place: place.join("/"), unit };
  }
  // The bus has another number after each boot; the controller that it hangs on has not.
  const bus = parts.findLastIndex((part) => /^usb\d+$/.test(part));
  const face = parts.map((part) => USB_INTERFACE.exec(part)?.[1]).find((found) => found !== undefined);
  const serial = usb.serial.trim().replaceAll(/[^\w.-]/g, "_");
  const controller = parts[bus - 1] ?? "";
  // QEMU makes serials out of the place, as some hubs do: then they go with the socket and not with the device.
  const tells = !EMPTY_SERIAL.test(serial) && !usb.serial.includes(controller);
  return {
    model: `usb:${usb.idVendor}:${usb.idProduct}`,
    serial: tells ? serial : undefined,
    place: `${controller}/${USB_DEVICE.exec(parts[at]!)![1]}`,
    unit: face !== undefined && unit !== "" ? `${face}:${unit}` : (face ?? unit),
  };
}

export const idText = ({ model, serial, place, unit }: Identity): string =>
  model === undefined ? `at:${place}#${unit}` : `${model}${serial === undefined ? "" : `:${serial}`}@${place}#${unit}`;

/** Undefined for what is no identity of this kind: such texts match only what is equal. */
export function parseId(text: string): Identity | undefined {
  const match = /^(usb:[\da-f]{4}:[\da-f]{4})(?::([^@]+))?@([^#]*)#(.*)$/i.exec(text);
  return match ? { model: match[1]!, serial: match[2], place: match[3]!, unit: match[4]! } : undefined;
}

/** Ports from the socket at the box on, for people: `2.3`; undefined for what is not plugged in by USB. */
export const portOf = (id: string): string | undefined => parseId(id)?.place.split("/")[1];

/**
 * How surely a device is the one that was known before: 4 the same in the same place; 3 by its serial, wherever it is now;
 * 2 by its place, where it has no serial; 1 of the same model at least; 0 another one.
 */
export function likeness(known: string, now: string): 0 | 1 | 2 | 3 | 4 {
  if (known === now) return 4;
  const [a, b] = [parseId(known), parseId(now)];
  if (!a || !b || a.model !== b.model || a.unit !== b.unit) return 0;
  if (a.serial !== b.serial) return 0;
  if (a.serial !== undefined) return 3;
  return a.place === b.place ? 2 : 1;
}

/**
 * Finds known devices among those that are plugged in, each at most once: the surest first. By model alone only where
 * one of that model is left, so that of two equal cameras neither is taken for the other.
 * @returns for each of `known` its place in `now`, or undefined
 */
export function findAgain(known: readonly string[], now: readonly string[]): (number | undefined)[] {
  const found: (number | undefined)[] = known.map(() => undefined);
  const free = new Set(now.keys());
  for (const sure of [4, 3, 2, 1] as const)
    for (const [i, id] of known.entries()) {
      if (found[i] !== undefined) continue;
      const fitting = [...free].filter((j) => likeness(id, now[j]!) >= sure);
      const claims = known.filter((other, k) => found[k] === undefined && likeness(other, id) > 0);
      if (fitting.length === 0 || (sure === 1 && (fitting.length > 1 || claims.length > 1))) continue;
      found[i] = fitting[0];
      free.delete(fitting[0]!);
    }
  return found;
}
