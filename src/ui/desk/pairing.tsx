import { useSignal } from "@preact/signals";
import { Plug } from "lucide-preact";
import { useLocation } from "preact-iso";
import { useEffect, useRef } from "preact/hooks";
import { Button, ButtonLink } from "../design/button.tsx";
import { Confirm } from "../design/dialog.tsx";
import { Field, Segmented, SelectField } from "../design/field.tsx";
import { Alert } from "../design/states.tsx";
import { PAIRING_ALPHABET, PAIRING_CODE_LENGTH, type PointId } from "../../protocol/protocol.ts";
import { WORDS } from "../text/desk.ts";
import { PAIRING } from "../text/pairing.ts";
import { POINTS } from "../text/points.ts";
import { byName } from "../text/format.ts";
import type { PairingTarget, Refusal } from "./api.ts";
import { Page, RefusalAlert } from "./page.tsx";
import { ROUTES } from "./routes.ts";
import { useDesk } from "./store.ts";

const GROUP = PAIRING_CODE_LENGTH / 2;

/** Letters of a code as typed or pasted: upper case, separators dropped. */
const lettersOf = (text: string): string => text.toUpperCase().replace(/[\s.–-]/g, "");
const wrongLetter = (code: string): string | undefined => [...code].find((c) => !PAIRING_ALPHABET.includes(c));

export function PairingPage() {
  const desk = useDesk();
  const { facts } = desk;
  const asked = useLocation().query["diem"];
  const points = [...facts.value.rooms.values()].sort((a, b) => byName(a.point.name, b.point.name));
  const code = useSignal("");
  const mode = useSignal<"existing" | "create">(asked || points.some(({ box }) => !box) ? "existing" : "create");
  const pointId = useSignal(asked ?? "");
  const pointName = useSignal("");
  const tried = useSignal(false);
  const busy = useSignal(false);
  const replacing = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const done = useSignal<string | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const news = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (done.value) news.current?.focus();
  }, [done.value]);

  const chosen = points.find(({ point }) => point.id === pointId.value);
  const bad = wrongLetter(code.value);
  const codeError = bad
    ? PAIRING.badLetter(bad)
    : tried.value && code.value.length < PAIRING_CODE_LENGTH
      ? PAIRING.incomplete(PAIRING_CODE_LENGTH - code.value.length)
      : undefined;
  const pointError = tried.value && mode.value === "existing" && !chosen ? PAIRING.missingPoint : undefined;
  const nameError = tried.value && mode.value === "create" && !pointName.value.trim() ? PAIRING.missingName : undefined;

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    tried.value = true;
    refusal.value = null;
    const wrong =
      wrongLetter(code.value) !== undefined ||
      code.value.length < PAIRING_CODE_LENGTH ||
      (mode.value === "existing" ? !chosen : !pointName.value.trim());
    if (wrong) requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
    else if (mode.value === "existing" && chosen?.box) replacing.value = true;
    else void pair(false);
  }

  async function pair(replace: boolean): Promise<void> {
    const target: PairingTarget =
      mode.value === "create" ? { pointName: pointName.value.trim() } : { pointId: pointId.value as PointId, replace };
    busy.value = true;
    const answer = await desk.api.pair(code.value, target);
    busy.value = false;
    replacing.value = false;
    if (answer.ok) {
      done.value = answer.value.point.name;
      return;
    }
    // Somebody else paired this point in the meantime: the same question, asked late.
    if (answer.code === "pointTaken" && mode.value === "existing") replacing.value = true;
    refusal.value = answer.code;
  }

  function again(): void {
    code.value = "";
    pointId.value = "";
    pointName.value = "";
    tried.value = false;
    done.value = null;
  }

  if (done.value)
    return (
      <Page title={PAIRING.title}>
        <div ref={news} tabIndex={-1} class="stack-wide reading">
          <Alert tone="ok" title={PAIRING.done(done.value)} live>
            <p>{PAIRING.doneText}</p>
          </Alert>
          <div class="row">
            <ButtonLink kind="primary" href={ROUTES.rooms}>
              {PAIRING.seeRooms}
            </ButtonLink>
            <Button icon={Plug} onPress={again}>
              {PAIRING.again}
            </Button>
          </div>
        </div>
      </Page>
    );

  return (
    <Page title={PAIRING.title} lead={<p>{PAIRING.lead}</p>}>
      <div class="columns columns-aside">
        <div class="stack-wide">
          <Alert tone="info" title={PAIRING.waiting(facts.value.waitingBoxes)}>
            {facts.value.waitingBoxes === 0 && <p>{PAIRING.waitingHelp}</p>}
          </Alert>
          {refusal.value && <RefusalAlert code={refusal.value} />}
          <form ref={form} class="card stack-wide" noValidate onSubmit={submit}>
            <CodeField
              code={code.value}
              error={codeError}
              onInput={(value) => {
                code.value = value;
              }}
            />
            <Segmented
              legend={PAIRING.target}
              name="target"
              value={mode.value}
              choices={[
                { value: "existing", label: PAIRING.existing },
                { value: "create", label: PAIRING.create },
              ]}
              onChange={(value) => {
                mode.value = value as "existing" | "create";
              }}
            />
            {mode.value === "existing" ? (
              <SelectField
                label={PAIRING.choose}
                placeholder={PAIRING.choosePlaceholder}
                value={pointId.value}
                error={pointError}
                groups={[
                  { label: PAIRING.free, choices: points.filter(({ box }) => !box).map(choice) },
                  { label: PAIRING.taken, choices: points.filter(({ box }) => box).map(choice) },
                ]}
                onChange={(value) => {
                  pointId.value = value;
                }}
              />
            ) : (
              <Field
                label={PAIRING.name}
                hint={PAIRING.nameHint}
                value={pointName.value}
                maxLength={120}
                error={nameError}
                onInput={(value) => {
                  pointName.value = value;
                }}
              />
            )}
            <div class="row">
              <Button kind="primary" large submit icon={Plug} busy={busy.value}>
                {PAIRING.submit}
              </Button>
            </div>
          </form>
        </div>
        <aside class="stack" aria-labelledby="steps">
          <h2 id="steps">{PAIRING.stepsTitle}</h2>
          <ol class="steps">
            {PAIRING.steps.map((step) => (
              <li key={step}>{step}</li>
            ))}
          </ol>
        </aside>
      </div>
      <Confirm
        open={replacing.value}
        title={PAIRING.replaceTitle(chosen?.point.name ?? "")}
        confirm={PAIRING.replace}
        cancel={WORDS.cancel}
        busy={busy.value}
        onConfirm={() => void pair(true)}
        onCancel={() => {
          replacing.value = false;
        }}
      >
        <p>{PAIRING.replaceText}</p>
        {chosen && chosen.pendingSegments > 0 && (
          <p>
            <b>{POINTS.revokePending(chosen.pendingSegments)}</b>
          </p>
        )}
        <p>{PAIRING.replaceDisk}</p>
      </Confirm>
    </Page>
  );
}

