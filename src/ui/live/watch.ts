import { openLink, type Link } from "./link.ts";
import {
  createPicture,
  wallMs,
  type DecodedFrame,
  type FrameTimes,
  type Picture,
  type PictureCounts,
  type PictureFacts,
} from "./picture.ts";
import type { Screen } from "./screen.ts";
import type { SoundSync } from "./sync.ts";

export type WatchState = "connecting" | "waiting" | "playing" | "stalled";

/**
 * What is seen of one room, in the worker.
 *
 * INVARIANTS
 * - One rendition is shown; another that was asked for has a connection and a decoder of its own and takes over with
 *   its first frame, so that changing between them never leaves the screen without a picture.
 * - At most HELD_LIMIT frames wait for their sound.
 */
export interface Watch {
  show(url: string): void;
  /** For connections to come. */
  setUrl(url: string): void;
  rest(): void;
  readonly facts: PictureFacts;
  readonly reconnects: number;
  close(): void;
}

interface Rendition {
  address: { url: string };
  link: Link;
  picture: Picture;
}

const STALLED_MS = 1_500;
const LOOK_MS = 250;
const HELD_LIMIT = 4;

export function createWatch(options: {
  counts: PictureCounts;
  screen: Screen;
  sync: Pick<SoundSync, "waitMs" | "shown">;
  onState: (state: WatchState) => void;
  onLost: () => void;
  onUnsupported: () => void;
}): Watch {
  const { counts, screen, sync, onState, onLost, onUnsupported } = options;
  let state: WatchState | undefined;
  let shown: Rendition | undefined;
  let wanted: Rendition | undefined;
  let reconnects = 0;
  let paintedMs = 0;
  let last: FrameTimes | null = null;
  const held: { decoded: DecodedFrame; dueMs: number }[] = [];
  let holding: ReturnType<typeof setTimeout> | undefined;

  const enter = (next: WatchState) => {
    if (state === next) return;
    state = next;
    onState(next);
  };
  const paint = ({ frame, ...times }: DecodedFrame) => {
    counts.painted++;
    const now = wallMs();
    last = { ...times, paintedMs: now };
    sync.shown(times.mediaMs, now);
    screen.paint(frame);
    paintedMs = performance.now();
    enter("playing");
  };
  const paintDue = () => {
    holding = undefined;
    const now = performance.now();
    while (held[0] && (held[0].dueMs <= now + 1 || held.length > HELD_LIMIT)) paint(held.shift()!.decoded);
    if (held[0]) holding = setTimeout(paintDue, held[0].dueMs - performance.now());
  };
  const hold = (decoded: DecodedFrame) => {
    const waitMs = sync.waitMs(decoded.mediaMs, wallMs());
    // Behind one that waits, so that the order stays.
    held.push({ decoded, dueMs: Math.max(performance.now() + waitMs, held.at(-1)?.dueMs ?? 0) });
    clearTimeout(holding);
    paintDue();
  };
  const letGo = () => {
    clearTimeout(holding);
    for (const { decoded } of held.splice(0)) {
      counts.closed++;
      decoded.frame.close();
    }
  };
  const end = (rendition: Rendition | undefined) => {
    if (!rendition) return;
    reconnects += rendition.link.reconnects;
    rendition.link.close();
    rendition.picture.close();
  };
  const open = (url: string): Rendition => {
    const isShown = () => rendition === shown;
    const address = { url };
    const picture = createPicture({
      counts,
      onFrame(decoded) {
        if (rendition === wanted) {
          end(shown);
          shown = wanted;
          wanted = undefined;
        }
        hold(decoded);
      },
      onUnsupported,
    });
    const rendition: Rendition = {
      address,
      picture,
      link: openLink(() => address.url, {
        onOpen() {
          if (isShown()) enter("waiting");
        },
        onTag: (tag) => picture.push(tag),
        onLost() {
          picture.restart();
          if (isShown()) {
            letGo();
            enter("connecting");
          }
          onLost();
        },
      }),
    };
    return rendition;
  };
  const look = setInterval(() => {
    if (shown && state === "playing" && performance.now() - paintedMs > STALLED_MS) enter("stalled");
  }, LOOK_MS);
  return {
    show(url) {
      if (shown?.address.url === url) {
        // Changed its mind before the other one came.
        end(wanted);
        wanted = undefined;
      } else if (wanted?.address.url !== url) {
        end(wanted);
        wanted = undefined;
        if (shown) wanted = open(url);
        else shown = open(url);
      }
    },
    setUrl(url) {
      const next = wanted ?? shown;
      if (next) next.address.url = url;
    },
    rest() {
      end(wanted);
      end(shown);
      shown = wanted = undefined;
      letGo();
    },
    get facts() {
      return { ...counts, queued: shown?.picture.queued ?? 0, ageMs: shown?.picture.ageMs ?? 0, last };
    },
    get reconnects() {
      return reconnects + (shown?.link.reconnects ?? 0) + (wanted?.link.reconnects ?? 0);
    },
    close() {
      clearInterval(look);
      end(wanted);
      end(shown);
      shown = wanted = undefined;
      letGo();
      screen.close();
    },
  };
}
