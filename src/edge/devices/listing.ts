import { access, constants, readFile, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { ProcessError, runProcess } from "../../platform/platform.ts";
import { identityOf, idText, usbFolder, type UsbFacts } from "./identity.ts";
import { alsaAddress, parseAlsaCapture, parsePulseSources, planLevel, type AlsaCapture } from "./sound.ts";
import { givesPictures, parseCameraModes, planControls, type CameraMode } from "./v4l.ts";

export interface Camera {
  /** See identity.ts. */
  id: string;
  name: string;
  /** What FFmpeg opens. */
  address: string;
  /** Empty where it could not be asked. */
  modes: CameraMode[];
}

export interface Microphone {
  id: string;
  kind: "alsa" | "pulse";
  address: string;
  name: string;
  /** Name of the sound card that it is, also where a sound server stands in between: without the card it is gone. */
  card?: string | undefined;
}

export interface Devices {
  cameras: Camera[];
  microphones: Microphone[];
  /** What the box's echo canceller gives, as FFmpeg opens it; only where PipeWire runs with our configuration. */
  liveSound?: string | undefined;
}

/** Where Linux tells of devices. */
export interface DevicePlaces {
  video4linux: string;
  sound: string;
  dev: string;
  asound: string;
}
export const LINUX: DevicePlaces = {
  video4linux: "/sys/class/video4linux",
  sound: "/sys/class/sound",
  dev: "/dev",
  asound: "/proc/asound",
};
const ASK_TIMEOUT_MS = 3_000;
/** The sink of the box's own through which the live sound goes (docs/design/sound.md). */
const LIVE_MONITOR = /^\tName: (diem-cau-live\.monitor)$/m;

/** What is plugged in now. Missing folders and programs mean no devices, never an error. */
export async function listDevices(places: DevicePlaces = LINUX): Promise<Devices> {
  const [cameras, sources, cards] = await Promise.all([
    listCameras(places),
    pactl("list", "sources"),
    listCards(places),
  ]);
  const byCard = new Map(cards.map((card) => [`${card.card},${card.device}`, card]));
  const heard = parsePulseSources(sources ?? "").map(({ name, description, card, device }): Microphone => {
    const behind = byCard.get(`${card},${device}`);
    const id = behind?.id ?? `pulse:${name}`;
    return { id, kind: "pulse", address: name, name: description, card: behind?.cardId };
  });
  // PulseAudio and PipeWire hold the sound cards open: going past them would find the devices busy.
  if (heard.length > 0) return { cameras, microphones: heard, liveSound: LIVE_MONITOR.exec(sources ?? "")?.[1] };
  const microphones = cards.map((card): Microphone => ({
    ...{ id: card.id, kind: "alsa", address: alsaAddress(card), name: card.name, card: card.cardId },
  }));
  return { cameras, microphones };
}

const textOf = (path: string) =>
  readFile(path, "utf8").then(
    (text) => text.trim(),
    () => "",
  );

async function usbFacts(sysPath: string): Promise<UsbFacts | undefined> {
  const folder = usbFolder(sysPath);
  if (folder === undefined) return undefined;
  const [idVendor, idProduct, serial] = await Promise.all(
    ["idVendor", "idProduct", "serial"].map((file) => textOf(join(folder, file))),
  );
  return idVendor && idProduct ? { idVendor, idProduct, serial: serial! } : undefined;
}

async function listCameras({ video4linux, dev }: DevicePlaces): Promise<Camera[]> {
  const nodes = (await readdir(video4linux).catch(() => [])).sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  const cameras = await Promise.all(
    nodes.map(async (node): Promise<Camera | undefined> => {
      const address = join(dev, node);
      // A node that was just made is for root alone, until udev has seen to it.
      const open = await access(address, constants.R_OK | constants.W_OK).then(
        () => true,
        () => false,
      );
      if (!open) return undefined;
      const [told, name, index, sysPath] = await Promise.all([
        ask(["v4l2-ctl", "-d", address, "-D", "--list-formats-ext"]),
        textOf(join(video4linux, node, "name")),
        textOf(join(video4linux, node, "index")),
        realpath(join(video4linux, node)).catch(() => node),
      ]);
      if (told === undefined ? index !== "0" : !givesPictures(told)) return undefined;
      const modes = parseCameraModes(told ?? "");
      const usb = await usbFacts(sysPath);
      const id = idText(identityOf(sysPath, usb, usb ? "" : name));
      return { id, name: plainName(name) || node, address, modes };
    }),
  );
  return cameras.filter((camera) => camera !== undefined);
}

/** Cameras say their name twice: "USB2.0 Camera: USB2.0 Camera", the second time cut off. */
function plainName(name: string): string {
  const [first, second] = name.split(": ");
  return second !== undefined && first!.startsWith(second) ? first! : name;
}

async function listCards({ asound, sound }: DevicePlaces): Promise<(AlsaCapture & { id: string })[]> {
  const found = parseAlsaCapture(await textOf(join(asound, "cards")), await textOf(join(asound, "pcm")));
  return Promise.all(
    found.map(async (capture) => {
      const folder = join(sound, `card${capture.card}`);
      const sysPath = await realpath(folder).catch(() => join("card", capture.cardId));
      const usb = await usbFacts(sysPath);
      const unit = usb && capture.device === 0 ? "" : `${capture.device}`;
      return { ...capture, id: idText(identityOf(sysPath, usb, unit)) };
    }),
  );
}

/** Whether a sound server answers. */
export const hasPulse = async (): Promise<boolean> => (await pactl("info")) !== undefined;

/** Standard output, in English; undefined where the program is missing, late or refuses. */
export const pactl = (...words: string[]): Promise<string | undefined> => ask(["pactl", ...words]);

/** Sets what the camera is to do with light and mains; one that cannot be asked stays as it is. */
export async function tuneCamera(address: string): Promise<string> {
  const controls = await ask(["v4l2-ctl", "-d", address, "--list-ctrls"]);
  const plan = planControls(controls ?? "");
  if (plan !== "") await ask(["v4l2-ctl", "-d", address, `--set-ctrl=${plan}`]);
  return plan;
}

/** Turns on a sound server's microphone that is muted or turned down. @returns what was done, in words */
export async function wakeMicrophone(address: string): Promise<string> {
  const sources = parsePulseSources((await pactl("list", "sources")) ?? "");
  const plan = sources.filter(({ name }) => name === address).flatMap(planLevel);
  for (const words of plan) await pactl(...words);
  return plan.map((words) => words.join(" ")).join(", ");
}

async function ask(argv: string[]): Promise<string | undefined> {
  try {
    const env = { ...process.env, LC_ALL: "C" };
    const { code, stdout } = await runProcess(argv, { timeoutMs: ASK_TIMEOUT_MS, env });
    return code === 0 ? stdout : undefined;
  } catch (error) {
    if (error instanceof ProcessError) return undefined;
    throw error;
  }
}

/** What a running source needs, of what it is made of. */
export interface UsedDevices {
  camera: { name: string; address: string } | undefined;
  microphone: { name: string; address: string; card?: string | undefined } | undefined;
}

/** Files that are there as long as the devices are; a sound server's own sources have none, and are missed by their sound. */
export function nodesOf(
  { camera, microphone }: UsedDevices,
  asound = LINUX.asound,
): { device: string; node: string }[] {
  return [
    ...(camera ? [{ device: camera.name, node: camera.address }] : []),
    ...(microphone?.card === undefined ? [] : [{ device: microphone.name, node: join(asound, microphone.card) }]),
  ];
}

/** The first of them that is not there any more; cheap enough for every second. */
export async function lostDevice(used: UsedDevices): Promise<string | undefined> {
  for (const { device, node } of nodesOf(used)) {
    const there = await access(node).then(
      () => true,
      () => false,
    );
    if (!there) return device;
  }
  return undefined;
}
