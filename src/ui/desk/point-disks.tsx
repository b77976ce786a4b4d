import { useSignal } from "@preact/signals";
import { Download } from "lucide-preact";
import { useEffect } from "preact/hooks";
import type { DiskView } from "../../hub/http/views.ts";
import type { PointId } from "../../protocol/protocol.ts";
import { Button } from "../design/button.tsx";
import { Confirm } from "../design/dialog.tsx";
import { Alert, Badge } from "../design/states.tsx";
import { type Column, DataTable } from "../design/table.tsx";
import { WORDS } from "../text/desk.ts";
import { dayAndTime } from "../text/format.ts";
import { DISKS } from "../text/points.ts";
import type { Refusal } from "./api.ts";
import { RefusalAlert } from "./page.tsx";
import { saveText } from "./save.ts";
import { useDesk } from "./store.ts";

/** A point's encrypted disks, and the file that opens one in another PC. */
export function PointDisks(props: { point: PointId }) {
  const { point } = props;
  const { api, now } = useDesk();
  const disks = useSignal<DiskView[] | null>(null);
  const asked = useSignal<DiskView | null>(null);
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const done = useSignal<string | null>(null);
  useEffect(() => {
    void api.disks(point).then((answer) => {
      if (answer.ok) disks.value = answer.value;
      else refusal.value = answer.code;
    });
  }, [api, point]);

  async function save({ box, code }: DiskView): Promise<void> {
    busy.value = true;
    const answer = await api.diskKeyStick(box);
    busy.value = false;
    asked.value = null;
    refusal.value = answer.ok ? null : answer.code;
    done.value = answer.ok ? DISKS.saved(code) : null;
    if (answer.ok) saveText(answer.value.fileName, answer.value.text);
  }

  const columns: Column<DiskView>[] = [
    { key: "code", head: DISKS.code, names: true, cell: ({ code }) => code },
    {
      key: "box",
      head: DISKS.box,
      cell: ({ revokedAt }) => (
        <Badge tone={revokedAt === null ? "ok" : "neutral"}>
          {revokedAt === null ? DISKS.inUse : DISKS.former(dayAndTime(revokedAt, now.peek()))}
        </Badge>
      ),
    },
    { key: "kept", head: DISKS.kept, cell: ({ keptAt }) => dayAndTime(keptAt, now.peek()) },
    {
      key: "actions",
      head: WORDS.actions,
      headUnseen: true,
      align: "end",
      cell: (disk) => (
        <Button
          icon={Download}
          label={DISKS.saveOf(disk.code)}
          onPress={() => {
            done.value = null;
            asked.value = disk;
          }}
        >
          {DISKS.save}
        </Button>
      ),
    },
  ];
  const rows = disks.value;
  return (
    <section class="stack">
      <h2>{DISKS.head}</h2>
      {refusal.value && <RefusalAlert code={refusal.value} />}
      {done.value && <Alert tone="ok" title={done.value} live />}
      {rows && rows.length > 0 ? (
        <>
          <p class="soft">{DISKS.lead}</p>
          <DataTable caption={DISKS.head} rows={rows} columns={columns} rowKey={({ box }) => box} />
        </>
      ) : (
        <p class="soft">{rows ? DISKS.none : DISKS.unknown}</p>
      )}
      <Confirm
        open={asked.value !== null}
        title={DISKS.title(asked.value?.code ?? "")}
        confirm={DISKS.confirm}
        cancel={DISKS.cancel}
        busy={busy.value}
        onConfirm={() => asked.value && void save(asked.value)}
        onCancel={() => {
          asked.value = null;
        }}
      >
        <p>{DISKS.text}</p>
        <p>{DISKS.secret}</p>
      </Confirm>
    </section>
  );
}
