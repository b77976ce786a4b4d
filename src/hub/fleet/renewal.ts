import { X509Certificate } from "node:crypto";
import type { BoxId } from "../../protocol/protocol.ts";
import { causeOf, type Clock, type Log } from "../../platform/platform.ts";
import type { Authority } from "./authority.ts";
import type { Registry } from "./registry.ts";

/** Boxes ask in the last 275 days; a little more, so that their clock may differ. */
const NOT_BEFORE_MS = 280 * 86_400_000;

/**
 * A new certificate for the key that the box has already: what it recorded under the former one is verified by the same key.
 * Asked twice, the answer is the same certificate, until it has been seen in use.
 * @returns undefined where none is due, or the request is not of that key
 */
export async function renewBox(
  { authority, registry, clock, log }: { authority: Authority; registry: Registry; clock: Clock; log: Log },
  box: BoxId,
  csrPem: string,
): Promise<string | undefined> {
  const known = registry.find(box);
  if (!known || known.revoked || known.damaged) return undefined;
  if (registry.hasFormer(box)) return known.certificatePem;
  if (known.expiresMs - clock.wallMs() > NOT_BEFORE_MS) return undefined;
  const keyOf = (pem: string) => new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  try {
    const issued = await authority.issueBox(csrPem, box);
    if (!keyOf(issued.certificatePem).equals(keyOf(known.certificatePem))) {
      log.warn("renewal.anotherKey", { box });
      return undefined;
    }
    await registry.renewed(box, issued);
    log.info("renewal.done", { box, serial: issued.serial });
    return issued.certificatePem;
  } catch (error) {
    log.warn("renewal.failed", { box, cause: causeOf(error) });
    return undefined;
  }
}
