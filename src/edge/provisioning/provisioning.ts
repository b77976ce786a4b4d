import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { causeOf, makeDirectory, runForever, writeDurable, type Clock, type Log } from "../../platform/platform.ts";
import {
  STICK_FILE,
  type ResetOutcome,
  type RoomNetwork,
  type RoomStick,
  type SignedRecord,
  type Stick,
} from "../../protocol/protocol.ts";
import { diagnose, type HubProbe, type Wire } from "./diagnosis.ts";
import { discoverySteps, lookForHub, type FoundHub, type Resolvers } from "./discovery.ts";
import { keepStick, KEPT_STICK, lookAtStick } from "./kept-stick.ts";
import { readNetworkWords } from "./leases.ts";
import { askByMulticast } from "./mdns.ts";
import { openProxyDoor, placeOfProxy, type ProxyDoor } from "./proxy-door.ts";
import { beginReset, finishReset, judgeReset, lookForReset, orderOf } from "./reset.ts";
import { readWires } from "./wires.ts";

export { beginReset, finishReset, judgeReset, orderOf };

const folder = z.string().min(1);
export const ProvisioningConfig = z.strictObject({
  /** Where a stick's files are while it is plugged in. */
  stickDirectory: folder.optional(),
  /** Where root's units look for what this box asks of them. */
  requestDirectory: folder.optional(),
});
export type ProvisioningConfig = z.infer<typeof ProvisioningConfig>;

/** A request for root's network unit: apply what the kept stick says. */
const NETWORK_REQUEST = "network";

/** What the way to the hub needs of the rest of the agent. */
export interface Needs {
  /** The hub speaks with this box now, paired or with a code on the screen. */
  reached: () => boolean;
  inSession: () => boolean;
  /** Authority of the hub that this box is paired with, SHA-256. */
  ownCaSha256: () => string | undefined;
  /** All recordings on the disk are known: before that nobody can say what a reset would lose. */
  settled: () => boolean;
  /** An order on a stick; undefined where its file cannot be read. Carried out where it is obeyed. */
  onReset: (signed: SignedRecord | undefined) => ResetOutcome;
  onChange: () => void;
}

export interface ProvisioningOptions {
  log: Log;
  clock: Clock;
  dataDirectory: string;
  config: ProvisioningConfig;
  baked: { host?: string | undefined; port: number; caSha256?: string | undefined };
  /** Asks whoever is at `address` who it is. */
  probe: (address: Address, signal: AbortSignal) => Promise<{ caSha256: string; hubMs: number | null }>;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** How a box finds its hub: by what a stick says, what is baked in, and what the network says. */
export interface Provisioning extends AsyncDisposable {
  /** Where to dial now; changes while the agent runs. */
  readonly hub: Address;
  /** Pinned by stick or configuration. */
  caSha256(): string | undefined;
  /** As people read it; empty while nobody knows. */
  shownHub(): string;
  network(): RoomNetwork;
  stick(): RoomStick | null;
  run(needs: Needs, signal: AbortSignal): Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
/** A hub that restarts is back within this; only then is it looked for elsewhere. */
const PATIENCE_MS = 15_000;
const SEARCH_AGAIN_MS = 4_000;
const DNS_WITHIN_MS = 2_000;

const Found = z.object({ source: z.enum(["dhcp", "dns", "mdns"]), host: z.string(), port: z.number() });
const FOUND_FILE = "provisioning/found.json";

/**
 * INVARIANTS
 * - What the network says is an address and nothing more: with a fingerprint from stick, configuration or pairing, another
 *   hub is never dialled for longer than it takes to see that it is another.
 * - A stick is judged whole before any of it is used; it is kept durably before it is used.
 * - Nothing of the network changes while a session is being recorded.
 */
class BoxProvisioning implements Provisioning {
  readonly #options: ProvisioningOptions;
  readonly hub: Address;
  #kept: Stick | null;
  #current: FoundHub | null;
  #door: ProxyDoor | undefined;
  #plugged: RoomStick | null = null;
  #seen = "";
  /** The order that lies on the stick now, and what became of it: each is judged once for each plugging in. */
  #order: { text: string; outcome: ResetOutcome } | undefined;
  #wires: { wires: Wire[]; hasRoute: boolean } = { wires: [], hasRoute: false };
  #probe: HubProbe | undefined;
  /** Ends a search that a new stick has overtaken. */
  #search = new AbortController();

  constructor(options: ProvisioningOptions, kept: Stick | null, remembered: FoundHub | null) {
    this.#options = options;
    this.#kept = kept;
    const { baked } = options;
    this.#current = kept
      ? { source: "stick", ...kept.hub }
      : baked.host === undefined
        ? remembered
        : { source: "baked", host: baked.host, port: baked.port };
    // oxlint-disable-next-line typescript/no-this-alias -- read at each dial
    const self = this;
    this.hub = {
      get host() {
        return self.#door ? "127.0.0.1" : (self.#current?.host ?? "");
      },
      get port() {
        return self.#door?.port ?? self.#current?.port ?? 0;
      },
    };
  }

