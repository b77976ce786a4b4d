import { createPrivateKey, generateKeyPair, randomBytes, randomInt, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import {
  causeOf,
  isoUtc,
  makeDirectory,
  moveDurable,
  pairingCrypto,
  removeDurable,
  runChecked,
  sha256Hex,
  writeDurable,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import { BoxId, PointId, type PairingAnswer, type PairingRequest, type RoomPairing } from "../../protocol/protocol.ts";
import { beginAttempt, certificateSha256, judgeAnswer, type Attempt } from "./pairing.ts";

export { certificateSha256 };
export { keepRenewed, withCertificate } from "./renewal.ts";

/** Who this box is, once paired; all keys and certificates PEM. */
export interface BoxIdentity {
  box: BoxId;
  point: { id: PointId; name: string };
  keyPem: string;
  certificatePem: string;
  caPem: string;
  /** Checks the hub's receipts. */
  receiptKeyPem: string;
}

/** The hub's pairing pages, without any trust in them. */
export interface PairingHub {
  caPem(signal: AbortSignal): Promise<string>;
  post(request: PairingRequest, signal: AbortSignal): Promise<string>;
  ask(ticket: string, signal: AbortSignal): Promise<PairingAnswer>;
}

const IdentityFile = z.object({
  v: z.literal(1),
  box: BoxId,
  point: z.object({ id: PointId, name: z.string() }),
  /** Name of the key's file beside this one. */
  keyFile: z.string().regex(/^box-[0-9a-f]{16}\.key$/),
  certificatePem: z.string(),
  caPem: z.string(),
  receiptKeyPem: z.string(),
});

const identityFile = (directory: string) => join(directory, "identity.json");
const newKeyPair = promisify(generateKeyPair);

/**
 * The stored identity, or null before the first pairing. One that cannot be used is set aside and counts as none: the
 * room then shows a pairing code, and not a dead screen.
 */
export async function loadIdentity(directory: string, log: Log, clock: Clock): Promise<BoxIdentity | null> {
  const file = identityFile(directory);
  const text = await readIfThere(file);
  if (text === undefined) return null;
  try {
    const { v: _, keyFile, ...rest } = IdentityFile.parse(JSON.parse(text));
    const keyPem = await readIfThere(join(directory, keyFile));
    if (keyPem === undefined) throw new Error(`${keyFile} is missing`);
    if (!new X509Certificate(rest.certificatePem).checkPrivateKey(createPrivateKey(keyPem)))
      throw new Error(`${keyFile} is not the certificate's key`);
    return { ...rest, keyPem };
  } catch (error) {
    const aside = `${file}.unusable-${Math.floor(clock.wallMs())}`;
    await moveDurable(file, aside);
    log.error("identity.setAside", { cause: causeOf(error), aside });
    return null;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The key first, then the file that names it: one rename makes the new identity, and a cut leaves the old one. */
export async function storeIdentity(directory: string, identity: BoxIdentity): Promise<void> {
  await makeDirectory(directory);
  const { keyPem, ...rest } = identity;
  const keyFile = `box-${sha256Hex(identity.certificatePem).slice(0, 16)}.key`;
  await writeDurable(join(directory, keyFile), keyPem);
  await writeDurable(identityFile(directory), `${JSON.stringify({ v: 1, ...rest, keyFile })}\n`);
}

export interface PairOptions {
  log: Log;
  clock: Clock;
  hub: PairingHub;
  /** Pinned authority, 64 hex digits; undefined: the code alone decides. Asked before each code: a stick may come. */
  caSha256: () => string | undefined;
  directory: string;
  agentVersion: string;
  /** Tells an administrator which box this is. */
  description: string;
  /** This box had an identity which the hub does not take any more. */
  revoked: boolean;
  onState: (state: RoomPairing) => void;
}

const POLL_MS = 1_000;
const RETRY_MS = 2_000;
const PAIR_AGAIN_MS = 5_000;

/**
 * Shows codes until the hub has accepted one of them, for ever; stores the identity and gives it back.
 * Rejects only when aborted (or when the disk fails). A new key pair for each pairing: a revoked key never returns.
 */
export async function pair(options: PairOptions, signal: AbortSignal): Promise<BoxIdentity> {
  const { log, clock, hub, onState } = options;
  const { privateKey } = await newKeyPair("ec", { namedCurve: "P-256" });
  const keyPem = privateKey.export({ type: "pkcs8", format: "pem" });
  await makeDirectory(options.directory);
  const csrPem = await makeRequest(options.directory, keyPem);
  let unreachableSince: string | undefined;
  onState({ state: "connecting" });
  for (;;) {
    signal.throwIfAborted();
    let identity: BoxIdentity | undefined;
    try {
      const caPem = await hub.caPem(signal);
      const pinned = options.caSha256();
      if (pinned !== undefined && certificateSha256(caPem) !== pinned) {
        log.error("pairing.wrongHub", { expected: pinned, found: certificateSha256(caPem) });
        onState({ state: "wrongHub" });
      } else {
        const attempt = beginAttempt({
          crypto: pairingCrypto,
          randomInt: (below) => randomInt(below),
          salt: randomBytes(16),
          csrPem,
          caPem,
          agentVersion: options.agentVersion,
          description: options.description,
          wallMs: clock.wallMs(),
        });
        const ticket = await hub.post(attempt.request, signal);
        unreachableSince = undefined;
        identity = await awaitAnswer(options, attempt, ticket, keyPem, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      unreachableSince ??= isoUtc(clock.wallMs());
      log.warn("pairing.hubUnreachable", { cause: causeOf(error) });
      onState({ state: "hubUnreachable", since: unreachableSince });
    }
    if (identity) {
      await storeIdentity(options.directory, identity);
      log.info("pairing.done", { box: identity.box, point: identity.point.name });
      onState({ state: "paired" });
      return identity;
    }
    await clock.sleep(RETRY_MS, signal);
  }
}

export interface KeepPairedOptions extends Omit<PairOptions, "revoked" | "onState"> {
  identity: () => BoxIdentity | null;
  /** The hub does not take the identity there is. */
  refused: () => boolean;
  /** A new one has been stored. */
  assume: (next: BoxIdentity) => Promise<void>;
  /** What the TV is to show is another thing. */
  onChange: () => void;
}

/** Pairs while there is no identity, or while the hub does not take the one there is; `look` asks which. */
export function keepPaired(
  options: KeepPairedOptions,
  signal: AbortSignal,
): { shown: () => RoomPairing; look: () => void } {
  const { log, clock, identity, refused, assume, onChange } = options;
  const standing = (): RoomPairing => (identity() ? { state: "paired" } : { state: "connecting" });
  let underWay: AbortController | undefined;
  let shown = standing();
  const show = (next: RoomPairing) => {
    shown = next;
    onChange();
  };
  const pairOnce = async (stop: AbortSignal) => {
    try {
      await assume(await pair({ ...options, revoked: identity() !== null, onState: show }, stop));
    } catch (error) {
      if (!stop.aborted) log.error("pairing.failed", { cause: causeOf(error) });
      await clock.sleep(PAIR_AGAIN_MS, stop).catch(() => {});
    }
    underWay = undefined;
    show(standing());
  };
  return {
    shown: () => shown,
    look() {
      const needed = identity() === null || refused();
      if (needed && !underWay && !signal.aborted) {
        underWay = new AbortController();
        void pairOnce(AbortSignal.any([underWay.signal, signal]));
      } else if (!needed) underWay?.abort(new Error("the hub takes this box again"));
    },
  };
}

/** Polls while the code holds; undefined: another code is needed. */
async function awaitAnswer(
  options: PairOptions,
  attempt: Attempt,
  ticket: string,
  keyPem: string,
  signal: AbortSignal,
): Promise<BoxIdentity | undefined> {
  const { log, clock, hub, onState } = options;
  const endMs = clock.monotonicMs() + (attempt.expiresAtMs - clock.wallMs());
  const expiresAt = isoUtc(attempt.expiresAtMs);
  const show = (hubAnswers: boolean) =>
    onState({ state: "code", code: attempt.code, expiresAt, revoked: options.revoked, hubAnswers });
  show(true);
  while (clock.monotonicMs() < endMs) {
    await clock.sleep(POLL_MS, signal);
    let answer: PairingAnswer;
    try {
      answer = await hub.ask(ticket, signal);
    } catch (error) {
      signal.throwIfAborted();
      // The code stays good: the hub may have it in its memory still when the line is back.
      log.warn("pairing.hubUnreachable", { cause: causeOf(error) });
      show(false);
      continue;
    }
    const verdict = judgeAnswer(pairingCrypto, attempt, answer, keyPem);
    if (verdict.next === "paired") return verdict.identity;
    if (verdict.next === "newCode") {
      log.warn("pairing.newCode", { reason: verdict.reason, detail: verdict.detail });
      return undefined;
    }
    show(true);
  }
  return undefined;
}

/** PKCS #10 (RFC 2986) by the openssl program; of its content the hub takes the public key alone. */
export async function makeRequest(directory: string, keyPem: string): Promise<string> {
  const keyFile = join(directory, "pairing.key");
  await writeDurable(keyFile, keyPem);
  try {
    return (await runChecked(["openssl", "req", "-new", "-sha256", "-key", keyFile, "-subj", "/CN=unpaired"])).stdout;
  } finally {
    await removeDurable(keyFile);
  }
}
