import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { HUB_TLS_NAME, type BoxId } from "../../protocol/protocol.ts";
import {
  createDurable,
  makeDirectory,
  runForever,
  writeDurable,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import { createSigner, type Signer } from "../../evidence/evidence.ts";
import { newAuthorityCertificate, newKey, newRequest, publicKeyOf, sign, type CertificatePlan } from "./openssl.ts";

const AUTHORITY_DAYS = 20 * 365;
/** Apple's limit for private authorities, and so the longest that every client accepts. */
const CERTIFICATE_DAYS = 825;
const RENEW_BEFORE_MS = 30 * 24 * 3_600_000;
const RENEW_CHECK_MS = 12 * 3_600_000;

export interface TlsIdentity {
  keyPem: string;
  certificatePem: string;
}

export interface IssuedCertificate {
  certificatePem: string;
  /** Lower-case hex. */
  serial: string;
}

/** The hub's private certificate authority and its own keys. */
export interface Authority {
  readonly caPem: string;
  /** For boxes, who verify HUB_TLS_NAME and nothing else. */
  readonly edge: TlsIdentity;
  /** For browsers, who verify the host name or address that was typed. */
  readonly browser: TlsIdentity;
  /** SubjectPublicKeyInfo, PEM, of the key behind {@link signer}. */
  readonly receiptKeyPem: string;
  /** Countersigns records and signs receipts: a key of its own, which no TLS connection ever uses. */
  readonly signer: Signer;
  /** Throws AuthorityError "badRequest" for anything but an intact request with a P-256 key. */
  issueBox(requestPem: string, box: BoxId): Promise<IssuedCertificate>;
  /** Makes the hub's own certificates anew where less than 30 days are left or the names have changed. */
  renew(): Promise<boolean>;
  /** Renews twice a day at most; `onRenewed` hands the new identities to the listeners. */
  run(signal: AbortSignal, onRenewed: () => void): Promise<void>;
}

export class AuthorityError extends Error {
  override readonly name = "AuthorityError";
  readonly code: "badRequest" | "badName" | "damaged";
  constructor(code: AuthorityError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface AuthorityOptions {
  /** Everything is kept here, 0600, in a directory of mode 0700. */
  directory: string;
  /** Host names and IP addresses under which browsers reach this hub. */
  browserNames: readonly string[];
  clock: Clock;
  log: Log;
}

const readIfThere = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
};

async function keptKey(path: string): Promise<string> {
  const kept = await readIfThere(path);
  if (kept !== undefined) return kept;
  const made = await newKey();
  await createDurable(path, made);
  return made;
}

const alternativeName = (name: string): string => {
  if (isIP(name)) return `IP:${name}`;
  if (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i.test(name)) return `DNS:${name}`;
  throw new AuthorityError("badName", `"${name}" is neither a host name nor an IP address`);
};

/** X509Certificate compares by its own rules (IPv6 spelling among them), so it is asked, not parsed. */
const bearsName = (certificate: X509Certificate, name: string): boolean =>
  (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined;

/**
 * Opens the authority, making what is missing. A kept authority is never replaced: a certificate without its key, or
 * with another's, stops start-up, because a new authority would silently unpair every box.
 */
export async function openAuthority({ directory, browserNames, clock, log }: AuthorityOptions): Promise<Authority> {
  await makeDirectory(directory);
  const file = (name: string) => join(directory, name);
  const ca = { certificateFile: file("ca.pem"), keyFile: file("ca.key") };
  let caPem = await readIfThere(ca.certificateFile);
  const caKey = await readIfThere(ca.keyFile);
  if (caPem !== undefined && caKey === undefined)
    throw new AuthorityError("damaged", `${ca.keyFile} is missing while ${ca.certificateFile} is there; restore it`);
  if (caPem === undefined) {
    await keptKey(ca.keyFile);
    caPem = await newAuthorityCertificate(ca.keyFile, "Diem Cau hub authority", AUTHORITY_DAYS);
    await createDurable(ca.certificateFile, caPem);
    log.info("authority.created", { fingerprint: new X509Certificate(caPem).fingerprint256 });
  } else if (!belongTogether(caPem, caKey!)) {
    throw new AuthorityError("damaged", `${ca.keyFile} is not the key of ${ca.certificateFile}; restore it`);
  }
  const caKeyPublic = new X509Certificate(caPem).publicKey;

  const plans = {
    hub: { commonName: HUB_TLS_NAME, alternativeNames: [`DNS:${HUB_TLS_NAME}`] },
    browser: { commonName: "Diem Cau", alternativeNames: [...new Set(browserNames)].map(alternativeName) },
  };
  if (plans.browser.alternativeNames.length === 0)
    throw new AuthorityError("badName", "the hub needs at least one name or address for browsers");

  const stillGood = (pem: string, keyPem: string, names: readonly string[]): boolean => {
    if (!belongTogether(pem, keyPem)) return false;
    const certificate = new X509Certificate(pem);
    const leftMs = Date.parse(certificate.validTo) - clock.wallMs();
    return (
      leftMs > RENEW_BEFORE_MS &&
      certificate.verify(caKeyPublic) &&
      certificate.subjectAltName?.split(", ").length === names.length &&
      names.every((name) => bearsName(certificate, name))
    );
  };

  /** The kept certificate of one of the hub's own keys, or a new one. */
  async function own(name: "hub" | "browser", names: readonly string[]) {
    const keyPem = await keptKey(file(`${name}.key`));
    const kept = await readIfThere(file(`${name}.pem`));
    if (kept !== undefined && stillGood(kept, keyPem, names))
      return { identity: { keyPem, certificatePem: kept }, renewed: false };
    const plan: CertificatePlan = { ...plans[name], usage: "serverAuth", days: CERTIFICATE_DAYS };
    const certificatePem = await sign(ca, await newRequest(file(`${name}.key`)), plan);
    await writeDurable(file(`${name}.pem`), certificatePem);
    log.info("authority.certificate", {
      for: name,
      until: new Date(new X509Certificate(certificatePem).validTo).toISOString(),
    });
    return { identity: { keyPem, certificatePem }, renewed: true };
  }
  const ownBoth = async () => ({
    edge: await own("hub", [HUB_TLS_NAME]),
    browser: await own("browser", [...new Set(browserNames)]),
  });

  let { edge, browser } = await ownBoth();
  const receiptKey = await keptKey(file("receipt.key"));
  const receiptKeyPem = await publicKeyOf(file("receipt.key"));

  const authority: Authority = {
    caPem,
    get edge() {
      return edge.identity;
    },
    get browser() {
      return browser.identity;
    },
    receiptKeyPem,
    signer: createSigner(receiptKey),
    async issueBox(requestPem, box) {
      let certificatePem: string;
      try {
        certificatePem = await sign(ca, requestPem, {
          commonName: box,
          usage: "clientAuth",
          alternativeNames: [`URI:urn:diemcau:box:${box}`],
          days: CERTIFICATE_DAYS,
        });
      } catch (cause) {
        throw new AuthorityError("badRequest", "the certificate request is damaged or was tampered with", { cause });
      }
      const certificate = new X509Certificate(certificatePem);
      const key = certificate.publicKey;
      // What was signed for a wrong key is forgotten here: it reaches neither the box nor the registry.
      if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1")
        throw new AuthorityError("badRequest", "the certificate request must hold a P-256 key");
      return { certificatePem, serial: certificate.serialNumber.toLowerCase() };
    },
    async renew() {
      const next = await ownBoth();
      ({ edge, browser } = next);
      return next.edge.renewed || next.browser.renewed;
    },
    run: (signal, onRenewed) =>
      runForever({ name: "authority", clock, log, baseMs: 60_000, capMs: 3_600_000 }, signal, async (signal) => {
        await clock.sleep(RENEW_CHECK_MS, signal);
        if (await authority.renew()) onRenewed();
      }),
  };
  return authority;
}

function belongTogether(certificatePem: string, keyPem: string): boolean {
  try {
    return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}
