import type { BoxUpdateView, ReleasesView, ReleaseView, RoomView } from "../../src/hub/http/views.ts";

/** Releases and each box's update, in the worlds of the desk's screens. */
const hash = (letter: string): string => letter.repeat(64);
const HOUR_MS = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();
const NEW = { id: hash("b"), version: "0.2.0" };

function release(nowMs: number, change: Partial<ReleaseView> = {}): ReleaseView {
  return {
    ...{ ...NEW, architecture: "x86-64", flavour: "screen", minimumVersion: "0.1.0" },
    notes: "Nhận biết máy quay cắm lại nhanh hơn. Sửa lỗi tiếng bị rè với micrô hội nghị.",
    madeAt: iso(nowMs - 50 * HOUR_MS),
    addedAt: iso(nowMs - 27 * HOUR_MS),
    addedBy: "Nguyễn Thị Minh Nguyệt",
    publishedAt: iso(nowMs - 26 * HOUR_MS),
    ...{ state: "published", opened: false, firstRing: [], failures: [] },
    files: [
      { name: "diemcau_0.2.0_root.raw", sizeBytes: 871e6, haveBytes: 871e6 },
      { name: "diemcau_0.2.0_verity.raw", sizeBytes: 7e6, haveBytes: 7e6 },
      { name: "diemcau_0.2.0.efi", sizeBytes: 81e6, haveBytes: 81e6 },
    ],
    ...change,
  };
}

function update(nowMs: number, change: Partial<BoxUpdateView> = {}): BoxUpdateView {
  return {
    ...{ running: "0.1.0", architecture: "x86-64", flavour: "screen", state: "current", release: null },
    ...{ percent: 0, reason: null, detail: "", proven: true, at: iso(nowMs - 60_000) },
    ...change,
  };
}

/** In the order of the rooms, and again from the first. */
const STATES: Record<"ordinary" | "trouble", Partial<BoxUpdateView>[]> = {
  ordinary: [
    { running: "0.2.0", state: "healthy", release: NEW, percent: 100 },
    { state: "downloading", release: NEW, percent: 37 },
    { state: "waiting", release: NEW, percent: 100, reason: "soon" },
    {},
  ],
  trouble: [
    { state: "fellBack", release: NEW, reason: "cameraMissing" },
    { running: "0.2.0", state: "trial", release: NEW, percent: 100 },
    { state: "installed", release: NEW, percent: 100, reason: "held" },
    { state: "refused", release: NEW, reason: "tampered" },
  ],
};

export function releasesOf(
  kind: "empty" | "ordinary" | "full" | "trouble",
  rooms: readonly RoomView[],
  nowMs: number,
): { rooms: RoomView[]; releases: ReleasesView } {
  const states = STATES[kind === "trouble" ? "trouble" : "ordinary"];
  const firstRing = rooms.flatMap(({ box }) => box ?? []).slice(0, 2);
  const failure = { box: firstRing[0]!, attempt: 0, reason: "cameraMissing", detail: "", at: iso(nowMs - HOUR_MS) };
  const [half] = release(nowMs).files;
  const releases: Record<typeof kind, ReleaseView[]> = {
    empty: [],
    ordinary: [release(nowMs, { firstRing })],
    full: [release(nowMs, { id: hash("c"), version: "0.3.0", state: "receiving" }), release(nowMs, { opened: true })],
    trouble: [
      release(nowMs, {
        ...{ id: hash("d"), version: "0.4.0", state: "receiving" },
        files: [{ ...half!, haveBytes: 310e6 }],
      }),
      release(nowMs, { state: "held", firstRing, failures: [failure] }),
    ],
  };
  return {
    rooms: rooms.map((room, i) => ({ ...room, update: room.box ? update(nowMs, states[i % states.length]) : null })),
    releases: {
      keys: kind === "empty" ? 0 : 1,
      importDirectory: "/var/lib/diemcau-hub/release-import",
      onDisk:
        kind === "ordinary"
          ? [{ folder: "ban-0.3.0", version: "0.3.0", refusal: null }]
          : kind === "trouble"
            ? [{ folder: "la", version: null, refusal: "unknownKey" }]
            : [],
      releases: releases[kind],
    },
  };
}
