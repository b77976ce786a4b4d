import { useSignal } from "@preact/signals";
import { Pencil, UserPlus } from "lucide-preact";
import { useEffect } from "preact/hooks";
import type { AccountView, OneTimePasswordView } from "../../hub/http/views.ts";
import { LOGIN, ROLES, type Role } from "../../protocol/protocol.ts";
import { Button, IconButton } from "../design/button.tsx";
import { Confirm } from "../design/dialog.tsx";
import { Field, SelectField } from "../design/field.tsx";
import { Alert, Badge, Skeleton } from "../design/states.tsx";
import { type Column, DataTable } from "../design/table.tsx";
import { WORDS } from "../text/desk.ts";
import { byName } from "../text/format.ts";
import { askName, PEOPLE, ROLE_NAMES, ROLE_TEXTS } from "../text/people.ts";
import type { Answer, Refusal } from "./api.ts";
import { Ask } from "./ask.tsx";
import { Page, RefusalAlert } from "./page.tsx";
import { useDesk } from "./store.ts";

type Asking = { account: AccountView; act: "close" | "renew" };

/** Who may sign in, as what; accounts are closed and never removed. */
export function PeoplePage() {
  const { api, user } = useDesk();
  const accounts = useSignal<AccountView[] | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const given = useSignal<OneTimePasswordView | null>(null);
  const done = useSignal<string | null>(null);
  const asking = useSignal<Asking | null>(null);
  const renaming = useSignal<AccountView | null>(null);
  const busy = useSignal(false);

  const look = async () => {
    const answer = await api.accounts();
    if (answer.ok) accounts.value = answer.value.sort((a, b) => byName(a.name, b.name));
    else refusal.value = answer.code;
  };
  useEffect(() => void look(), []);

  async function perform<T>(ask: () => Promise<Answer<T>>, onDone: (value: T) => void): Promise<boolean> {
    busy.value = true;
    refusal.value = given.value = done.value = null;
    const answer = await ask();
    busy.value = false;
    asking.value = renaming.value = null;
    if (answer.ok) onDone(answer.value);
    else refusal.value = answer.code;
    await look();
    return answer.ok;
  }
  const change = (account: AccountView, to: { name?: string; role?: Role; closed?: boolean }) =>
    perform(
      () => api.changeAccount(account.id, to),
      ({ id, name, role }) => {
        done.value = PEOPLE.done(name);
        if (user.value?.id === id) user.value = { ...user.value, name, role };
      },
    );
  const keep = (value: OneTimePasswordView): void => {
    given.value = value;
  };

  const columns: Column<AccountView>[] = [
    {
      key: "name",
      head: PEOPLE.name,
      names: true,
      value: ({ name }) => name,
      cell: (account) => (
        <span class="people-name">
          <span>
            {account.name} {account.id === user.value?.id && <span class="soft">({PEOPLE.you})</span>}
          </span>
          <IconButton
            icon={Pencil}
            label={PEOPLE.renameOf(account.name)}
            onPress={() => {
              renaming.value = account;
            }}
          />
        </span>
      ),
    },
    { key: "login", head: PEOPLE.login, value: ({ login }) => login, cell: ({ login }) => login },
    {
      key: "role",
      head: PEOPLE.role,
      value: ({ role }) => ROLES.indexOf(role),
      cell: (account) => (
        <select
          aria-label={PEOPLE.rename(account.name)}
          value={account.role}
          disabled={busy.value || account.closedAt !== null}
          onChange={(event) => {
            const role = event.currentTarget.value as Role;
            // Until the hub has said so, it is as it was.
            event.currentTarget.value = account.role;
            void change(account, { role });
          }}
        >
          {ROLES.map((role) => (
            <option key={role} value={role}>
              {ROLE_NAMES[role]}
            </option>
          ))}
        </select>
      ),
    },
    {
      key: "state",
      head: PEOPLE.state,
      value: ({ closedAt, mustChangePassword }) => (closedAt ? 2 : mustChangePassword ? 1 : 0),
      cell: ({ closedAt, mustChangePassword }) =>
        closedAt ? (
          <Badge>{PEOPLE.closed}</Badge>
        ) : mustChangePassword ? (
          <Badge tone="warn">{PEOPLE.newPassword}</Badge>
        ) : (
          <Badge tone="ok">{PEOPLE.open}</Badge>
        ),
    },
    {
      key: "actions",
      head: WORDS.actions,
      headUnseen: true,
      align: "end",
      cell: (account) =>
        account.closedAt ? (
          <Button
            label={PEOPLE.reopenOf(account.name)}
            busy={busy.value}
            onPress={() => void change(account, { closed: false })}
          >
            {PEOPLE.reopen}
          </Button>
        ) : (
          <span class="row-tight">
            <Button
              label={PEOPLE.renewOf(account.name)}
              onPress={() => {
                asking.value = { account, act: "renew" };
              }}
            >
              {PEOPLE.renew}
            </Button>
            <Button
              label={PEOPLE.closeOf(account.name)}
              onPress={() => {
                asking.value = { account, act: "close" };
              }}
            >
              {PEOPLE.close}
            </Button>
          </span>
        ),
    },
  ];
  const asked = asking.value;
  return (
    <Page title={PEOPLE.title} lead={<p>{PEOPLE.lead}</p>}>
      <div class="stack-wide">
        {refusal.value && <RefusalAlert code={refusal.value} />}
        {done.value && <Alert tone="ok" title={done.value} live />}
        {given.value && (
          <Alert tone="ok" title={PEOPLE.password(given.value.account.name)} live>
            <p class="one-time">{given.value.password}</p>
            <p>{PEOPLE.passwordText(given.value.account.login)}</p>
          </Alert>
        )}
        <NewAccount busy={busy.value} onCreate={(account) => perform(() => api.createAccount(account), keep)} />
        {accounts.value === null ? (
          <Skeleton lines={3} label={WORDS.loading} />
        ) : (
          <DataTable
            caption={PEOPLE.title}
            rows={accounts.value}
            columns={columns}
            rowKey={({ id }) => id}
            filterLabel={PEOPLE.filter}
            sort={{ key: "name" }}
          />
        )}
      </div>
      <Confirm
        open={asked !== null}
        title={asked ? (asked.act === "close" ? PEOPLE.closeTitle : PEOPLE.renewTitle)(asked.account.name) : ""}
        confirm={asked?.act === "renew" ? PEOPLE.renewConfirm : PEOPLE.closeConfirm}
        cancel={PEOPLE.cancel}
        busy={busy.value}
        onConfirm={() => {
          if (!asked) return;
          if (asked.act === "close") void change(asked.account, { closed: true });
          else void perform(() => api.renewPassword(asked.account.id), keep);
        }}
        onCancel={() => {
          asking.value = null;
        }}
      >
        <p>{asked?.act === "renew" ? PEOPLE.renewText : PEOPLE.closeText}</p>
      </Confirm>
      <Ask
        words={renaming.value && askName(renaming.value.name)}
        busy={busy.value}
        onAnswer={(name) => renaming.value && void change(renaming.value, { name: name ?? renaming.value.name })}
        onCancel={() => {
          renaming.value = null;
        }}
      />
    </Page>
  );
}

