import type { Stick } from "../../protocol/protocol.ts";
import type { NetworkWords } from "./leases.ts";

/** Who named the hub's address, in the order in which they are asked. */
export type HubSource = "stick" | "baked" | "dhcp" | "dns" | "mdns";

export interface FoundHub {
  source: HubSource;
  host: string;
  port: number;
}

export type DiscoveryStep =
  | ({ find: "address" } & FoundHub)
  | { find: "srv"; name: string }
  | { find: "mdns"; name: string };

export const SERVICE = "_diemcau._tcp";
/** A name for administrators who can make A records only. */
const HUB_NAME = "diemcau-hub";
const DEFAULT_PORT = 8443;
/** A search list longer than this is somebody's mistake. */
const MAX_DOMAINS = 4;

/**
 * Where to look for the hub, in order: stick, baked in, DHCP option 224, DNS in the search domains, mDNS; pure. Every one
 * gives an address only: who the hub is, is proven by its authority's fingerprint or by the pairing code.
 */
export function discoverySteps(known: {
  stick: Stick | null;
  baked: { host: string | undefined; port: number };
  words: NetworkWords;
}): DiscoveryStep[] {
  const { stick, baked, words } = known;
  const domains = words.domains
    .map((name) => name.replace(/\.$/, "").toLowerCase())
    .filter((name) => /^[a-z0-9.-]{1,200}$/.test(name) && name !== "local")
    .slice(0, MAX_DOMAINS);
  const at = (source: HubSource, host: string, port: number): DiscoveryStep => ({
    find: "address",
    source,
    host,
    port,
  });
  return [
    ...(stick ? [at("stick", stick.hub.host, stick.hub.port)] : []),
    ...(baked.host === undefined ? [] : [at("baked", baked.host, baked.port)]),
    ...words.hubs.flatMap((text) => {
      const hub = hubOfOption(text);
      return hub ? [at("dhcp", hub.host, hub.port)] : [];
    }),
    ...domains.flatMap((domain) => [
      { find: "srv" as const, name: `${SERVICE}.${domain}` },
      at("dns", `${HUB_NAME}.${domain}`, DEFAULT_PORT),
    ]),
    { find: "mdns", name: `${SERVICE}.local` },
  ];
}

/** `host`, `host:port`, `[v6]` or `[v6]:port`; undefined for what is neither. */
export function hubOfOption(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::(\d{1,5}))?$/.exec(text.trim());
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}

export interface Resolvers {
  /** SRV records (RFC 2782), in the order in which they are to be tried. */
  srv: (name: string, signal: AbortSignal) => Promise<{ host: string; port: number }[]>;
  mdns: (name: string, signal: AbortSignal) => Promise<{ host: string; port: number }[]>;
}

/** Carries the steps out one after the other, only as far as somebody still asks. A step that fails has found nothing. */
export async function* lookForHub(
  steps: readonly DiscoveryStep[],
  resolvers: Resolvers,
  signal: AbortSignal,
): AsyncGenerator<FoundHub> {
  for (const step of steps) {
    signal.throwIfAborted();
    if (step.find === "address") {
      yield { source: step.source, host: step.host, port: step.port };
      continue;
    }
    const resolve = step.find === "srv" ? resolvers.srv : resolvers.mdns;
    const found = await resolve(step.name, signal).catch(() => []);
    for (const { host, port } of found) yield { source: step.find === "srv" ? "dns" : "mdns", host, port };
  }
}
