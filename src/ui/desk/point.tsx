import { useSignal } from "@preact/signals";
import { useRoute } from "preact-iso";
import type { DeviceFacts, DeviceOrder, PointId } from "../../protocol/protocol.ts";
import { Button } from "../design/button.tsx";
import { Alert, Badge } from "../design/states.tsx";
import { type Column, DataTable } from "../design/table.tsx";
import { WORDS } from "../text/desk.ts";
import { POINT } from "../text/points.ts";
import type { Refusal } from "./api.ts";
import { Missing, Page, RefusalAlert } from "./page.tsx";
import { ROUTES } from "./routes.ts";
import { PointDisks } from "./point-disks.tsx";
import { useDesk, useMay } from "./store.ts";

const TONES = { inUse: "ok", ready: "neutral", failed: "bad", absent: "warn" } as const;
type Kind = keyof DeviceOrder;

/** One room's cameras and microphones, which of them it is to use, and its disks. */
export function PointPage() {
  const { api, facts } = useDesk();
  const id = useRoute().params["id"] as PointId;
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const done = useSignal<string | null>(null);
  const [operates, administers] = [useMay("operator"), useMay("administrator")];
  const room = facts.value.rooms.get(id);
  if (!room) return <Missing title={POINT.missing} text={POINT.missingText} href={ROUTES.points} action={POINT.back} />;
  const devices = room.health?.devices;

  async function order(kind: Kind, rows: readonly DeviceFacts[], said: string): Promise<void> {
    busy.value = true;
    const answer = await api.orderDevices(id, { [kind]: rows.map(({ id, name }) => ({ id, name })) });
    busy.value = false;
    refusal.value = answer.ok ? null : answer.code;
    done.value = answer.ok ? said : null;
  }

  const actionsOf = (kind: Kind, rows: readonly DeviceFacts[]): Column<DeviceFacts> => ({
    key: "actions",
    head: WORDS.actions,
    headUnseen: true,
    align: "end",
    cell: (row) =>
      row === rows[0] && row.wanted ? (
        <span class="soft">{POINT.preferred}</span>
      ) : (
        <Button
          label={POINT.preferOf(row.name)}
          busy={busy.value}
          onPress={() => void order(kind, [row, ...rows.filter((other) => other !== row)], POINT.done(row.name))}
        >
          {POINT.prefer}
        </Button>
      ),
  });
  const columnsOf = (kind: Kind, rows: readonly DeviceFacts[]): Column<DeviceFacts>[] => [
    { key: "name", head: POINT.device, names: true, cell: ({ name }) => name },
    { key: "port", head: POINT.port, cell: ({ port }) => port ?? "–" },
    {
      key: "state",
      head: POINT.state,
      cell: ({ state }) => <Badge tone={TONES[state]}>{POINT.states[state]}</Badge>,
    },
    ...(operates ? [actionsOf(kind, rows)] : []),
  ];
  const list = (kind: Kind) => {
    const rows = devices?.[kind] ?? [];
    return (
      <section class="stack">
        <h2>{POINT.heads[kind]}</h2>
        {rows.length === 0 ? (
          <p class="soft">{POINT.none[kind]}</p>
        ) : (
          <DataTable caption={POINT.heads[kind]} rows={rows} columns={columnsOf(kind, rows)} rowKey={({ id }) => id} />
        )}
        {operates && rows.some(({ wanted }) => wanted) && (
          <div class="row">
            <Button kind="quiet" busy={busy.value} onPress={() => void order(kind, [], POINT.doneByItself)}>
              {POINT.byItself[kind]}
            </Button>
          </div>
        )}
      </section>
    );
  };
  return (
    <Page title={room.point.name} lead={POINT.lead}>
      <div class="stack-wide">
        {refusal.value && <RefusalAlert code={refusal.value} />}
        {done.value && <Alert tone="ok" title={done.value} live />}
        {!room.connected && <Alert tone="info" title={POINT.away} />}
        {devices ? (
          <>
            {list("cameras")}
            {list("microphones")}
          </>
        ) : (
          <p>{POINT.unknown}</p>
        )}
        {administers && <PointDisks point={id} />}
      </div>
    </Page>
  );
}
