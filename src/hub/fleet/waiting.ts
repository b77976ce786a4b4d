import { PAIRING_CODE_TTL_MS, type PairingAnswer, type PairingRequest } from "../../protocol/protocol.ts";

const MAX_WAITING = 20;
/** Boxes behind one router share an address; one stranger must not take every place. */
const MAX_WAITING_PER_ADDRESS = 5;
const SALT_MIN_BYTES = 16;
const PROOF_BYTES = 32;

export interface WaitingRequest {
  readonly ticket: string;
  readonly address: string;
  readonly request: PairingRequest;
  readonly salt: Uint8Array;
  readonly proof: Uint8Array;
  /** Monotonic. */
  readonly expiresMs: number;
}

type Accepted = PairingAnswer & { state: "accepted" };

export type Admission =
  | { ok: true; ticket: string }
  | { ok: false; reason: "tooManyWaiting" | "tooManyFromAddress" | "badSalt" | "badProof" };

/** Boxes that show a code now, and answers that boxes have yet to fetch. Bounded: anyone on the network can ask. */
export class WaitingRoom {
  readonly #waiting = new Map<string, WaitingRequest>();
  readonly #accepted = new Map<string, { answer: Accepted; expiresMs: number }>();

  get count(): number {
    return this.#waiting.size;
  }

  all(): WaitingRequest[] {
    return [...this.#waiting.values()];
  }

  admit(request: PairingRequest, address: string, ticket: string, nowMs: number): Admission {
    const salt = Buffer.from(request.salt, "base64");
    const proof = Buffer.from(request.proof, "base64");
    if (salt.length < SALT_MIN_BYTES) return { ok: false, reason: "badSalt" };
    if (proof.length !== PROOF_BYTES) return { ok: false, reason: "badProof" };
    this.expire(nowMs);
    // A box that shows a new code has forgotten the old one.
    for (const other of this.#waiting.values())
      if (other.address === address && other.request.csrPem === request.csrPem) this.#waiting.delete(other.ticket);
    if (this.#waiting.size >= MAX_WAITING) return { ok: false, reason: "tooManyWaiting" };
    if (this.all().filter((other) => other.address === address).length >= MAX_WAITING_PER_ADDRESS)
      return { ok: false, reason: "tooManyFromAddress" };
    this.#waiting.set(ticket, { ticket, address, request, salt, proof, expiresMs: nowMs + PAIRING_CODE_TTL_MS });
    return { ok: true, ticket };
  }

  has(ticket: string): boolean {
    return this.#waiting.has(ticket);
  }

  accept(ticket: string, answer: Accepted, nowMs: number): void {
    this.#waiting.delete(ticket);
    this.#accepted.set(ticket, { answer, expiresMs: nowMs + PAIRING_CODE_TTL_MS });
  }

  drop(ticket: string): void {
    this.#waiting.delete(ticket);
  }

  dropAll(): void {
    this.#waiting.clear();
  }

  answer(ticket: string, nowMs: number): PairingAnswer {
    this.expire(nowMs);
    if (this.#waiting.has(ticket)) return { state: "waiting" };
    return this.#accepted.get(ticket)?.answer ?? { state: "expired" };
  }

  expire(nowMs: number): void {
    for (const kept of [this.#waiting, this.#accepted])
      for (const [ticket, { expiresMs }] of kept) if (expiresMs <= nowMs) kept.delete(ticket);
  }
}