function NewAccount(props: {
  busy: boolean;
  onCreate: (account: { login: string; name: string; role: Role }) => Promise<boolean>;
}) {
  const name = useSignal("");
  const login = useSignal("");
  const role = useSignal<Role>("operator");
  const tried = useSignal(false);
  const asTyped = login.value.trim().toLowerCase();
  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    tried.value = true;
    if (name.value.trim() === "" || !LOGIN.test(asTyped)) return;
    if (!(await props.onCreate({ login: asTyped, name: name.value.trim(), role: role.value }))) return;
    name.value = login.value = "";
    tried.value = false;
  }
  return (
    <form class="card stack" noValidate aria-label={PEOPLE.create} onSubmit={(event) => void submit(event)}>
      <h2>{PEOPLE.create}</h2>
      <div class="people-new">
        <Field
          label={PEOPLE.name}
          hint={PEOPLE.nameHint}
          value={name.value}
          maxLength={80}
          error={tried.value && name.value.trim() === "" ? PEOPLE.missingName : undefined}
          onInput={(value) => {
            name.value = value;
          }}
        />
        <Field
          label={PEOPLE.login}
          hint={PEOPLE.loginHint}
          value={login.value}
          maxLength={64}
          error={tried.value && !LOGIN.test(asTyped) ? PEOPLE.wrongLogin : undefined}
          onInput={(value) => {
            login.value = value;
          }}
        />
        <SelectField
          label={PEOPLE.role}
          hint={ROLE_TEXTS[role.value]}
          value={role.value}
          groups={[{ choices: ROLES.map((value) => ({ value, label: ROLE_NAMES[value] })) }]}
          onChange={(value) => {
            role.value = value as Role;
          }}
        />
      </div>
      <div class="row">
        <Button kind="primary" submit icon={UserPlus} busy={props.busy}>
          {PEOPLE.submit}
        </Button>
      </div>
    </form>
  );
}
