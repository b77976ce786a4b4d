import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { PAIRING_CA_PATH, PAIRING_REQUEST_PATH, PairingRequest, type PairingAnswer } from "../../protocol/protocol.ts";
import type { ErrorView } from "../http/views.ts";
import type { Admission } from "./waiting.ts";

/** A request of a P-256 key is under 1 kB; the bound is for what is not one. */
const MAX_BODY_BYTES = 16 * 1024;

export interface PairingDesk {
  caPem: string;
  admit(request: PairingRequest, address: string): Admission;
  answer(ticket: string): PairingAnswer;
}

const bad = (detail: string): ErrorView => ({ code: "badRequest", detail });

/** What a box without a certificate may ask. Nothing here is secret, and nothing here changes what is trusted. */
export function pairingRoutes(desk: PairingDesk): Hono {
  const app = new Hono();
  app.get(PAIRING_CA_PATH, (c) => c.json({ caPem: desk.caPem }));
  app.post(
    PAIRING_REQUEST_PATH,
    bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => c.json(bad(`more than ${MAX_BODY_BYTES} bytes`), 413) }),
    async (c) => {
      let json: unknown;
      try {
        json = await c.req.json();
      } catch {
        return c.json(bad("not JSON"), 400);
      }
      const parsed = PairingRequest.safeParse(json);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        return c.json(bad(`${issue?.path.join(".")}: ${issue?.message}`), 400);
      }
      const admission = desk.admit(parsed.data, getConnInfo(c).remote.address ?? "unknown");
      if (admission.ok) return c.json({ ticket: admission.ticket }, 201);
      if (admission.reason === "badSalt" || admission.reason === "badProof") return c.json(bad(admission.reason), 400);
      const busy: ErrorView = { code: "tooManyTries", detail: admission.reason };
      return c.json(busy, 429);
    },
  );
  app.get(`${PAIRING_REQUEST_PATH}/:ticket`, (c) => {
    c.header("Cache-Control", "no-store");
    return c.json(desk.answer(c.req.param("ticket")));
  });
  return app;
}