const choice = ({ point }: { point: { id: PointId; name: string } }) => ({ value: point.id, label: point.name });

/** Two boxes of four letters that behave as one: typing runs on, deleting runs back, pasting fills both. */
function CodeField(props: { code: string; error: string | undefined; onInput: (code: string) => void }) {
  const first = useRef<HTMLInputElement>(null);
  const second = useRef<HTMLInputElement>(null);
  const parts = [props.code.slice(0, GROUP), props.code.slice(GROUP)];
  const put = (part: number, typed: string) => {
    const letters = lettersOf(typed);
    const whole = part === 0 ? letters + (letters.length > GROUP ? "" : parts[1]!) : parts[0]! + letters;
    props.onInput(whole.slice(0, PAIRING_CODE_LENGTH));
    if (part === 0 && letters.length >= GROUP) second.current?.focus();
  };
  const box = (part: number) => (
    <input
      ref={part === 0 ? first : second}
      type="text"
      value={parts[part]}
      aria-label={part === 0 ? PAIRING.first : PAIRING.second}
      aria-invalid={props.error ? "true" : undefined}
      aria-describedby={props.error ? "code-hint code-error" : "code-hint"}
      autocomplete="off"
      autocapitalize="characters"
      spellcheck={false}
      onInput={(event) => put(part, event.currentTarget.value)}
      onKeyDown={(event) => {
        if (part === 1 && event.key === "Backspace" && !parts[1]) first.current?.focus();
      }}
    />
  );
  return (
    <fieldset class={`group code${props.error ? " field-wrong" : ""}`}>
      <legend>{PAIRING.code}</legend>
      <p class="hint" id="code-hint">
        {PAIRING.codeHint}
      </p>
      {props.error && (
        <p class="field-error" id="code-error">
          {props.error}
        </p>
      )}
      <div class="row">
        {box(0)}
        <span aria-hidden="true">–</span>
        {box(1)}
      </div>
    </fieldset>
  );
}
