import { useSignal } from "@preact/signals";
import { Download, Usb } from "lucide-preact";
import { useEffect, useRef } from "preact/hooks";
import type { StickDefaultsView, StickView } from "../../hub/http/views.ts";
import type { StickFault, StickField } from "../../protocol/protocol.ts";
import { Button } from "../design/button.tsx";
import { Field, Segmented } from "../design/field.tsx";
import { Alert, Skeleton } from "../design/states.tsx";
import { WORDS } from "../text/desk.ts";
import { STICK } from "../text/pairing.ts";
import { stickFieldRepair } from "../text/stick.ts";
import type { Refusal } from "./api.ts";
import { Page, RefusalAlert } from "./page.tsx";
import { saveText } from "./save.ts";
import { useDesk } from "./store.ts";

const listOf = (text: string): string[] => text.split(/[\s,;]+/).filter(Boolean);
const EMPTY = { host: "", port: "", address: "", gateway: "", dns: "", vlan: "", proxy: "", ntp: "" };
type Typed = typeof EMPTY;

/** Makes the file with which a USB stick tells a new box where its hub is. */
export function StickPage() {
  const { api } = useDesk();
  const defaults = useSignal<StickDefaultsView | null>(null);
  const typed = useSignal<Typed>(EMPTY);
  const fixed = useSignal(false);
  const faults = useSignal<StickFault[]>([]);
  const refusal = useSignal<Refusal | null>(null);
  const made = useSignal<StickView | null>(null);
  const busy = useSignal(false);
  const form = useRef<HTMLFormElement>(null);
  const news = useRef<HTMLDivElement>(null);
  useEffect(() => {
    void api.stickDefaults().then((answer) => {
      if (!answer.ok) {
        refusal.value = answer.code;
        return;
      }
      const { hosts, port } = answer.value;
      defaults.value = answer.value;
      typed.value = { ...typed.value, host: hosts[0] ?? "", port: String(port) };
    });
  }, [api]);
  useEffect(() => {
    if (made.value) news.current?.focus();
  }, [made.value]);

  async function make(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const { host, port, vlan, proxy, address, gateway, dns, ntp } = typed.value;
    const own = fixed.value ? { address, gateway, dns: listOf(dns) } : { address: "", gateway: "", dns: [] };
    // A fixed address that was not typed is missing, and not left to DHCP.
    if (fixed.value && address.trim() === "") {
      show([{ code: "missing", field: "network.address" }], "badStick");
      return;
    }
    busy.value = true;
    const answer = await api.makeStick({ host, port, network: { ...own, vlan, proxy }, ntp: listOf(ntp) });
    busy.value = false;
    if (answer.ok) {
      show([], null);
      made.value = answer.value;
    } else show(answer.faults ?? [], answer.code);
  }
  function show(found: StickFault[], code: Refusal | null): void {
    faults.value = found;
    refusal.value = code;
    if (code) requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  }

  const box = (key: keyof Typed, label: string, field: StickField, hint?: string) => (
    <Field
      label={label}
      hint={hint}
      value={typed.value[key]}
      maxLength={300}
      narrow={key === "port" || key === "vlan"}
      error={stickFieldRepair(faults.value, field)}
      onInput={(value) => {
        typed.value = { ...typed.value, [key]: value };
      }}
    />
  );
  const steps = (
    <aside class="stack" aria-labelledby="steps">
      <h2 id="steps">{STICK.stepsTitle}</h2>
      <ol class="steps">
        {STICK.steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
    </aside>
  );
  if (made.value) {
    const { fileName, text } = made.value;
    return (
      <Page title={STICK.title}>
        <div class="columns columns-aside">
          <div ref={news} tabIndex={-1} class="stack-wide">
            <Alert tone="ok" title={STICK.made} live>
              <p>{STICK.madeText}</p>
            </Alert>
            <section class="card stack" aria-labelledby="preview">
              <h2 id="preview">{STICK.preview(fileName)}</h2>
              <pre class="stick-file">{text}</pre>
            </section>
            <div class="row">
              <Button kind="primary" large icon={Download} onPress={() => saveText(fileName, text)}>
                {STICK.download}
              </Button>
              <Button
                onPress={() => {
                  made.value = null;
                }}
              >
                {STICK.change}
              </Button>
            </div>
          </div>
          {steps}
        </div>
      </Page>
    );
  }
  return (
    <Page title={STICK.title} lead={<p>{STICK.lead}</p>}>
      <div class="columns columns-aside">
        <div class="stack-wide">
          {refusal.value && <RefusalAlert code={refusal.value} />}
          {!defaults.value ? (
            !refusal.value && <Skeleton lines={5} label={WORDS.loading} />
          ) : (
            <form ref={form} class="card stack-wide" noValidate onSubmit={(event) => void make(event)}>
              {box("host", STICK.host, "hub.host", STICK.hostHint)}
              {box("port", STICK.port, "hub.port")}
              <div class="stack">
                <p>
                  <b>{STICK.fingerprint}</b>
                </p>
                <p class="hint">{STICK.fingerprintHint}</p>
                <p class="stick-print">
                  {defaults.value.caSha256
                    .split(":")
                    .flatMap((pair, at) => (at === 0 ? [pair] : [":", <wbr key={at} />, pair]))}
                </p>
              </div>
              <Segmented
                legend={STICK.way}
                name="way"
                value={fixed.value ? "fixed" : "dhcp"}
                choices={[
                  { value: "dhcp", label: STICK.dhcp },
                  { value: "fixed", label: STICK.fixed },
                ]}
                onChange={(value) => {
                  fixed.value = value === "fixed";
                }}
              />
              {fixed.value ? (
                <>
                  {box("address", STICK.address, "network.address", STICK.addressHint)}
                  {box("gateway", STICK.gateway, "network.gateway", STICK.gatewayHint)}
                  {box("dns", STICK.dns, "network.dns", STICK.dnsHint)}
                </>
              ) : (
                <p class="hint">{STICK.dhcpHint}</p>
              )}
              <details
                class="stack"
                open={["network.vlan", "network.proxy", "ntp"].some((field) =>
                  faults.value.some((fault) => "field" in fault && fault.field === field),
                )}
              >
                <summary>{STICK.more}</summary>
                <div class="stack-wide">
                  {box("vlan", STICK.vlan, "network.vlan", STICK.vlanHint)}
                  {box("proxy", STICK.proxy, "network.proxy", STICK.proxyHint)}
                  {box("ntp", STICK.ntp, "ntp", STICK.ntpHint)}
                </div>
              </details>
              <div class="row">
                <Button kind="primary" large submit icon={Usb} busy={busy.value}>
                  {STICK.submit}
                </Button>
              </div>
            </form>
          )}
        </div>
        {steps}
      </div>
    </Page>
  );
}
