import type { SessionView } from "../../hub/http/views.ts";
import { Alert } from "../design/states.tsx";
import { SESSION } from "../text/sessions.ts";
import { size } from "../text/format.ts";
import type { RoomFacts } from "./facts.ts";

/** Rooms whose box has refused: it could not record this session whole. */
export function NoRoom({ session, rooms }: { session: SessionView; rooms: RoomFacts[] }) {
  const refused = rooms.flatMap(({ room }) => {
    const said = room.connected ? room.health?.space?.sessions.find((one) => one.session === session.id) : undefined;
    return said && !said.ready ? [{ room, missingBytes: said.missingBytes }] : [];
  });
  if (refused.length === 0) return null;
  return (
    <Alert tone="bad" title={SESSION.noRoom(refused.length)}>
      <ul class="plain-list">
        {refused.map(({ room, missingBytes }) => (
          <li key={room.point.id}>{SESSION.noRoomOf(room.point.name, size(missingBytes))}</li>
        ))}
      </ul>
      <p>{SESSION.noRoomText}</p>
    </Alert>
  );
}
