import type { DatabaseSync } from "node:sqlite";

/** One session's recordings, as a backup lists them: where to look for what it does not hold. */
export interface RecordingLine {
  /** Also the name of its folder in the archive and in the province's storage. */
  session: string;
  name: string;
  startedAt: string;
  segments: number;
  atHub: number;
  atProvince: number;
  sizeBytes: number;
  /** SHA-256 of the bag's `tagmanifest-sha256.txt`; empty where the bag is not finished. */
  tagManifestSha256: string;
}

export function recordingsIn(sqlite: DatabaseSync): RecordingLine[] {
  const rows = sqlite
    .prepare(
      `SELECT session.id, session.name, session.startedAt, bag.tagManifestSha256,
         (SELECT count(*) FROM segment WHERE sessionId = session.id) AS segments,
         (SELECT count(*) FROM segment WHERE sessionId = session.id AND hubState = 'verified') AS atHub,
         (SELECT count(*) FROM segment WHERE sessionId = session.id AND provinceState = 'verified') AS atProvince,
         (SELECT coalesce(sum(sizeBytes), 0) FROM segment WHERE sessionId = session.id) AS sizeBytes
       FROM session LEFT JOIN bag ON bag.sessionId = session.id
       ORDER BY session.startedAt, session.id`,
    )
    .all();
  return rows.map((row) => ({
    session: String(row["id"]),
    name: String(row["name"]),
    startedAt: String(row["startedAt"] ?? ""),
    segments: Number(row["segments"]),
    atHub: Number(row["atHub"]),
    atProvince: Number(row["atProvince"]),
    sizeBytes: Number(row["sizeBytes"]),
    tagManifestSha256: String(row["tagManifestSha256"] ?? ""),
  }));
}

const HEADINGS = [
  "session",
  "startedAt",
  "segments",
  "atHub",
  "atProvince",
  "sizeBytes",
  "tagManifestSha256",
  "name",
] as const;

/** Tab-separated, one line each below a line of headings; names are last and hold no tab. Pure. */
export const recordingsTable = (lines: readonly RecordingLine[]): string =>
  [HEADINGS.join("\t"), ...lines.map((line) => HEADINGS.map((heading) => line[heading]).join("\t"))]
    .map((line) => `${line}\n`)
    .join("");

/** For a person: what the archive of this machine lacks, and whether the province has it. Pure. */
export const describeMissing = (lines: readonly RecordingLine[]): string[] =>
  lines.map(({ session, name, startedAt, atProvince, segments }) => {
    const there = atProvince >= segments ? "kho của tỉnh có đủ" : `kho của tỉnh có ${atProvince}/${segments} đoạn`;
    return `${session}  ${startedAt.slice(0, 10)}  ${name}: ${there}`;
  });
