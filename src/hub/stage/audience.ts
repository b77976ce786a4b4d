import { audibleTo, type BoxId, type LiveKind, type Stage, type StageWatcher } from "../../protocol/protocol.ts";
import type { Clock } from "../../platform/platform.ts";

/** Who sits before the screen: a user of the desk, by name, or a room, by its box. */
export type Viewer = { kind: "desk"; name: string } | { kind: "room"; box: BoxId };

/** One live connection of a viewer. */
export interface Watching {
  /** Sound passes while it is open; whoever carries it looks at each tag. */
  readonly gate: { open: boolean };
  leave(): void;
}

interface Entry extends Watching {
  viewer: Viewer;
  box: BoxId;
  kind: LiveKind;
  /** Not allowed any more. */
  end: () => void;
}

/** Players come back after an interruption: nobody is struck off the list for that. HLS is asked for every 2 s. */
const LINGER_MS = 5_000;

/**
 * What the stage lets a viewer have of a box: all of it, all but its sound for now, or nothing. A room has the other
 * rooms of its own running session; the desk sees everybody, and hears of a running session what its rooms hear.
 */
export function allowed(
  stageOf: (box: BoxId) => Stage | undefined,
  viewer: Viewer,
  box: BoxId,
  kind: LiveKind,
): "open" | "silent" | "refused" {
  const stage = stageOf(box);
  if (viewer.kind === "room" && (!stage || viewer.box === box || stageOf(viewer.box)?.session !== stage.session))
    return "refused";
  const own = viewer.kind === "room" ? stage?.rooms.find((room) => room.box === viewer.box)?.point.id : null;
  if (own === undefined) return "refused";
  if (kind !== "audio" || !stage) return "open";
  return audibleTo(stage, own).includes(box) ? "open" : "silent";
}

/**
 * Everybody who sees or hears something live.
 *
 * INVARIANTS
 * - Nobody is sent anything before being in `#entries`, and everybody in it is listed as a watcher.
 * - After `review` no gate is open and no connection stands that the stages of that moment do not allow.
 */
export class Audience {
  readonly #clock: Clock;
  readonly #stageOf: (box: BoxId) => Stage | undefined;
  readonly #onChange: () => void;
  readonly #entries = new Set<Entry>();

  /** @param options.onChange the lists of watchers may have changed */
  constructor(options: { clock: Clock; stageOf: (box: BoxId) => Stage | undefined; onChange: () => void }) {
    this.#clock = options.clock;
    this.#stageOf = options.stageOf;
    this.#onChange = options.onChange;
  }

  /** Undefined where that may not be seen; `end` is called when it may not any more. */
  admit(viewer: Viewer, box: BoxId, kind: LiveKind, end: () => void): Watching | undefined {
    const verdict = allowed(this.#stageOf, viewer, box, kind);
    if (verdict === "refused") return undefined;
    const gate = { open: verdict === "open" };
    const leave = () => {
      gate.open = false;
      entry.end = () => {};
      void this.#clock.sleep(LINGER_MS).then(() => {
        if (this.#entries.delete(entry)) this.#onChange();
      });
    };
    const entry: Entry = { viewer, box, kind, end, gate, leave };
    this.#entries.add(entry);
    this.#onChange();
    return entry;
  }

  /** The stages have changed: gates follow at once. */
  review(): void {
    for (const { viewer, box, kind, end, gate } of this.#entries) {
      const verdict = allowed(this.#stageOf, viewer, box, kind);
      gate.open = verdict === "open";
      if (verdict === "refused") end();
    }
  }

  /** Of these boxes' session; desk users first. */
  watchers(nameOf: ReadonlyMap<BoxId, string>): StageWatcher[] {
    const found = { desk: new Set<string>(), room: new Set<string>() };
    for (const { viewer, box } of this.#entries) {
      if (!nameOf.has(box)) continue;
      const name = viewer.kind === "desk" ? viewer.name : nameOf.get(viewer.box);
      if (name !== undefined) found[viewer.kind].add(name);
    }
    const list = (kind: "desk" | "room") => [...found[kind]].sort().map((name) => ({ name, kind }));
    return [...list("desk"), ...list("room")];
  }

  /** Users of the desk who see or hear this box. */
  deskOf(box: BoxId): string[] {
    const names = new Set<string>();
    for (const entry of this.#entries)
      if (entry.box === box && entry.viewer.kind === "desk") names.add(entry.viewer.name);
    return [...names].sort();
  }
}
