import type { PointId, PointRole } from "../../protocol/protocol.ts";
import { fold, instantOf } from "../text/format.ts";
import type { NewSession } from "./api.ts";

/** A session that is being prepared, as the form holds it and as it is kept on this machine. */
export interface Draft {
  name: string;
  /** `2026-11-23` and `14:05`, empty where not chosen. */
  date: string;
  time: string;
  points: PointId[];
  central: PointId | "";
}

export type DraftFault = "missingName" | "missingDate" | "missingTime" | "missingPoints" | "missingCentral";

export function faultsOf(draft: Draft): DraftFault[] {
  const faults: DraftFault[] = [];
  if (!draft.name.trim()) faults.push("missingName");
  if (draft.time && !draft.date) faults.push("missingDate");
  if (draft.date && !draft.time) faults.push("missingTime");
  if (draft.points.length === 0) faults.push("missingPoints");
  else if (!draft.central || !draft.points.includes(draft.central)) faults.push("missingCentral");
  return faults;
}

export const toSession = (draft: Draft): NewSession => ({
  name: draft.name.trim(),
  scheduledAt: draft.date && draft.time ? instantOf(draft.date, draft.time) : null,
  points: draft.points.map((id) => ({
    id,
    role: (id === draft.central ? "central" : "delegate") satisfies PointRole,
  })),
});

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
