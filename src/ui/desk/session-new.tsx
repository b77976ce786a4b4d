import { useSignal } from "@preact/signals";
import { CalendarPlus } from "lucide-preact";
import { useLocation } from "preact-iso";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Button, ButtonLink } from "../design/button.tsx";
import { Field, SelectField } from "../design/field.tsx";
import { Alert, EmptyState } from "../design/states.tsx";
import { FilterBox } from "../design/table.tsx";
import { PLANNED_MINUTES, type PointId } from "../../protocol/protocol.ts";
import { ROOMS } from "../text/rooms.ts";
import { NEW_SESSION } from "../text/sessions.ts";
import { byName, duration, fold, shortDate } from "../text/format.ts";
import type { Refusal } from "./api.ts";
import {
  choose,
  dayChoices,
  type Draft,
  type DraftFault,
  faultsOf,
  findPasted,
  lengthChoices,
  timeChoices,
  toSession,
} from "./draft.ts";
import { Page, RefusalAlert } from "./page.tsx";
import { ROUTES } from "./routes.ts";
import { useDesk } from "./store.ts";

const KEY = "diemcau.draft";
/** Names above this stand in one column. */
const LONG_NAME = 36;

function storedDraft(): Draft | undefined {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "") as Draft;
  } catch {
    return undefined;
  }
}

