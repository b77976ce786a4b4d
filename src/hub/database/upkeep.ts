import { sql } from "kysely";
import { isoUtc, runForever, type Clock, type Log } from "../../platform/platform.ts";
import type { HubDatabase } from "./database.ts";

const EVERY_MS = 24 * 3_600_000;
const RETRY = { baseMs: 60_000, capMs: 3_600_000 };
/** So long can be told when a box that is often out of order began to be. */
const KEEP_ALARMS_MS = 400 * 24 * 3_600_000;

/**
 * What a database needs so that it grows with its sessions and with nothing else: sign-ins that are over go, and alarms of
 * long ago that fell into no session. What belongs to a session, and the log of acts, stays for ever. Nothing is vacuumed:
 * SQLite fills the pages that became free.
 */
export function createUpkeep({ db, clock, log }: { db: HubDatabase; clock: Clock; log: Log }) {
  const runOnce = async (): Promise<void> => {
    const nowMs = clock.wallMs();
    const signIns = await db.deleteFrom("signIn").where("expiresAt", "<=", isoUtc(nowMs)).executeTakeFirst();
    const alarms = await db
      .deleteFrom("alarm")
      .where("sessionId", "is", null)
      .where("clearedAt", "<", isoUtc(nowMs - KEEP_ALARMS_MS))
      .executeTakeFirst();
    // What the planner knows of tables that have grown.
    await sql`pragma optimize`.execute(db);
    log.info("database.upkeep", { signIns: Number(signIns.numDeletedRows), alarms: Number(alarms.numDeletedRows) });
  };
  return {
    runOnce,
    run: (signal: AbortSignal): Promise<void> =>
      runForever({ name: "database.upkeep", clock, log, ...RETRY }, signal, async () => {
        while (!signal.aborted) {
          await runOnce();
          await clock.sleep(EVERY_MS, signal);
        }
      }),
  };
}
