import type { SessionView } from "../../hub/http/views.ts";
import { Lamp } from "../design/states.tsx";
import { type Column, DataTable } from "../design/table.tsx";
import { COPIES } from "../text/recordings.ts";
import { ROOMS } from "../text/rooms.ts";
import { SESSION, SESSIONS } from "../text/sessions.ts";
import { ROLES, TROUBLES } from "../text/terms.ts";
import { CopiesBadge, CopiesPath } from "./copies.tsx";
import type { RoomFacts } from "./facts.ts";
import { useRecording } from "./recording-data.ts";
import { RecordingState } from "./tile.tsx";

/** Many rooms at once: a table is read faster than pictures. */
export function RoomsTable(props: { session: SessionView; rooms: RoomFacts[]; column?: Column<RoomFacts> }) {
  const { session, rooms, column } = props;
  const roleOf = new Map(session.points.map(({ id, role }) => [id, role]));
  const columns: Column<RoomFacts>[] = [
    {
      key: "room",
      head: SESSION.room,
      names: true,
      value: ({ room }) => room.point.name,
      cell: ({ room, lamps, need }) => (
        <>
          {room.point.name}
          {(need === "bad" || need === "warn") && lamps.troubles[0] && (
            <span class={`tile-trouble tile-trouble-${need}`}> {TROUBLES[lamps.troubles[0]].title}</span>
          )}
        </>
      ),
    },
    {
      key: "role",
      head: SESSION.role,
      value: ({ room }) => ROLES[roleOf.get(room.point.id) ?? "delegate"],
      cell: ({ room }) => ROLES[roleOf.get(room.point.id) ?? "delegate"],
    },
    {
      key: "lamps",
      head: SESSION.lamps,
      cell: ({ lamps }) => (
        <span class="lamps">
          <Lamp of="picture" state={lamps.picture} short />
          <Lamp of="sound" state={lamps.sound} short />
          <Lamp of="link" state={lamps.link} short />
        </span>
      ),
    },
    {
      key: "recording",
      head: SESSION.recordingColumn,
      value: ({ recording }) => (recording ? 1 : 0),
      cell: (facts) => <RecordingState facts={facts} />,
    },
    ...(column ? [column] : []),
  ];
  return (
    <DataTable
      caption={SESSION.rooms}
      rows={rooms}
      columns={columns}
      rowKey={({ room }) => room.point.id}
      filterLabel={ROOMS.filter}
      rowTone={({ need }) => (need === "bad" || need === "warn" ? need : undefined)}
    />
  );
}

/** After the end: how far each room's recording has come, until all of it is proven at the province. */
export function Copies({ session }: { session: SessionView }) {
  const view = useRecording(session.id, true).value;
  if (view === undefined) return null;
  if (view === "missing") return <p class="soft">{COPIES.none}</p>;
  return (
    <section class="stack">
      <h2>{view.copies.provinceComplete ? SESSION.copiesDone : SESSION.copies}</h2>
      <CopiesPath copies={view.copies} recording={false} />
      <DataTable
        caption={SESSION.copies}
        rows={view.rooms}
        rowKey={({ point }) => point.id}
        filterLabel={ROOMS.filter}
        columns={[
          {
            key: "room",
            head: SESSION.room,
            names: true,
            value: ({ point }) => point.name,
            cell: ({ point }) => point.name,
          },
          {
            key: "recorded",
            head: SESSION.atRoom,
            value: ({ copies }) => copies.recorded,
            cell: ({ copies }) => COPIES.recordedShort(copies.recorded, copies.recordedBytes),
          },
          {
            key: "hub",
            head: SESSION.atHub,
            value: ({ copies }) => copies.hub,
            cell: ({ copies }) => COPIES.segments(copies.hub, copies.recorded),
          },
          {
            key: "province",
            head: SESSION.atProvince,
            value: ({ copies }) => copies.province,
            cell: ({ copies }) => COPIES.segments(copies.province, copies.recorded),
          },
          { key: "state", head: SESSIONS.state, cell: ({ copies }) => <CopiesBadge copies={copies} /> },
        ]}
      />
    </section>
  );
}
