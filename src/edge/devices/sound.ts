/** What the kernel and the sound server say of microphones. */

/** A capture device of ALSA; who it is and how it is called comes from sysfs. */
export interface AlsaCapture {
  card: number;
  /** Of the card, as in /proc/asound: it stays when the number changes. */
  cardId: string;
  device: number;
  name: string;
}

/** Reads /proc/asound/cards and /proc/asound/pcm. */
export function parseAlsaCapture(cards: string, pcm: string): AlsaCapture[] {
  const byNumber = new Map(
    [...cards.matchAll(/^\s*(\d+) \[(\S+)\s*\]: (?:.* - )?(.+)$/gm)].map((m) => [
      Number(m[1]),
      { id: m[2]!, name: m[3]!.trim() },
    ]),
  );
  return [...pcm.matchAll(/^(\d+)-(\d+): ([^:\n]*):.*capture \d+/gm)].flatMap((match) => {
    const card = byNumber.get(Number(match[1]));
    if (!card) return [];
    return [
      { card: Number(match[1]), cardId: card.id, device: Number(match[2]), name: `${card.name} (${match[3]!.trim()})` },
    ];
  });
}

/** Addressed by the card's name: its number changes with the plug. */
export const alsaAddress = ({ cardId, device }: Pick<AlsaCapture, "cardId" | "device">): string =>
  `plughw:CARD=${cardId},DEV=${device}`;

/** A source of PulseAudio or of PipeWire that speaks its protocol. */
export interface PulseSource {
  /** What FFmpeg opens. */
  name: string;
  description: string;
  /** Number of the ALSA card behind it; undefined where none is. */
  card: number | undefined;
  device: number;
  muted: boolean;
  volumePercent: number | undefined;
}

/** Nodes of the box itself are no microphones; their names are those of appliance/root/etc/pipewire. */
const OURS = "diem-cau-";

/** Output of `pactl list sources` in the C locale; monitors of loudspeakers are no microphones. */
export function parsePulseSources(text: string): PulseSource[] {
  return text.split(/^Source #\d+$/m).flatMap((block) => {
    const field = (name: string) => new RegExp(`^\\t${name}: (.*)$`, "m").exec(block)?.[1];
    const property = (name: string) =>
      new RegExp(`^\\t\\t${name.replaceAll(".", "\\.")} = "(.*)"$`, "m").exec(block)?.[1];
    const name = field("Name");
    if (!name || name.endsWith(".monitor") || name.startsWith(OURS)) return [];
    const monitorOf = field("Monitor of Sink") ?? "n/a";
    if (monitorOf !== "n/a") return [];
    const card = property("alsa.card") ?? property("api.alsa.pcm.card");
    const volume = /(\d+)%/.exec(field("Volume") ?? "")?.[1];
    return [
      {
        name,
        description: field("Description") ?? name,
        card: card === undefined ? undefined : Number(card),
        device: Number(property("alsa.device") ?? property("api.alsa.pcm.device") ?? 0),
        muted: field("Mute") === "yes",
        volumePercent: volume === undefined ? undefined : Number(volume),
      },
    ];
  });
}

/** Below this a microphone is as good as off; nobody speaks so loud. */
const LEAST_VOLUME_PERCENT = 30;
/** A little below what the card can: the sum of two voices still fits. */
const USUAL_VOLUME_PERCENT = 80;

/**
 * What makes a microphone hear that somebody has muted or turned down to nothing, as `pactl` takes it. Where somebody has set
 * a level, it stays.
 */
export function planLevel({ name, muted, volumePercent }: PulseSource): string[][] {
  return [
    ...(muted ? [["set-source-mute", name, "0"]] : []),
    ...((volumePercent ?? 100) < LEAST_VOLUME_PERCENT ? [["set-source-volume", name, `${USUAL_VOLUME_PERCENT}%`]] : []),
  ];
}