export function NewSessionPage() {
  const desk = useDesk();
  const { route } = useLocation();
  const rooms = [...desk.facts.value.rooms.values()].sort((x, y) => byName(x.point.name, y.point.name));
  const known = new Set(rooms.map(({ point }) => point.id));
  const last = [...desk.facts.value.sessions.values()].sort((x, y) => y.createdAt.localeCompare(x.createdAt))[0];
  const draft = useSignal<Draft>(
    storedDraft() ?? {
      name: NEW_SESSION.suggested(shortDate(desk.now.peek())),
      date: "",
      time: "",
      points: [],
      central: "",
    },
  );
  const filter = useSignal("");
  const pasted = useSignal<string | null>(null);
  const tried = useSignal(false);
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const summary = useRef<HTMLDivElement>(null);

  useEffect(() => localStorage.setItem(KEY, JSON.stringify(draft.value)), [draft.value]);
  const days = useMemo(() => dayChoices(desk.now.peek(), draft.peek().date), []);
  const times = useMemo(timeChoices, []);
  const lengths = useMemo(() => lengthChoices((minutes) => duration(minutes * 60_000)), []);
  const set = (change: Partial<Draft>) => {
    draft.value = { ...draft.value, ...change };
  };
  // A point of a stored draft may be gone by now.
  const points = draft.value.points.filter((id) => known.has(id));
  const select = (chosen: PointId[]) => {
    draft.value = choose(draft.value, chosen);
  };
  const faults = tried.value ? faultsOf({ ...draft.value, points }) : [];
  const fault = (...codes: DraftFault[]) => {
    const code = faults.find((f) => codes.includes(f));
    return code && NEW_SESSION[code];
  };

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    tried.value = true;
    refusal.value = null;
    const whole = { ...draft.value, points };
    if (faultsOf(whole).length > 0) {
      requestAnimationFrame(() => summary.current?.focus());
      return;
    }
    busy.value = true;
    const answer = await desk.api.createSession(toSession(whole));
    busy.value = false;
    if (!answer.ok) {
      refusal.value = answer.code;
      return;
    }
    localStorage.removeItem(KEY);
    route(ROUTES.session(answer.value.id));
  }

  const words = fold(filter.value).split(" ").filter(Boolean);
  const shown = rooms.filter(({ point }) => words.every((word) => fold(point.name).includes(word)));
  const chosen = new Set(points);

  if (rooms.length === 0)
    return (
      <Page title={NEW_SESSION.title}>
        <EmptyState
          icon={CalendarPlus}
          title={ROOMS.empty}
          action={
            <ButtonLink kind="primary" href={ROUTES.pairing}>
              {ROOMS.pair}
            </ButtonLink>
          }
        >
          {ROOMS.emptyText}
        </EmptyState>
      </Page>
    );
  return (
    <Page title={NEW_SESSION.title}>
      <form class="stack-wide" noValidate onSubmit={(event) => void submit(event)}>
        {faults.length > 0 && (
          <div ref={summary} tabIndex={-1} class="reading">
            <Alert tone="bad" title={NEW_SESSION.summary}>
              <ul class="plain-list">
                {faults.map((code) => (
                  <li key={code}>{NEW_SESSION[code]}</li>
                ))}
              </ul>
            </Alert>
          </div>
        )}
        {refusal.value && <RefusalAlert code={refusal.value} />}
        <div class="columns">
          <section class="card stack-wide">
            <Field
              label={NEW_SESSION.name}
              hint={NEW_SESSION.nameHint}
              value={draft.value.name}
              maxLength={200}
              error={fault("missingName")}
              onInput={(name) => set({ name })}
            />
            <div class="stack">
              <div class="pair">
                <SelectField
                  label={NEW_SESSION.date}
                  placeholder={NEW_SESSION.dateChoose}
                  value={draft.value.date}
                  error={fault("missingDate")}
                  groups={days}
                  onChange={(date) => set({ date })}
                />
                <SelectField
                  label={NEW_SESSION.time}
                  placeholder={NEW_SESSION.timeChoose}
                  value={draft.value.time}
                  error={fault("missingTime")}
                  groups={[{ choices: times }]}
                  onChange={(time) => set({ time })}
                />
              </div>
              <p class="hint">{NEW_SESSION.whenHint}</p>
            </div>
            <SelectField
              label={NEW_SESSION.length}
              hint={NEW_SESSION.lengthHint}
              value={`${draft.value.plannedMinutes ?? PLANNED_MINUTES}`}
              groups={[{ choices: lengths }]}
              onChange={(minutes) => set({ plannedMinutes: Number(minutes) })}
            />
            <SelectField
              label={NEW_SESSION.central}
              hint={NEW_SESSION.centralHint}
              placeholder={points.length === 0 ? NEW_SESSION.centralFirst : NEW_SESSION.centralChoose}
              value={draft.value.central}
              error={fault("missingCentral")}
              groups={[
                {
                  choices: rooms
                    .filter(({ point }) => chosen.has(point.id))
                    .map(({ point }) => ({ value: point.id, label: point.name })),
                },
              ]}
              onChange={(central) => set({ central: central as PointId })}
            />
            <div class="stack">
              <Field
                label={NEW_SESSION.companionUrl}
                hint={NEW_SESSION.companionHint}
                value={draft.value.companionUrl ?? ""}
                maxLength={2_000}
                error={fault("wrongCompanion")}
                onInput={(companionUrl) => set({ companionUrl })}
              />
              {(draft.value.companionUrl || draft.value.companionName) && (
                <Field
                  label={NEW_SESSION.companionName}
                  hint={NEW_SESSION.companionNameHint}
                  value={draft.value.companionName ?? ""}
                  maxLength={80}
                  error={fault("missingCompanionName")}
                  onInput={(companionName) => set({ companionName })}
                />
              )}
            </div>
            <div class="stack">
              <div class="row">
                <Button kind="primary" large submit icon={CalendarPlus} busy={busy.value}>
                  {NEW_SESSION.submit}
                </Button>
              </div>
              <p class="hint">{NEW_SESSION.saved}</p>
            </div>
          </section>
          <fieldset class={`card group stack${fault("missingPoints") ? " group-wrong" : ""}`}>
            <legend class="aside">{NEW_SESSION.points}</legend>
            <div class="row row-between">
              <h2>{NEW_SESSION.points}</h2>
              <output class="soft">{NEW_SESSION.chosen(points.length)}</output>
            </div>
            {fault("missingPoints") && <p class="field-error">{fault("missingPoints")}</p>}
            <p class="hint">{NEW_SESSION.pointsHint}</p>
            <div class="row">
              <FilterBox
                label={NEW_SESSION.filter}
                value={filter.value}
                onInput={(value) => {
                  filter.value = value;
                  pasted.value = null;
                }}
                onPaste={(event) => {
                  const text = event.clipboardData?.getData("text") ?? "";
                  if (!/[\n\t]/.test(text.trim())) return;
                  event.preventDefault();
                  const { found, missing } = findPasted(
                    text,
                    rooms.map(({ point }) => point),
                  );
                  select([...new Set([...points, ...found])]);
                  pasted.value = NEW_SESSION.pasted(found.length, missing);
                }}
              />
              <Button onPress={() => select([...new Set([...points, ...shown.map(({ point }) => point.id)])])}>
                {words.length > 0 ? NEW_SESSION.selectShown : NEW_SESSION.selectAll}
              </Button>
              {last && points.length === 0 && (
                <Button
                  onPress={() =>
                    set({
                      points: last.points.map(({ id }) => id).filter((id) => known.has(id)),
                      central: last.points.find(({ role }) => role === "central")?.id ?? "",
                    })
                  }
                >
                  {NEW_SESSION.likeLast}
                </Button>
              )}
              {points.length > 0 && (
                <Button kind="quiet" onPress={() => select([])}>
                  {NEW_SESSION.clear}
                </Button>
              )}
            </div>
            {pasted.value && <Alert tone="info" title={pasted.value} live />}
            <ul class={`choices${shown.some(({ point }) => point.name.length > LONG_NAME) ? " choices-long" : ""}`}>
              {shown.map((room) => (
                <li key={room.point.id}>
                  <label class="check">
                    <input
                      type="checkbox"
                      checked={chosen.has(room.point.id)}
                      onChange={(event) =>
                        select(
                          event.currentTarget.checked
                            ? [...points, room.point.id]
                            : points.filter((id) => id !== room.point.id),
                        )
                      }
                    />
                    <span>
                      {room.point.name}
                      {!room.box && <span class="soft"> ({NEW_SESSION.noBox})</span>}
                    </span>
                  </label>
                </li>
              ))}
            </ul>
          </fieldset>
        </div>
      </form>
    </Page>
  );
}
