import { join } from "node:path";
import { z } from "zod";
import {
  causeOf,
  isoUtc,
  moveDurable,
  openJsonStore,
  randomId,
  StoreError,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import { Alarm, type Health, type HubAlarmsKept, type SessionId } from "../../protocol/protocol.ts";
import { AlarmEngine } from "./engine.ts";
import { situationOf, type Seen } from "./situation.ts";

export interface BoxAlarms {
  /** Looks at what is seen now. @returns what stands, for the health report */
  look(session: SessionId | null, seen: Seen): NonNullable<Health["alarms"]>;
  /** Those that the hub has not kept yet as they are now, oldest first, at most 100. */
  unkept(): Alarm[];
  /** The hub has these in its database. */
  kept(items: HubAlarmsKept["items"]): void;
  /** An alarm was raised or cleared. */
  onChange(listener: () => void): void;
}

const AlarmsFile = z.object({ v: z.literal(1), alarms: z.array(Alarm) });
type AlarmsFile = z.infer<typeof AlarmsFile>;
/** Of a box that never reaches its hub. */
const KEEP = 1_000;
const MESSAGE_ITEMS = 100;

export async function openAlarms({
  dataDirectory,
  clock,
  log,
  utcMs,
}: {
  dataDirectory: string;
  /** The hub's time, as far as it is known. */
  utcMs: () => number;
  clock: Clock;
  log: Log;
}): Promise<BoxAlarms> {
  const path = join(dataDirectory, "alarms.json");
  const open = () => openJsonStore<AlarmsFile>(path, (data) => AlarmsFile.parse(data), { v: 1, alarms: [] });
  const store = await open().catch(async (error: unknown) => {
    if (!(error instanceof StoreError)) throw error;
    await moveDurable(path, `${path}.unreadable-${Math.floor(clock.wallMs())}`);
    log.error("alarms.setAside", { cause: causeOf(error) });
    return open();
  });
  const listeners: (() => void)[] = [];
  /** Ids whose raising the hub has; an open one is told again after a restart, which does no harm. */
  const raisedKept = new Set<string>();
  const engine = new AlarmEngine(
    store.data.alarms.filter(({ clearedAt }) => clearedAt === null),
    () => Buffer.from(randomId()).toString("hex"),
  );
  /** A full disk must not take the alarms from the screens: they go on in memory. */
  const write = (change: (data: AlarmsFile) => void) =>
    void store.update(change).catch((error: unknown) => log.error("alarms.notWritten", { cause: causeOf(error) }));
  return {
    look(session, seen) {
      const now = { monotonicMs: clock.monotonicMs(), utc: isoUtc(utcMs()) };
      const changed = engine.look(session, situationOf(seen), now);
      for (const { id, cause, clearedAt, facts } of changed)
        log.warn(clearedAt === null ? "alarm.raised" : "alarm.cleared", { id, cause, session, facts });
      if (changed.length > 0) {
        write((data) => {
          const ids = new Set(changed.map(({ id }) => id));
          data.alarms = [...data.alarms.filter(({ id }) => !ids.has(id)), ...changed].slice(-KEEP);
        });
        for (const listener of listeners) listener();
      }
      return engine.standing().map(({ cause, raisedAt }) => ({ cause, since: raisedAt }));
    },
    unkept: () =>
      store.data.alarms
        .filter(({ id, clearedAt }) => clearedAt !== null || !raisedKept.has(id))
        .slice(0, MESSAGE_ITEMS),
    kept(items) {
      for (const { id, cleared } of items) if (!cleared) raisedKept.add(id);
      const done = new Set(items.filter(({ cleared }) => cleared).map(({ id }) => id));
      if (done.size === 0) return;
      for (const id of done) raisedKept.delete(id);
      write((data) => (data.alarms = data.alarms.filter(({ id, clearedAt }) => clearedAt === null || !done.has(id))));
    },
    onChange: (listener) => void listeners.push(listener),
  };
}
