import { CalendarPlus } from "lucide-preact";
import type { SessionView } from "../../hub/http/views.ts";
import { ButtonLink } from "../design/button.tsx";
import { Badge, EmptyState } from "../design/states.tsx";
import { type Column, DataTable } from "../design/table.tsx";
import { WORDS } from "../text/desk.ts";
import { SESSIONS } from "../text/sessions.ts";
import { duration } from "../text/format.ts";
import { SESSION_STATES } from "../text/terms.ts";
import { bySession, sessionClock } from "./facts.ts";
import { Page } from "./page.tsx";
import { ROUTES } from "./routes.ts";
import { SessionBadge, sessionWhen } from "./session-words.tsx";
import { useDesk, useMay } from "./store.ts";

export function SessionsPage() {
  const { facts, now } = useDesk();
  const nowMs = now.peek();
  const sessions = [...facts.value.sessions.values()].sort(bySession);
  const create = useMay("operator") && (
    <ButtonLink kind="primary" icon={CalendarPlus} href={ROUTES.newSession}>
      {SESSIONS.create}
    </ButtonLink>
  );
  const columns: Column<SessionView>[] = [
    {
      key: "name",
      head: SESSIONS.name,
      names: true,
      value: (session) => session.name,
      cell: (session) => <a href={ROUTES.session(session.id)}>{session.name}</a>,
    },
    {
      key: "state",
      head: SESSIONS.state,
      value: (session) => SESSION_STATES[session.state],
      cell: (session) => (
        <span class="row-tight">
          <SessionBadge state={session.state} />
          {session.adHoc && <Badge>{SESSIONS.adHoc}</Badge>}
        </span>
      ),
    },
    {
      key: "when",
      head: SESSIONS.when,
      value: (session) => Date.parse(session.startedAt ?? session.scheduledAt ?? session.createdAt),
      cell: (session) => sessionWhen(session, nowMs),
    },
    {
      key: "points",
      head: SESSIONS.points,
      align: "end",
      value: (session) => session.points.length,
      cell: (session) => WORDS.pointCount(session.points.length),
    },
    {
      key: "length",
      head: SESSIONS.length,
      align: "end",
      value: (session) => sessionClock(session, nowMs).runningMs,
      cell: (session) => (session.startedAt ? duration(sessionClock(session, nowMs).runningMs) : "–"),
    },
  ];
  return (
    <Page title={SESSIONS.title} actions={sessions.length > 0 && create}>
      {sessions.length === 0 ? (
        <EmptyState icon={CalendarPlus} title={SESSIONS.empty} action={create}>
          {SESSIONS.emptyText}
        </EmptyState>
      ) : (
        <DataTable
          caption={SESSIONS.title}
          rows={sessions}
          columns={columns}
          rowKey={({ id }) => id}
          filterLabel={SESSIONS.filter}
        />
      )}
    </Page>
  );
}
