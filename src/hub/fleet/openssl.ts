import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked } from "../../platform/platform.ts";

/** The few things that the authority asks of the openssl program (3.0 and newer). PEM in, PEM out. */

/** Generous: a P-256 signature takes milliseconds, process start included. */
const TIMEOUT_MS = 20_000;

/** Runs `openssl <flags> -name value …`. */
async function openssl(
  flags: readonly string[],
  values: Readonly<Record<string, string>> = {},
  input?: string,
): Promise<string> {
  const argv = ["openssl", ...flags, ...Object.entries(values).flatMap(([name, value]) => [`-${name}`, value])];
  return (await runChecked(argv, { timeoutMs: TIMEOUT_MS, ...(input === undefined ? {} : { input }) })).stdout;
}

/** 127 random bits under a leading 1: positive and never with a leading zero (RFC 5280, 4.1.2.2). */
const newSerial = (): string => `0x1${randomBytes(16).toString("hex").slice(1)}`;

/** Works on a file with this text: openssl reads its configuration from files only. */
async function withFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-ca-"));
  try {
    const path = join(directory, "openssl.cnf");
    await writeFile(path, text, { mode: 0o600 });
    return await use(path);
  } finally {
    await rm(directory, { recursive: true });
  }
}

export const newKey = (): Promise<string> =>
  openssl(["genpkey"], { algorithm: "EC", pkeyopt: "ec_paramgen_curve:P-256" });

export const publicKeyOf = (keyFile: string): Promise<string> => openssl(["pkey", "-pubout"], { in: keyFile });

export const newAuthorityCertificate = (keyFile: string, commonName: string, days: number): Promise<string> =>
  withFile(
    [
      "[req]",
      "distinguished_name = name",
      "x509_extensions = authority",
      "prompt = no",
      "[name]",
      `CN = ${commonName}`,
      "[authority]",
      "basicConstraints = critical, CA:true, pathlen:0",
      "keyUsage = critical, keyCertSign, cRLSign",
      "subjectKeyIdentifier = hash",
      "",
    ].join("\n"),
    (config) =>
      openssl(["req", "-x509", "-new", "-sha256"], {
        config,
        key: keyFile,
        days: String(days),
        set_serial: newSerial(),
      }),
  );

export const newRequest = (keyFile: string): Promise<string> =>
  withFile("[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = unnamed\n", (config) =>
    openssl(["req", "-new", "-sha256"], { config, key: keyFile }),
  );

export interface CertificatePlan {
  commonName: string;
  usage: "clientAuth" | "serverAuth";
  /** openssl's notation: `URI:…`, `DNS:…`, `IP:…`. */
  alternativeNames: readonly string[];
  days: number;
}

/** Signs a request. Of the request only the public key is used; its self-signature must hold. */
export const sign = (
  authority: { certificateFile: string; keyFile: string },
  requestPem: string,
  plan: CertificatePlan,
): Promise<string> =>
  withFile(
    [
      "basicConstraints = critical, CA:false",
      "keyUsage = critical, digitalSignature",
      `extendedKeyUsage = critical, ${plan.usage}`,
      "subjectKeyIdentifier = hash",
      "authorityKeyIdentifier = keyid",
      `subjectAltName = ${plan.alternativeNames.join(", ")}`,
      "",
    ].join("\n"),
    (extensions) =>
      openssl(
        ["x509", "-req", "-sha256"],
        {
          CA: authority.certificateFile,
          CAkey: authority.keyFile,
          subj: `/CN=${plan.commonName}`,
          set_serial: newSerial(),
          days: String(plan.days),
          extfile: extensions,
        },
        requestPem,
      ),
  );
