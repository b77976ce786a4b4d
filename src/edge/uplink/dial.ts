import { lookup as dnsLookup, type LookupAddress } from "node:dns";
import { connect as connectTcp, isIP, type LookupFunction } from "node:net";
import { connect, createSecureContext, type TLSSocket } from "node:tls";
import { ALPN, HUB_TLS_NAME, type EdgeProtocol } from "../../protocol/protocol.ts";

/** Read at each attempt: the hub may be found, or found elsewhere, while the agent runs. */
export interface HubAddress {
  /** Empty while nobody has said where the hub is. */
  readonly host: string;
  readonly port: number;
}

/** What proves this box to the hub, and the hub to this box; all PEM. */
export interface Credentials {
  keyPem: string;
  certificatePem: string;
  caPem: string;
}

export class DialError extends Error {
  override readonly name = "DialError";
  /** `notTrusted`: something answered, and it is not the hub that this box was paired with. */
  readonly code: "unreachable" | "timedOut" | "notTrusted" | "wrongProtocol" | "notPaired";
  constructor(code: DialError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface HubSocket extends TLSSocket {
  /**
   * Destroys the connection and what waits in the kernel for it (RST). After `destroy` the kernel goes on sending: up to
   * megabytes that nobody wants any more, on the line that something else needs.
   */
  reset(): void;
}

/** Opens one connection to the hub; the signal ends waiting for it. */
export type Dial = (protocol: EdgeProtocol, signal: AbortSignal) => Promise<HubSocket>;

/**
 * A lost SYN is sent again after 1, 3, 7 … s, so that one patient attempt may notice a line that came back only
 * seconds later. A fresh attempt joins the waiting ones this often, and the first to stand wins.
 */
const ATTEMPT_EVERY_MS = 600;
const DIAL_TIMEOUT_MS = 2_500;

/** Mutual TLS 1.3 under the hub's fixed name; resumption is not used, so that each connection proves both keys. */
export function createDial(hub: HubAddress, credentials: Credentials, lookup: LookupFunction): Dial {
  const secureContext = createSecureContext({
    key: credentials.keyPem,
    cert: credentials.certificatePem,
    ca: credentials.caPem,
    minVersion: "TLSv1.3",
  });
  return (protocol, signal) =>
    new Promise<HubSocket>((resolve, reject) => {
      const waiting = new Set<HubSocket>();
      const settle = (outcome: { socket: HubSocket } | { error: unknown }) => {
        clearInterval(again);
        clearTimeout(deadline);
        signal.removeEventListener("abort", onAbort);
        for (const socket of waiting) if (!("socket" in outcome) || socket !== outcome.socket) socket.destroy();
        waiting.clear();
        if ("socket" in outcome) resolve(outcome.socket);
        else reject(outcome.error);
      };
      const attempt = () => {
        const { host, port } = hub;
        const tcp = connectTcp({ host, port, lookup, noDelay: true });
        const tls = connect({ socket: tcp, servername: HUB_TLS_NAME, secureContext, ALPNProtocols: [ALPN[protocol]] });
        const socket = Object.assign(tls, { reset: () => void (tcp.destroyed || tcp.resetAndDestroy()) });
        waiting.add(socket);
        tcp.on("error", (error) => tls.destroy(error));
        const onError = (cause: Error) => {
          if (!waiting.delete(socket)) return;
          if (socket.authorizationError)
            settle({ error: new DialError("notTrusted", "the hub's certificate does not hold", { cause }) });
          else if (waiting.size === 0)
            settle({ error: new DialError("unreachable", "no connection to the hub", { cause }) });
        };
        socket.on("error", onError);
        // A peer that closes in mid-handshake may do so without an error.
        socket.once("close", () => onError(new Error("closed during the handshake")));
        socket.once("secureConnect", () => {
          if (!waiting.has(socket)) return;
          if (socket.alpnProtocol === ALPN[protocol]) settle({ socket });
          else settle({ error: new DialError("wrongProtocol", `the hub does not speak ${ALPN[protocol]}`) });
        });
      };
      const again = setInterval(attempt, ATTEMPT_EVERY_MS);
      const deadline = setTimeout(
        () => settle({ error: new DialError("timedOut", `no connection within ${DIAL_TIMEOUT_MS} ms`) }),
        DIAL_TIMEOUT_MS,
      );
      const onAbort = () => settle({ error: signal.reason });
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      else if (hub.host === "") settle({ error: new DialError("unreachable", "nobody has said where the hub is") });
      else attempt();
    });
}

/**
 * Resolution of the hub's name with at most one query under way. getaddrinfo holds one of libuv's four threads until the name
 * server answers or gives up (10 s and more); a dead line with impatient callers would take them all, and the
 * recorder's fdatasync with them. While a query hangs, the last known address is used.
 */
export function createLookup(resolve: typeof dnsLookup = dnsLookup): LookupFunction {
  const known = new Map<string, LookupAddress[]>();
  type Waiter = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;
  let waiting: Waiter[] = [];
  return (host, options, callback) => {
    const answer: Waiter = (error, addresses) => {
      const [first] = addresses;
      if (error || !first) callback(error ?? new Error(`no address of ${host}`), "");
      else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    };
    if (isIP(host)) {
      answer(null, [{ address: host, family: isIP(host) }]);
      return;
    }
    const last = known.get(host);
    if (last && waiting.length > 0) {
      answer(null, last);
      return;
    }
    if (waiting.push(answer) > 1) return;
    resolve(host, { all: true }, (error, addresses) => {
      if (!error) known.set(host, addresses);
      const waiters = waiting;
      waiting = [];
      for (const waiter of waiters) {
        if (error && last) waiter(null, last);
        else waiter(error, error ? [] : addresses);
      }
    });
  };
}
