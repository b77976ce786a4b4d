import { pactl } from "../devices/devices.ts";

/**
 * The box's echo canceller, which runs inside PipeWire: names, states and the two commands that the agent gives it. The
 * names are those of appliance/root/etc/pipewire/pipewire.conf.d.
 */
const LIVE_SINK = "diem-cau-live";
/** The canceller's own sink, which is there exactly as long as the canceller is. */
const CANCELLER_SINK = "diem-cau-loudspeaker";

/** What PipeWire has for the live sound, from `pactl list short sources`. */
export interface LiveSound {
  /** What FFmpeg opens; undefined where PipeWire has not been given our configuration. */
  address: string | undefined;
  cancelling: boolean;
}

export function parseLiveSound(sources: string): LiveSound {
  const names = new Set(sources.split("\n").map((line) => line.split("\t")[1]));
  const address = `${LIVE_SINK}.monitor`;
  return {
    address: names.has(address) ? address : undefined,
    cancelling: names.has(`${CANCELLER_SINK}.monitor`),
  };
}

/** What there is just now; nothing where no sound server answers. */
export async function liveSound(): Promise<LiveSound> {
  return parseLiveSound((await pactl("list", "short", "sources")) ?? "");
}

export type FeedStep = { kind: "load" } | { kind: "unload"; module: string };

/**
 * Whether the live sound must come straight from the microphone, and no longer.
 * @param modules output of `pactl list short modules`
 */
export function planFeed(cancelling: boolean, modules: string): FeedStep[] {
  const loaded = modules.split("\n").flatMap((line) => {
    const [id, name, args] = line.split("\t");
    return id && name === "module-loopback" && args?.includes(`sink=${LIVE_SINK}`) ? [id] : [];
  });
  if (cancelling) return loaded.map((module) => ({ kind: "unload", module }));
  return loaded.length === 0 ? [{ kind: "load" }] : [];
}

/** Neither end follows anything: live sound from another microphone would be worse than none. */
const loopback = (microphone: string): string[] => [
  ...["load-module", "module-loopback", `source=${microphone}`, `sink=${LIVE_SINK}`],
  ...["source_dont_move=true", "sink_dont_move=true", "latency_msec=20"],
];

/** The canceller listens to the default microphone: this makes it the one that is recorded. */
export async function listenTo(microphone: string): Promise<void> {
  await pactl("set-default-source", microphone);
}

/**
 * Looks whether the canceller lives, and feeds the live sound from the microphone while it does not. The encoder sees
 * nothing of it.
 * @param sources output of `pactl list short sources`
 */
export async function tendLiveSound(microphone: string, sources: string): Promise<"cancelled" | "open" | undefined> {
  const modules = await pactl("list", "short", "modules");
  if (modules === undefined) return undefined;
  const { address, cancelling } = parseLiveSound(sources);
  if (address === undefined) return "open";
  for (const step of planFeed(cancelling, modules))
    await pactl(...(step.kind === "load" ? loopback(microphone) : ["unload-module", step.module]));
  return cancelling ? "cancelled" : "open";
}
