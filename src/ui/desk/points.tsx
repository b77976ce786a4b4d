import { useSignal } from "@preact/signals";
import { Plug, Usb } from "lucide-preact";
import type { RoomView } from "../../hub/http/views.ts";
import { Button, ButtonLink } from "../design/button.tsx";
import { Confirm } from "../design/dialog.tsx";
import { Alert, Badge, EmptyState } from "../design/states.tsx";
import { type Column, DataTable } from "../design/table.tsx";
import { WORDS } from "../text/desk.ts";
import { POINTS } from "../text/points.ts";
import { byName, dayAndTime } from "../text/format.ts";
import type { Refusal } from "./api.ts";
import { BoxUpdateState, updateWords } from "./box-update.tsx";
import { Page, RefusalAlert } from "./page.tsx";
import { ResetDialog } from "./reset.tsx";
import { ROUTES } from "./routes.ts";
import { useDesk, useMay } from "./store.ts";

const boxWords = (room: RoomView): string =>
  room.box ? (room.connected ? POINTS.connected : POINTS.offline) : POINTS.noBox;

export function PointsPage() {
  const { api, facts, now } = useDesk();
  const revoking = useSignal<RoomView | null>(null);
  const resetting = useSignal<RoomView | null>(null);
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const done = useSignal<string | null>(null);
  const rooms = [...facts.value.rooms.values()].sort((a, b) => byName(a.point.name, b.point.name));
  const administers = useMay("administrator");
  const pair = administers && (
    <>
      <ButtonLink icon={Usb} href={ROUTES.stick}>
        {POINTS.stick}
      </ButtonLink>
      <ButtonLink kind="primary" icon={Plug} href={ROUTES.pairing}>
        {POINTS.pair}
      </ButtonLink>
    </>
  );

  async function revoke(room: RoomView): Promise<void> {
    if (!room.box) return;
    busy.value = true;
    const answer = await api.revoke(room.box);
    busy.value = false;
    revoking.value = null;
    refusal.value = answer.ok ? null : answer.code;
    done.value = answer.ok ? POINTS.revoked(room.point.name) : null;
  }

  const actions: Column<RoomView> = {
    key: "actions",
    head: WORDS.actions,
    headUnseen: true,
    align: "end",
    cell: (room) =>
      room.box ? (
        <span class="row-tight">
          <Button
            label={POINTS.resetOf(room.point.name)}
            onPress={() => {
              done.value = null;
              resetting.value = room;
            }}
          >
            {POINTS.reset}
          </Button>
          <Button
            label={POINTS.revokeOf(room.point.name)}
            onPress={() => {
              done.value = null;
              revoking.value = room;
            }}
          >
            {POINTS.revoke}
          </Button>
        </span>
      ) : (
        <a href={`${ROUTES.pairing}?diem=${room.point.id}`}>{POINTS.pair}</a>
      ),
  };
  const columns: Column<RoomView>[] = [
    {
      key: "name",
      head: POINTS.name,
      names: true,
      value: (room) => room.point.name,
      cell: (room) => <a href={ROUTES.point(room.point.id)}>{room.point.name}</a>,
    },
    {
      key: "box",
      head: POINTS.box,
      value: boxWords,
      cell: (room) => <Badge tone={room.box && room.connected ? "ok" : "neutral"}>{boxWords(room)}</Badge>,
    },
    {
      key: "seen",
      head: POINTS.seen,
      value: (room) => (room.connected ? Number.MAX_SAFE_INTEGER : Date.parse(room.seenAt ?? "1970-01-01T00:00:00Z")),
      cell: (room) =>
        room.connected ? POINTS.now : room.seenAt ? dayAndTime(room.seenAt, now.peek()) : room.box ? POINTS.never : "–",
    },
    {
      key: "version",
      head: POINTS.version,
      value: (room) => room.update?.running ?? room.health?.agentVersion ?? "",
      cell: (room) => room.update?.running ?? room.health?.agentVersion ?? "–",
    },
    {
      key: "update",
      head: POINTS.update,
      value: updateWords,
      cell: (room) => <BoxUpdateState room={room} />,
    },
    ...(administers ? [actions] : []),
  ];
  const asked = revoking.value;
  return (
    <Page title={POINTS.title} actions={rooms.length > 0 && pair}>
      <div class="stack-wide">
        {refusal.value && <RefusalAlert code={refusal.value} />}
        {done.value && <Alert tone="ok" title={done.value} live />}
        {rooms.length === 0 ? (
          <EmptyState icon={Plug} title={POINTS.empty} action={pair}>
            {POINTS.emptyText}
          </EmptyState>
        ) : (
          <DataTable
            caption={POINTS.title}
            rows={rooms}
            columns={columns}
            rowKey={({ point }) => point.id}
            filterLabel={POINTS.filter}
            sort={{ key: "name" }}
          />
        )}
      </div>
      {resetting.value && (
        <ResetDialog
          room={resetting.value}
          onDone={(words) => {
            resetting.value = null;
            done.value = words;
          }}
          onClose={() => {
            resetting.value = null;
          }}
        />
      )}
      <Confirm
        open={asked !== null}
        title={POINTS.revokeTitle(asked?.point.name ?? "")}
        confirm={POINTS.revokeConfirm}
        cancel={POINTS.revokeCancel}
        busy={busy.value}
        onConfirm={() => asked && void revoke(asked)}
        onCancel={() => {
          revoking.value = null;
        }}
      >
        <p>{POINTS.revokeText}</p>
        {asked && asked.pendingSegments > 0 && (
          <p>
            <b>{POINTS.revokePending(asked.pendingSegments)}</b>
          </p>
        )}
      </Confirm>
    </Page>
  );
}
