import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { chainHash } from "../../src/evidence/evidence.ts";
import { GENESIS, makeId, type TakeId, type Track } from "../../src/protocol/protocol.ts";

interface MadeYears {
  dataDirectory: string;
  takes: number;
  segmentsPerTake: number;
  /** Whether the media are gone, as two stores had signed for them. No media file is made in either case. */
  evicted: boolean;
  /** As many takes of each. */
  tracks?: readonly Track[];
}

const id = <P extends "box" | "point" | "session" | "take">(prefix: P) => makeId(prefix, randomBytes(10));
const bootId = "00000000-0000-4000-8000-000000000000";
const at = (ms: number) => ({
  ...{ utc: new Date(Date.UTC(2025, 0, 1) + ms).toISOString(), monotonicMs: ms, bootId },
  ...{ hubOffsetMs: 1.25, hubOffsetErrorMs: 0.5 },
});

/**
 * What a box has on its disk after years of sessions that hub and province hold: takes of 10 s segments, one a day, in
 * one chain a track. As long as true ones byte by byte; the signatures are none, since no start looks at them.
 * @returns the takes, oldest first
 */
export async function makeYears({
  dataDirectory,
  takes,
  segmentsPerTake,
  evicted,
  tracks = ["room"],
}: MadeYears): Promise<TakeId[]> {
  const [box, point] = [id("box"), id("point")];
  const signature = randomBytes(71).toString("base64");
  const made: TakeId[] = [];
  const rows: Record<string, object> = {};
  const last = new Map<Track, string>();
  const days = Array.from({ length: takes }, (_, day) => ({ day, session: id("session") }));
  for (const { day, session, track } of days.flatMap((each) => tracks.map((track) => ({ ...each, track })))) {
    const take = id("take");
    let prev = last.get(track) ?? GENESIS;
    const startMs = day * 86_400_000;
    const lines: string[] = [];
    const add = (body: object) => {
      const n = lines.length;
      const record = JSON.stringify({
        v: 1,
        box,
        point,
        session,
        take,
        n,
        prev,
        at: at(startMs + n * 10_000),
        ...body,
      });
      prev = chainHash(record);
      lines.push(JSON.stringify({ record, signature }));
    };
    const video = { codec: "h264", width: 1280, height: 720, frameRate: 25 };
    const audio = { codec: "aac", sampleRate: 48_000, channels: 1 };
    const source = "made up";
    const [agentVersion, firstFrameAt] = ["0.0.0", at(startMs)];
    add({ kind: "takeStart", agentVersion, video, audio, source, firstFrameAt, track });
    const words: string[] = [];
    const marks: string[] = [];
    for (let seq = 0; seq < segmentsPerTake; seq++) {
      const [sha256, sizeBytes] = [randomBytes(32).toString("hex"), 3_000_000 + (seq % 1_000)];
      const span = {
        streamStartMs: seq * 10_000,
        streamEndMs: (seq + 1) * 10_000,
        startedAt: at(startMs + seq * 10_000),
      };
      add({ kind: "segment", seq, sizeBytes, sha256, frames: 250, ...span });
      const word = (store: string) => ({
        record: JSON.stringify({
          ...{ v: 1, kind: "receipt", store, session, take, seq, sha256, sizeBytes },
          at: at(startMs).utc,
        }),
        signature,
      });
      const [hub, province] = [word("hub"), word("province")];
      words.push(JSON.stringify(hub), JSON.stringify(province));
      marks.push(JSON.stringify({ v: 1, seq, at: at(startMs).utc, hub, province }));
    }
    const counts = { framesCaptured: null, framesEncoded: null };
    const frames = segmentsPerTake * 250;
    add({ kind: "takeEnd", reason: "sessionEnded", segments: segmentsPerTake, frames, ...counts });
    const folder = join(dataDirectory, "recordings", session, take);
    await mkdir(folder, { recursive: true });
    const write = (file: string, of: string[]) => writeFile(join(folder, file), of.map((line) => `${line}\n`).join(""));
    const intent = { v: 1, box, point, session, take, track, agentVersion, source, video, audio };
    const begun = { sessionStartedAt: at(startMs).utc, plannedAt: at(startMs) };
    await writeFile(join(folder, "take.json"), JSON.stringify({ ...intent, ...begun }));
    await write("records.jsonl", lines);
    await write("receipts.jsonl", words);
    if (evicted) await write("deletions.jsonl", marks);
    const signed = { upTo: segmentsPerTake, also: [] };
    rows[take] = { records: lines.length, ...signed, province: signed };
    made.push(take);
    last.set(track, prev);
  }
  const state = { v: 1, assignment: null, takes: rows, own: [], hubTime: null };
  await writeFile(join(dataDirectory, "state.json"), JSON.stringify(state));
  return made;
}
