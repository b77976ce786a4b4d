import type { PointId } from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Live } from "../live/live.ts";
import type { Reception, RunningRoom } from "../reception/reception.ts";
import type { Releases } from "../releases/releases.ts";
import type { RoomView } from "./views.ts";

export interface Wall {
  rooms(): Promise<RoomView[]>;
  /** A session changed: who is in which one is asked again at the next look. */
  sessionsChanged(): void;
  /** A recording changed: what is pending is counted again at the next look. */
  recordingsChanged(): void;
}

/** Composes the rooms wall. However many rooms and looks: one query after a session's change, one after a recording's. */
export function createWall(parts: {
  db: HubDatabase;
  reception: Pick<Reception, "running">;
  live: Pick<Live, "publishing">;
  fleet: Pick<Fleet, "rooms">;
  releases: Pick<Releases, "ofBox">;
}): Wall {
  const running = remembered(async () => {
    const rooms = await parts.reception.running();
    return new Map<PointId, RunningRoom["session"]>(rooms.map((room) => [room.point, room.session]));
  });
  const pending = remembered(async () => {
    const rows = await parts.db
      .selectFrom("segment")
      .select(({ fn }) => ["pointId", fn.countAll<number>().as("count")])
      .where("hubState", "=", "waiting")
      .groupBy("pointId")
      .execute();
    return new Map<PointId, number>(rows.map((row) => [row.pointId, row.count]));
  });
  return {
    async rooms() {
      const [links, sessions, waiting] = await Promise.all([parts.fleet.rooms(), running.get(), pending.get()]);
      return links.map((room) => ({
        ...room,
        live: room.box === null ? [] : parts.live.publishing(room.box),
        session: sessions.get(room.point.id) ?? null,
        update: room.box === null ? null : parts.releases.ofBox(room.box),
        pendingSegments: waiting.get(room.point.id) ?? 0,
      }));
    },
    sessionsChanged: running.forget,
    recordingsChanged: pending.forget,
  };
}

/** A value that is asked for again only after it was forgotten; what is forgotten while being asked is asked anew. */
function remembered<T>(ask: () => Promise<T>) {
  let value: Promise<T> | undefined;
  const forget = () => void (value = undefined);
  return {
    forget,
    get(): Promise<T> {
      if (!value) {
        const asked = ask();
        value = asked;
        asked.catch(() => {
          if (value === asked) forget();
        });
      }
      return value;
    },
  };
}
