import type { Page } from "playwright-core";
import { readStampRgba, stampAgeMs } from "../../src/media/media.ts";
import { within } from "./until.ts";

export interface LiveLatency {
  /** In the order of the elements; milliseconds, null where no stamp was read. */
  perVideo: { median: number | null; p95: number | null; samples: number; distinct: number; seen: Seen[] }[];
  /** Of all videos together. */
  median: number | null;
  p95: number | null;
}

/** A frame's first appearance: its stamp (milliseconds modulo 2^32), when it was readable (wall clock), its age. */
export interface Seen {
  stamp: number;
  atMs: number;
  ageMs: number;
}

/** What the page saw: brightness (0…255) of the stamp's 40 blocks, and the page's wall clock. */
interface Sighting {
  atMs: number;
  blocks: number[];
}

/**
 * Runs in the page, so it stands alone. Each time an element has a new frame, the next animation frame reads the
 * stamp's pixels back; the moment is the one before reading.
 */
function watchStamps({ selector, seconds }: { selector: string; seconds: number }): Promise<Sighting[][]> {
  const BLOCKS = 40;
  const videos = [...document.querySelectorAll<HTMLVideoElement>(selector)];
  const canvas = new OffscreenCanvas(BLOCKS * 4, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false })!;
  const sightings: Sighting[][] = videos.map(() => []);
  const fresh = videos.map(() => false);
  videos.forEach((video, i) => {
    const onFrame = () => {
      fresh[i] = true;
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
  });
  const look = (video: HTMLVideoElement): number[] => {
    const { videoWidth, videoHeight } = video;
    const blockHeight = videoWidth / BLOCKS;
    // The middle rows of the stamp, at four pixels a block.
    context.drawImage(video, 0, blockHeight * 0.4, videoWidth, blockHeight * 0.2, 0, 0, BLOCKS * 4, 1);
    if (videoHeight === 0) return [];
    const { data } = context.getImageData(0, 0, BLOCKS * 4, 1);
    return Array.from({ length: BLOCKS }, (_, block) => (data[block * 16 + 5]! + data[block * 16 + 9]!) / 2);
  };
  return new Promise((resolve) => {
    const endMs = performance.now() + seconds * 1000;
    const tick = () => {
      videos.forEach((video, i) => {
        if (!fresh[i]) return;
        fresh[i] = false;
        const atMs = performance.timeOrigin + performance.now();
        sightings[i]!.push({ atMs, blocks: look(video) });
      });
      if (performance.now() < endMs) requestAnimationFrame(tick);
      else resolve(sightings);
    };
    requestAnimationFrame(tick);
  });
}

/** Nearest-rank quantile, one decimal. */
export function quantile(values: readonly number[], q: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
  return value === undefined ? null : Math.round(value * 10) / 10;
}

/**
 * Capture stamp → readable pixel of the `<video>` elements that the selector finds on an open page, which must run on
 * the same machine as the cameras. A stamp counts once, when it is first seen.
 */
export async function measureLiveLatency(
  page: Page,
  { selector, seconds }: { selector: string; seconds: number },
): Promise<LiveLatency> {
  // A page that is no longer drawn would look for ever.
  const limitMs = seconds * 1_000 + 20_000;
  const sightings = await within("pictures are watched", limitMs, page.evaluate(watchStamps, { selector, seconds }));
  const views = sightings.map((ofVideo) => {
    const known = new Set<number>();
    const seen: Seen[] = [];
    let samples = 0;
    for (const { atMs, blocks } of ofVideo) {
      const stamp = readStampRgba(
        blocks.flatMap((green) => [green, green, green, 255]),
        blocks.length,
      );
      if (stamp === undefined) continue;
      samples++;
      if (known.has(stamp)) continue;
      known.add(stamp);
      seen.push({ stamp, atMs, ageMs: stampAgeMs(stamp, atMs) });
    }
    return { samples, seen };
  });
  const agesOf = (seen: readonly Seen[]) => seen.map(({ ageMs }) => ageMs);
  const all = views.flatMap(({ seen }) => agesOf(seen));
  return {
    perVideo: views.map(({ samples, seen }) => ({
      median: quantile(agesOf(seen), 0.5),
      p95: quantile(agesOf(seen), 0.95),
      samples,
      distinct: seen.length,
      seen,
    })),
    median: quantile(all, 0.5),
    p95: quantile(all, 0.95),
  };
}
