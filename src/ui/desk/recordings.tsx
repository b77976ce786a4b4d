import { Film } from "lucide-preact";
import { useEffect } from "preact/hooks";
import type { RecordingSummaryView } from "../../hub/http/views.ts";
import { Badge, EmptyState, Skeleton } from "../design/states.tsx";
import { type Column, DataTable } from "../design/table.tsx";
import { WORDS } from "../text/desk.ts";
import { RECORDINGS } from "../text/recordings.ts";
import { count, duration, longDate } from "../text/format.ts";
import { CarriedRecordings } from "./carried.tsx";
import { CopiesBadge } from "./copies.tsx";
import { Page } from "./page.tsx";
import { ROUTES } from "./routes.ts";
import { useDesk, useMay } from "./store.ts";

const startMs = ({ session }: RecordingSummaryView): number =>
  Date.parse(session.startedAt ?? session.scheduledAt ?? "1970-01-01T00:00:00Z");

const COLUMNS: Column<RecordingSummaryView>[] = [
  {
    key: "session",
    head: RECORDINGS.session,
    names: true,
    value: ({ session }) => session.name,
    cell: ({ session }) => (
      <span class="row-tight">
        <a href={ROUTES.recording(session.id)}>{session.name}</a>
        {session.state === "draft" && <Badge tone="warn">{RECORDINGS.notBegun}</Badge>}
      </span>
    ),
  },
  {
    key: "date",
    head: RECORDINGS.date,
    value: startMs,
    cell: ({ session }) => longDate(session.startedAt ?? session.scheduledAt ?? 0),
  },
  {
    key: "length",
    head: RECORDINGS.length,
    align: "end",
    value: ({ durationMs }) => durationMs,
    cell: ({ durationMs }) => duration(durationMs),
  },
  {
    key: "rooms",
    head: RECORDINGS.rooms,
    align: "end",
    value: ({ rooms }) => rooms,
    cell: ({ rooms }) => count(rooms),
  },
  {
    key: "gaps",
    head: RECORDINGS.gaps,
    align: "end",
    value: ({ gaps }) => gaps,
    // The number opens its list.
    cell: ({ session, gaps }) =>
      gaps === 0 ? "0" : <a href={`${ROUTES.recording(session.id)}?xem=gian-doan`}>{count(gaps)}</a>,
  },
  {
    key: "copies",
    head: RECORDINGS.copies,
    value: ({ copies }) => (copies.recorded === 0 ? 0 : (copies.hub + copies.province) / copies.recorded),
    cell: ({ copies, unrecorded, rooms }) =>
      unrecorded > 0 ? (
        <span class="row-tight">
          <Badge tone="bad">{RECORDINGS.unrecorded(unrecorded, rooms)}</Badge>
          {unrecorded < rooms && <CopiesBadge copies={copies} />}
        </span>
      ) : (
        <CopiesBadge copies={copies} />
      ),
  },
];

export function RecordingsPage() {
  const { facts, loadRecordings } = useDesk();
  const { recordings } = facts.value;
  const operates = useMay("operator");
  useEffect(() => void loadRecordings(), []);
  return (
    <Page title={RECORDINGS.title}>
      <div class="stack-wide">
        {recordings === null ? (
          <Skeleton lines={5} label={WORDS.loading} />
        ) : recordings.size === 0 ? (
          <EmptyState icon={Film} title={RECORDINGS.empty}>
            {RECORDINGS.emptyText}
          </EmptyState>
        ) : (
          <DataTable
            caption={RECORDINGS.title}
            rows={[...recordings.values()]}
            columns={COLUMNS}
            rowKey={({ session }) => session.id}
            rowTone={({ unrecorded }) => (unrecorded > 0 ? "bad" : undefined)}
            filterLabel={RECORDINGS.filter}
            sort={{ key: "date", down: true }}
          />
        )}
        {operates && <CarriedRecordings />}
      </div>
    </Page>
  );
}
