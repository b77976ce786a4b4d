import type { NetworkTrouble } from "../../protocol/protocol.ts";

/** One of the box's wired interfaces. */
export interface Wire {
  name: string;
  mac: string;
  /** Light on the plug: a cable is in and the other end is alive. */
  carrier: boolean;
  /** Without link-local ones. */
  addresses: string[];
}

/** How the last attempt to speak with the hub ended. */
export type HubProbe =
  | { outcome: "answered"; clockOffMs: number | null }
  | { outcome: "noName" | "unreachable" | "otherHub" };

export interface NetworkFacts {
  wires: Wire[];
  /** A default route, IPv4 or IPv6. */
  hasRoute: boolean;
  wallMs: number;
  /** An address of the hub is known, from whoever. */
  hubKnown: boolean;
  /** Undefined before the first attempt. */
  probe: HubProbe | undefined;
}

/** No box was made before this program: an earlier clock has lost its battery. */
export const EARLIEST_WALL_MS = Date.UTC(2026, 10, 1);
/** Certificates and signatures begin to fail well above this; people notice well above it too. */
const CLOCK_OFF_MS = 5 * 60_000;

/**
 * The one thing in the room that keeps the box from its hub, the nearest to the wall first: what comes after it cannot be
 * known before it is mended. Pure.
 */
export function diagnose({ wires, hasRoute, wallMs, hubKnown, probe }: NetworkFacts): NetworkTrouble | null {
  if (probe?.outcome === "answered") {
    const off = probe.clockOffMs === null ? 0 : Math.abs(probe.clockOffMs);
    return wallMs < EARLIEST_WALL_MS || off > CLOCK_OFF_MS ? "clockWrong" : null;
  }
  if (!wires.some(({ carrier }) => carrier)) return "noCable";
  if (!wires.some(({ carrier, addresses }) => carrier && addresses.length > 0)) return "noAddress";
  if (!hubKnown) return "hubUnknown";
  if (probe === undefined) return null;
  if (probe.outcome === "otherHub") return null;
  if (!hasRoute) return "noRouter";
  return probe.outcome === "noName" ? "noName" : "hubSilent";
}
