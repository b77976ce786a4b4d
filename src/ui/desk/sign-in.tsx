import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "../design/button.tsx";
import { Field } from "../design/field.tsx";
import { Alert } from "../design/states.tsx";
import { NEW_PASSWORD, NAV, SIGN_IN } from "../text/desk.ts";
import { PRODUCT, PRODUCT_LONG } from "../text/terms.ts";
import type { Refusal } from "./api.ts";
import icon from "./icon.svg";
import { RefusalAlert } from "./page.tsx";
import { HubBanner } from "./shell.tsx";
import { useDesk } from "./store.ts";

function Door({ title, children }: { title: string; children: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} – ${PRODUCT}`;
  }, [title]);
  return (
    <div class="door">
      <HubBanner />
      <header class="door-brand">
        <img src={icon} width={40} height={40} alt="" />
        <p>
          <b>{PRODUCT}</b>
          <span class="soft">{PRODUCT_LONG}</span>
        </p>
      </header>
      <main class="card stack-wide">
        <h1>{title}</h1>
        {children}
      </main>
    </div>
  );
}

/** Moves the focus to the first field with an error after a refused attempt. */
const focusWrong = (form: HTMLFormElement | null) =>
  requestAnimationFrame(() => form?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());

export function SignIn() {
  const desk = useDesk();
  const login = useSignal("");
  const password = useSignal("");
  const shown = useSignal(false);
  const tried = useSignal(false);
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const form = useRef<HTMLFormElement>(null);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    tried.value = true;
    refusal.value = null;
    if (!login.value || !password.value) {
      focusWrong(form.current);
      return;
    }
    busy.value = true;
    const answer = await desk.api.signIn(login.value, password.value);
    busy.value = false;
    if (!answer.ok) {
      refusal.value = answer.code;
      return;
    }
    desk.password.value = password.value;
    desk.expired.value = false;
    desk.user.value = answer.value;
  }

  const required = (value: string) => (tried.value && !value ? SIGN_IN.required : undefined);
  return (
    <Door title={SIGN_IN.title}>
      {desk.expired.value && <Alert tone="info" title={SIGN_IN.expired} />}
      {refusal.value && <RefusalAlert code={refusal.value} />}
      <form ref={form} class="stack-wide" noValidate onSubmit={(event) => void submit(event)}>
        <Field
          label={SIGN_IN.login}
          value={login.value}
          autocomplete="username"
          error={required(login.value)}
          onInput={(value) => {
            login.value = value;
          }}
        />
        <div class="stack">
          <Field
            label={SIGN_IN.password}
            type={shown.value ? "text" : "password"}
            value={password.value}
            autocomplete="current-password"
            error={required(password.value)}
            onInput={(value) => {
              password.value = value;
            }}
          />
          <ShowPassword shown={shown.value} onChange={(value) => (shown.value = value)} />
        </div>
        <div class="row">
          <Button kind="primary" large submit busy={busy.value}>
            {SIGN_IN.submit}
          </Button>
        </div>
      </form>
    </Door>
  );
}

function ShowPassword({ shown, onChange }: { shown: boolean; onChange: (shown: boolean) => void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={shown} onChange={(event) => onChange(event.currentTarget.checked)} />
      {SIGN_IN.show}
    </label>
  );
}

const PASSWORD_LENGTH = 12;

export function NewPassword() {
  const desk = useDesk();
  // Known from signing in, unless the page was loaded anew since.
  const known = desk.password.value;
  const current = useSignal("");
  const next = useSignal("");
  const shown = useSignal(false);
  const tried = useSignal(false);
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const missing = Math.max(0, PASSWORD_LENGTH - [...next.value].length);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    tried.value = true;
    refusal.value = null;
    if (missing > 0 || (known === null && !current.value)) {
      focusWrong(form.current);
      return;
    }
    busy.value = true;
    const answer = await desk.api.changePassword(known ?? current.value, next.value);
    busy.value = false;
    if (answer.ok) desk.user.value = answer.value;
    else refusal.value = answer.code;
  }

  return (
    <Door title={NEW_PASSWORD.title}>
      <p>{NEW_PASSWORD.lead}</p>
      {refusal.value && <RefusalAlert code={refusal.value} />}
      <form ref={form} class="stack-wide" noValidate onSubmit={(event) => void submit(event)}>
        {known === null && (
          <Field
            label={NEW_PASSWORD.current}
            type={shown.value ? "text" : "password"}
            value={current.value}
            autocomplete="current-password"
            error={tried.value && !current.value ? SIGN_IN.required : undefined}
            onInput={(value) => {
              current.value = value;
            }}
          />
        )}
        <div class="stack">
          <Field
            label={NEW_PASSWORD.next}
            hint={NEW_PASSWORD.hint}
            type={shown.value ? "text" : "password"}
            value={next.value}
            autocomplete="new-password"
            error={tried.value && missing > 0 ? NEW_PASSWORD.tooShort(missing) : undefined}
            onInput={(value) => {
              next.value = value;
            }}
          />
          <ShowPassword shown={shown.value} onChange={(value) => (shown.value = value)} />
        </div>
        <div class="row">
          <Button kind="primary" large submit busy={busy.value}>
            {NEW_PASSWORD.submit}
          </Button>
          <Button kind="quiet" onPress={() => void desk.signOut()}>
            {NAV.signOut}
          </Button>
        </div>
      </form>
    </Door>
  );
}
