import type { KeyObject } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { signatureHolds } from "../../evidence/evidence.ts";
import { makeDirectory, removeDurable, writeDurable } from "../../platform/platform.ts";
import {
  RESET_FILE,
  ResetFile,
  ResetOrder,
  type SignedRecord,
  type BoxId,
  type ResetOutcome,
  type ResetRefusal,
  type Unsynced,
} from "../../protocol/protocol.ts";

export interface ResetFacts {
  identity: { box: BoxId; receiptKey: KeyObject } | null;
  /** The hub's time, or the best guess at it. */
  hubMs: number;
  recording: boolean;
  unsynced: Unsynced;
}

/** A clock that was never set right may be behind by this without being a reason to refuse. */
const SLACK_MS = 10 * 60_000;

/**
 * Whether this box obeys; pure. Nothing in an order is believed before its signature holds. An order names one box, and a
 * box that has obeyed has another name ever after: the same order can never be obeyed twice.
 */
export function judgeReset(signed: SignedRecord | undefined, facts: ResetFacts): ResetOutcome {
  const { identity, hubMs, recording, unsynced } = facts;
  const refuse = (reason: ResetRefusal): ResetOutcome => ({ state: "refused", reason, unsynced });
  if (!signed) return refuse("unreadable");
  if (!identity) return refuse("notPaired");
  if (!signatureHolds(signed, identity.receiptKey)) return refuse("signature");
  const order = parse(signed.record);
  if (!order) return refuse("unreadable");
  if (order.box !== identity.box) return refuse("wrongBox");
  if (hubMs < Date.parse(order.issuedAt) - SLACK_MS || hubMs > Date.parse(order.until)) return refuse("outOfTime");
  if (recording) return refuse("recording");
  const { segments, bytes } = order.acceptLoss ?? { segments: 0, bytes: 0 };
  return unsynced.segments > segments || unsynced.bytes > bytes ? refuse("unsynced") : { state: "done" };
}

function parse(text: string): ResetOrder | undefined {
  try {
    return ResetOrder.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The order's id, unproven: to tell its answer apart. */
export const orderOf = (signed: SignedRecord): string => parse(signed.record)?.id ?? "";

/** What lies on a stick: `text` tells one plugging in from the next. */
export async function lookForReset(
  directory: string,
): Promise<{ text: string; signed: SignedRecord | undefined } | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, RESET_FILE), "utf8");
  } catch {
    return undefined;
  }
  try {
    return { text, signed: ResetFile.parse(JSON.parse(text.replace(/^\uFEFF/, ""))).reset };
  } catch {
    return { text, signed: undefined };
  }
}

/** Stands in the data directory from the moment a reset begins until nothing else is left there. */
const MARK = "reset-underway";

/** From here on there is no way back: a power cut in the middle is finished by {@link finishReset} at the next start. */
export async function beginReset(dataDirectory: string): Promise<void> {
  await writeDurable(join(dataDirectory, MARK), "");
}

/** @returns whether a reset was under way */
export async function finishReset(dataDirectory: string): Promise<boolean> {
  await makeDirectory(dataDirectory);
  const names = await readdir(dataDirectory);
  if (!names.includes(MARK)) return false;
  for (const name of names) if (name !== MARK) await rm(join(dataDirectory, name), { recursive: true, force: true });
  await removeDurable(join(dataDirectory, MARK));
  return true;
}
