import { request, type RequestOptions } from "node:https";
import type { z } from "zod";
import {
  HUB_TLS_NAME,
  PAIRING_CA_PATH,
  PAIRING_REQUEST_PATH,
  PairingAnswer,
  PairingCa,
  PairingTicket,
  type PairingRequest,
} from "../../protocol/protocol.ts";
import { createLookup, DialError, type HubAddress } from "./dial.ts";

/** The hub as an unpaired box sees it: nothing that it says is believed before its proof has been checked. */
export interface HubPairing {
  /** Who answers, and what time it is there (RFC 9110, 6.6.1; whole seconds); nothing of it is proven. */
  probe(signal: AbortSignal): Promise<{ caPem: string; hubMs: number | null }>;
  caPem(signal: AbortSignal): Promise<string>;
  post(request: PairingRequest, signal: AbortSignal): Promise<string>;
  /** `expired` also where the hub knows no such ticket (any more). */
  ask(ticket: string, signal: AbortSignal): Promise<PairingAnswer>;
}

interface HubAnswer {
  status: number;
  json: unknown;
  hubMs: number | null;
}

const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * HTTP over TLS that proves nothing, by design: the box has no certificate of the hub yet. What authenticates both
 * sides is the code that a person carries from the TV to the hub (protocol/enrolment).
 */
export function createHubPairing(hub: HubAddress): HubPairing {
  const lookup = createLookup();

  const exchange = (method: "GET" | "POST", path: string, body: unknown, signal: AbortSignal) =>
    new Promise<HubAnswer>((resolve, reject) => {
      const { host, port } = hub;
      if (host === "") throw new DialError("unreachable", "nobody has said where the hub is");
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const options: RequestOptions = {
        ...{ host, port },
        method,
        path,
        lookup,
        agent: false,
        servername: HUB_TLS_NAME,
        rejectUnauthorized: false,
        headers: payload === undefined ? {} : { "content-type": "application/json" },
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      };
      const outgoing = request(options, (incoming) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        incoming.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES) outgoing.destroy(new Error("the answer is too long"));
          else chunks.push(chunk);
        });
        incoming.on("error", reject);
        incoming.on("end", () => {
          try {
            const text = Buffer.concat(chunks).toString("utf8");
            const hubMs = Date.parse(incoming.headers.date ?? "");
            const json: unknown = text === "" ? undefined : JSON.parse(text);
            resolve({ status: incoming.statusCode ?? 0, json, hubMs: Number.isNaN(hubMs) ? null : hubMs });
          } catch (cause) {
            reject(new Error(`${path} did not answer JSON`, { cause }));
          }
        });
      });
      outgoing.on("error", reject);
      outgoing.end(payload);
    });

  const expect = <T>(schema: z.ZodType<T>, path: string, answer: Pick<HubAnswer, "status" | "json">): T => {
    if (answer.status < 200 || answer.status > 299) throw new Error(`${path} answered ${answer.status}`);
    return schema.parse(answer.json);
  };

  return {
    async probe(signal) {
      const answer = await exchange("GET", PAIRING_CA_PATH, undefined, signal);
      return { caPem: expect(PairingCa, PAIRING_CA_PATH, answer).caPem, hubMs: answer.hubMs };
    },
    caPem: async (signal) =>
      expect(PairingCa, PAIRING_CA_PATH, await exchange("GET", PAIRING_CA_PATH, undefined, signal)).caPem,
    post: async (body, signal) =>
      expect(PairingTicket, PAIRING_REQUEST_PATH, await exchange("POST", PAIRING_REQUEST_PATH, body, signal)).ticket,
    async ask(ticket, signal) {
      const path = `${PAIRING_REQUEST_PATH}/${encodeURIComponent(ticket)}`;
      const answer = await exchange("GET", path, undefined, signal);
      if (answer.status === 404 || answer.status === 410) return { state: "expired" };
      return expect(PairingAnswer, path, answer);
    },
  };
}