  caSha256(): string | undefined {
    return this.#kept?.hub.caSha256 ?? this.#options.baked.caSha256;
  }

  shownHub(): string {
    if (!this.#current) return "";
    const { host, port } = this.#current;
    return `${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  network(): RoomNetwork {
    const { clock } = this.#options;
    const { wires, hasRoute } = this.#wires;
    const source = this.#current?.source ?? null;
    return {
      trouble: diagnose({
        ...{ wires, hasRoute, wallMs: clock.wallMs(), hubKnown: this.#current !== null, probe: this.#probe },
      }),
      macs: wires.toSorted((a, b) => Number(b.carrier) - Number(a.carrier)).map(({ mac }) => mac),
      hubSource: source,
      // A password is typed there: what the network says is not enough to send a person to.
      pairingPage: source === "stick" || source === "baked" ? `https://${this.shownHub()}/ghep-thiet-bi` : null,
    };
  }

  stick(): RoomStick | null {
    return this.#plugged;
  }

  async openDoor(): Promise<void> {
    await this.#door?.[Symbol.asyncDispose]();
    const proxy = this.#kept?.network?.proxy;
    this.#door =
      proxy === undefined
        ? undefined
        : await openProxyDoor(this.#options.log, placeOfProxy(proxy), () => this.#current ?? undefined);
  }

  async run(needs: Needs, signal: AbortSignal): Promise<void> {
    const { log, clock } = this.#options;
    const loop = (name: string, everyMs: number, once: (signal: AbortSignal) => Promise<void>) =>
      runForever({ name, clock, log, baseMs: everyMs, capMs: 30_000 }, signal, async (signal) => {
        await once(signal);
        await clock.sleep(everyMs, signal);
      });
    let awaySinceMs = -Infinity;
    await Promise.all([
      loop("stick", LOOK_EVERY_MS, () => this.#lookAtStick(needs)),
      loop("wires", LOOK_EVERY_MS, async () => {
        // Whoever speaks with the hub has a line.
        if (!needs.reached() || this.#wires.wires.length === 0) await this.#lookAtWires(needs);
      }),
      loop("discovery", SEARCH_AGAIN_MS, async (signal) => {
        if (needs.reached()) {
          awaySinceMs = clock.monotonicMs();
          if (this.#probe?.outcome !== "answered") this.#probe = { outcome: "answered", clockOffMs: null };
        } else if (clock.monotonicMs() - awaySinceMs >= PATIENCE_MS) await this.#find(needs, signal);
      }),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#door?.[Symbol.asyncDispose]();
  }

  async #lookAtWires({ onChange }: Needs): Promise<void> {
    const before = JSON.stringify(this.#wires);
    this.#wires = await readWires();
    if (JSON.stringify(this.#wires) !== before) onChange();
  }

  async #lookAtStick(needs: Needs): Promise<void> {
    const { log, config } = this.#options;
    if (config.stickDirectory === undefined) return;
    const before = JSON.stringify(this.#plugged);
    const reset = needs.settled() ? await lookForReset(config.stickDirectory) : undefined;
    if (!reset) this.#order = undefined;
    else if (reset.text !== this.#order?.text) this.#order = { text: reset.text, outcome: needs.onReset(reset.signed) };
    const look = await lookAtStick(join(config.stickDirectory, STICK_FILE));
    if (this.#order) this.#plugged = { state: "reset", outcome: this.#order.outcome };
    else if (look.state === "none") this.#plugged = null;
    else if (look.state === "faulty") {
      this.#plugged = { state: "faulty", faults: look.faults.slice(0, 4) };
      const text = JSON.stringify(look.faults);
      if (text !== this.#seen) log.warn("stick.faulty", { faults: text });
      this.#seen = text;
    } else {
      const own = needs.ownCaSha256();
      const isNew = JSON.stringify(look.stick) !== JSON.stringify(this.#kept);
      if (own !== undefined && own !== look.stick.hub.caSha256) this.#plugged = { state: "otherHub" };
      else if (isNew && needs.inSession()) this.#plugged = { state: "waiting" };
      else {
        if (isNew) await this.#take(look.stick);
        this.#plugged = { state: "taken" };
      }
    }
    if (JSON.stringify(this.#plugged) !== before) needs.onChange();
  }

  async #take(stick: Stick): Promise<void> {
    const { log, dataDirectory, config, clock } = this.#options;
    await keepStick(dataDirectory, stick);
    this.#kept = stick;
    this.#current = { source: "stick", host: stick.hub.host, port: stick.hub.port };
    this.#probe = undefined;
    await this.openDoor();
    this.#search.abort();
    this.#search = new AbortController();
    log.info("stick.taken", { hub: this.shownHub(), network: stick.network !== undefined });
    if (config.requestDirectory !== undefined)
      await writeDurable(join(config.requestDirectory, NETWORK_REQUEST), `${Math.floor(clock.wallMs())}\n`, 0o644);
  }

  /** One round over all that may lead to the hub, until one answers that may be it. */
  async #find(needs: Needs, ending: AbortSignal): Promise<void> {
    const { log, clock, baked } = this.#options;
    const signal = AbortSignal.any([ending, this.#search.signal]);
    const kept = this.#kept;
    const steps = discoverySteps({
      stick: kept,
      baked: { host: baked.host, port: baked.port },
      words: await readNetworkWords(),
    });
    const resolvers: Resolvers = {
      srv: resolveSrv,
      mdns: (name, signal) => askByMulticast(name, clock, signal),
    };
    const pinned = needs.ownCaSha256() ?? this.caSha256();
    let nearest: HubProbe | undefined;
    for await (const found of lookForHub(steps, resolvers, signal)) {
      const probe = await this.#ask(found, pinned, signal);
      if (signal.aborted) return;
      nearest = nearer(nearest, probe);
      if (probe.outcome !== "answered") continue;
      if (this.#current?.host !== found.host || this.#current.port !== found.port) {
        log.info("hub.found", { ...found });
        await this.#remember(found);
      }
      this.#current = found;
      break;
    }
    this.#probe = nearest;
    needs.onChange();
  }

  async #ask(found: FoundHub, pinned: string | undefined, signal: AbortSignal): Promise<HubProbe> {
    const { log, clock, probe } = this.#options;
    const before = this.#current;
    // A proxy's door leads to whatever is the hub's address now.
    if (this.#door) this.#current = found;
    try {
      const { caSha256, hubMs } = await probe(this.#door ? this.hub : found, signal);
      if (pinned !== undefined && caSha256 !== pinned) {
        log.warn("hub.another", { ...found, expected: pinned, found: caSha256 });
        return { outcome: "otherHub" };
      }
      return { outcome: "answered", clockOffMs: hubMs === null ? null : hubMs - clock.wallMs() };
    } catch (error) {
      if (!signal.aborted) log.info("hub.silent", { ...found, cause: causeOf(error) });
      return { outcome: isNameUnknown(error) ? "noName" : "unreachable" };
    } finally {
      if (this.#door) this.#current = before ?? found;
    }
  }

  async #remember(found: FoundHub): Promise<void> {
    const { dataDirectory } = this.#options;
    if (!Found.safeParse(found).success) return;
    await makeDirectory(join(dataDirectory, "provisioning"));
    await writeDurable(join(dataDirectory, FOUND_FILE), `${JSON.stringify(found)}\n`);
  }
}

/** What got furthest says most about what is wrong. */
const FAR: HubProbe["outcome"][] = ["noName", "unreachable", "otherHub", "answered"];
const nearer = (a: HubProbe | undefined, b: HubProbe): HubProbe =>
  a && FAR.indexOf(a.outcome) >= FAR.indexOf(b.outcome) ? a : b;

const isNameUnknown = (error: unknown): boolean =>
  ["ENOTFOUND", "EAI_AGAIN", "ENODATA"].includes((error as NodeJS.ErrnoException).code ?? "");

async function resolveSrv(name: string, signal: AbortSignal): Promise<{ host: string; port: number }[]> {
  const resolver = new Resolver({ timeout: DNS_WITHIN_MS, tries: 1 });
  const cancel = () => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const records = await resolver.resolveSrv(name);
    return records
      .toSorted((a, b) => a.priority - b.priority || b.weight - a.weight)
      .map(({ name, port }) => ({ host: name.replace(/\.$/, ""), port }));
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** Reads what was kept of sticks and searches of before. A kept stick that cannot be read counts as none. */
export async function openProvisioning(options: ProvisioningOptions): Promise<Provisioning> {
  const { dataDirectory, log } = options;
  const kept = await lookAtStick(join(dataDirectory, KEPT_STICK));
  if (kept.state === "faulty") log.error("stick.keptUnusable", { faults: JSON.stringify(kept.faults) });
  const remembered = await readFile(join(dataDirectory, FOUND_FILE), "utf8")
    .then((text) => Found.parse(JSON.parse(text)))
    .catch(() => null);
  const provisioning = new BoxProvisioning(options, kept.state === "good" ? kept.stick : null, remembered);
  await provisioning.openDoor();
  return provisioning;
}
