import { X509Certificate } from "node:crypto";
import { causeOf, runForever, type Clock, type Log } from "../../platform/platform.ts";
import type { BoxIdentity } from "./identity.ts";
import { certificateFault } from "./pairing.ts";

/** A third of a certificate's 825 days: a box that is in a cupboard for a whole summer still renews in time. */
export const RENEW_BEFORE_MS = 275 * 86_400_000;
/** After connecting, and then this often. The hub answers the same question with the same certificate. */
const LOOK_EVERY_MS = 6 * 3_600_000;
const LOOK_WHILE_AWAY_MS = 5_000;

export const isDue = (certificatePem: string, wallMs: number): boolean =>
  Date.parse(new X509Certificate(certificatePem).validTo) - wallMs < RENEW_BEFORE_MS;

/** The identity with a newer certificate, or why it is none: it must be of the same authority, box and key, and last longer. */
export function withCertificate(
  identity: BoxIdentity,
  certificatePem: string,
): { ok: true; identity: BoxIdentity } | { ok: false; fault: string } {
  const fault = certificateFault(certificatePem, identity.caPem, identity.keyPem, identity.box);
  if (fault !== undefined) return { ok: false, fault };
  const until = (pem: string) => Date.parse(new X509Certificate(pem).validTo);
  if (until(certificatePem) <= until(identity.certificatePem)) return { ok: false, fault: "lasts no longer" };
  return { ok: true, identity: { ...identity, certificatePem } };
}

export interface RenewalOptions {
  log: Log;
  clock: Clock;
  identity: () => BoxIdentity | null;
  connected: () => boolean;
  /** A request (PEM) with the key that the box has. */
  request: (identity: BoxIdentity) => Promise<string>;
  ask: (csrPem: string) => void;
}

/** Asks the hub for a new certificate when the present one's last year has begun, for as long as it takes. */
export const keepRenewed = (options: RenewalOptions, signal: AbortSignal): Promise<void> => {
  const { log, clock, identity, connected, request, ask } = options;
  return runForever({ name: "renewal", clock, log, baseMs: 60_000, capMs: LOOK_EVERY_MS }, signal, async (signal) => {
    for (;;) {
      const now = identity();
      const isConnected = connected();
      if (now && isConnected && isDue(now.certificatePem, clock.wallMs()))
        await request(now).then(ask, (error: unknown) => log.error("renewal.noRequest", { cause: causeOf(error) }));
      await clock.sleep(isConnected ? LOOK_EVERY_MS : LOOK_WHILE_AWAY_MS, signal);
    }
  });
};
