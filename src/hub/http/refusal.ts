import type { ErrorView } from "./views.ts";

const STATUS = {
  notSignedIn: 401,
  wrongCredentials: 401,
  tooManyTries: 429,
  mustChangePassword: 403,
  weakPassword: 400,
  badRequest: 400,
  notFound: 404,
  wrongPairingCode: 400,
  pairingLocked: 429,
  pointTaken: 409,
  wrongState: 409,
  roomBusy: 409,
  noRooms: 400,
  stageConflict: 409,
  badStick: 400,
  boxAway: 409,
  resetRefused: 409,
  releaseRefused: 409,
  notAllowed: 403,
  loginTaken: 409,
  lastAdministrator: 409,
  internal: 500,
} as const satisfies Record<ErrorView["code"], number>;

/** Thrown by handlers; the app's one error handler turns it into an ErrorView, so that success types stay simple. */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  readonly code: ErrorView["code"];
  readonly status: 400 | 401 | 403 | 404 | 409 | 429 | 500;
  readonly retryAfterS: number | undefined;
  readonly by: ErrorView["by"];
  readonly faults: ErrorView["faults"];
  readonly reset: ErrorView["reset"];
  readonly reason: ErrorView["reason"];
  constructor(
    code: ErrorView["code"],
    detail: string,
    options: ErrorOptions & { status?: 403 | undefined; retryAfterS?: number | undefined } & Pick<
        ErrorView,
        "by" | "faults" | "reset" | "reason"
      > = {},
  ) {
    super(detail, options);
    this.code = code;
    this.status = options.status ?? STATUS[code];
    this.retryAfterS = options.retryAfterS;
    this.by = options.by;
    this.faults = options.faults;
    this.reset = options.reset;
    this.reason = options.reason;
  }

  view(): ErrorView {
    const { code, message: detail, by, faults, reset, reason } = this;
    const more = { ...(by && { by }), ...(faults && { faults }), ...(reset && { reset }), ...(reason && { reason }) };
    return { code, detail, ...more };
  }
}

type Outcome = { ok: true } | ({ ok: false; retryAfterS?: number } & ErrorView);

/** The good half of an outcome; the other half is thrown. */
export function accepted<O extends Outcome>(outcome: O): Extract<O, { ok: true }> {
  if (!outcome.ok)
    throw new HttpRefusal(outcome.code, outcome.detail, {
      ...{ retryAfterS: outcome.retryAfterS, by: outcome.by, faults: outcome.faults },
      ...{ reset: outcome.reset, reason: outcome.reason },
    });
  return outcome as Extract<O, { ok: true }>;
}
