import { COMPANION_ADDRESS, PLANNED_MINUTES, type PointId, type PointRole } from "../../protocol/protocol.ts";
import { dateFieldValue, fold, instantOf, longDate } from "../text/format.ts";
import type { NewSession } from "./api.ts";

/** A session that is being prepared, as the form holds it and as it is kept on this machine. */
export interface Draft {
  name: string;
  /** `2026-11-23` and `14:05`, empty where not chosen. */
  date: string;
  time: string;
  /** How long it is meant to last, minutes; absent in drafts of before. */
  plannedMinutes?: number;
  points: PointId[];
  central: PointId | "";
  /** The other meeting system; empty or absent where this one carries the talk. */
  companionUrl?: string;
  companionName?: string;
}

export type DraftFault =
  | "missingName"
  | "missingDate"
  | "missingTime"
  | "missingPoints"
  | "missingCentral"
  | "wrongCompanion"
  | "missingCompanionName";

export function faultsOf(draft: Draft): DraftFault[] {
  const faults: DraftFault[] = [];
  if (!draft.name.trim()) faults.push("missingName");
  if (draft.time && !draft.date) faults.push("missingDate");
  if (draft.date && !draft.time) faults.push("missingTime");
  if (draft.points.length === 0) faults.push("missingPoints");
  else if (!draft.central || !draft.points.includes(draft.central)) faults.push("missingCentral");
  const { url, name } = companionOf(draft);
  if (url ? !COMPANION_ADDRESS.test(url) : name) faults.push("wrongCompanion");
  if (url && !name) faults.push("missingCompanionName");
  return faults;
}

const companionOf = ({ companionUrl = "", companionName = "" }: Draft) => ({
  url: companionUrl.trim(),
  name: companionName.trim(),
});

export const toSession = (draft: Draft): NewSession => ({
  name: draft.name.trim(),
  scheduledAt: draft.date && draft.time ? instantOf(draft.date, draft.time) : null,
  plannedMinutes: draft.plannedMinutes ?? PLANNED_MINUTES,
  companion: companionOf(draft).url === "" ? null : companionOf(draft),
  points: draft.points.map((id) => ({
    id,
    role: (id === draft.central ? "central" : "delegate") satisfies PointRole,
  })),
});

/** Days ahead that can be chosen; a session is prepared at most some weeks before. */
const DAYS_AHEAD = 92;
const DAY_MS = 86_400_000;

/** Days to choose from, by month, so that nobody types a date and every screen writes it our way. */
export function dayChoices(nowMs: number, chosen: string): { label: string; choices: Choice[] }[] {
  const days = Array.from({ length: DAYS_AHEAD }, (_, i) => dateFieldValue(nowMs + i * DAY_MS));
  // A stored draft may hold a day that has gone by: it stays visible until another is chosen.
  if (chosen && !days.includes(chosen)) days.unshift(chosen);
  const months = Map.groupBy(days, (day) => `${day.slice(5, 7)}/${day.slice(0, 4)}`);
  return [...months].map(([label, list]) => ({
    label,
    choices: list.map((value) => ({ value, label: longDate(instantOf(value, "12:00")) })),
  }));
}

/** Quarters of an hour of a working day. */
export function timeChoices(): Choice[] {
  const quarters = Array.from({ length: 15 * 4 }, (_, i) => 6 * 60 + i * 15);
  return quarters.map((minutes) => {
    const value = `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
    return { value, label: value };
  });
}

/** Half an hour to a long day; rooms keep room for the recording of that much. */
export const lengthChoices = (words: (minutes: number) => string): Choice[] =>
  [30, 60, 90, 120, 180, 240, 300, 360, 480, 600].map((minutes) => ({ value: `${minutes}`, label: words(minutes) }));

interface Choice {
  value: string;
  label: string;
}

/** Chooses points and, where only one is chosen, the centre with it. */
export function choose(draft: Draft, points: PointId[]): Draft {
  const central = points.length === 1 ? points[0]! : points.includes(draft.central as PointId) ? draft.central : "";
  return { ...draft, points, central };
}

/** Names pasted from a spreadsheet, one to a cell: which points they mean, and which names mean none. */
export function findPasted(
  text: string,
  points: readonly { id: PointId; name: string }[],
): { found: PointId[]; missing: string[] } {
  const byName = new Map(points.map(({ id, name }) => [fold(name), id]));
  const found = new Set<PointId>();
  const missing: string[] = [];
  for (const cell of text.split(/[\n\t;]/)) {
    const name = cell.trim();
    if (!name) continue;
    const id = byName.get(fold(name));
    if (id) found.add(id);
    else missing.push(name);
  }
  return { found: [...found], missing };
}
