import { readFlvTags, type FlvTag } from "../../media/media.ts";

/**
 * One live WebSocket that keeps coming back: at once after a connection that was good for something, then with
 * backoff. Everything of an old connection is forgotten: no event of it reaches the owner any more.
 */
export interface Link {
  /** Connections begun after the first. */
  readonly reconnects: number;
  /** Ends the link; the owner hears nothing more. */
  close(): void;
}

export interface LinkEvents {
  onOpen(): void;
  onTag(tag: FlvTag): void;
  onLost(): void;
}

/** 0 for the first try after a good connection, then 250 ms doubling up to 2 s. */
export const reconnectDelayMs = (failures: number): number =>
  failures === 0 ? 0 : Math.min(2_000, 250 * 2 ** (failures - 1));

/** Absolute ws: or wss: form of a live address, which may be relative or http(s). */
export function webSocketUrl(url: string, base: string): string {
  const absolute = new URL(url, base);
  absolute.protocol = absolute.protocol.replace("http", "ws");
  return absolute.href;
}

/** Where the same box's HLS is: `/live/:box/video` → `/hls/:box/index.m3u8`. */
export function hlsUrl(liveUrl: string, base: string): string {
  const absolute = new URL(liveUrl, base);
  absolute.protocol = absolute.protocol.replace("ws", "http");
  absolute.pathname = absolute.pathname.replace(/\/live\/([^/]+)\/[^/]+$/, "/hls/$1/index.m3u8");
  return absolute.href;
}

/**
 * A connection on which nothing came for this long may be dead without anybody having said so (a laptop that slept, a
 * router that forgot). While nothing is published there is nothing to hear either, so patience is longer then.
 */
const SILENCE_PLAYING_MS = 4_000;
const SILENCE_WAITING_MS = 20_000;
const SILENCE_CONNECTING_MS = 4_000;
/** One that ends sooner counts as failed, or a hub that keeps refusing would be asked without a pause. */
const GOOD_CONNECTION_MS = 1_000;

/**
 * Chromium delays WebSockets to an address where many have failed, by up to 5 s (measured: back 2.7 s after a hub that
 * was away for 45 s). So after this many failures a plain request asks first whether anybody is there.
 */
const FAILURES_BEFORE_ASKING = 3;
const ASK_EVERY_MS = 500;
const ASK_TIMEOUT_MS = 2_000;

/** Any answer will do, a refusal too. */
async function isThere(url: string, signal: AbortSignal): Promise<boolean> {
  const address = new URL(webSocketUrl(url, location.href));
  address.protocol = address.protocol.replace("ws", "http");
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]);
    await fetch(address, { method: "HEAD", cache: "no-store", credentials: "omit", redirect: "manual", signal: limit });
    return true;
  } catch {
    return false;
  }
}

export function openLink(url: () => string, events: LinkEvents): Link {
  let socket: WebSocket;
  let failures = 0;
  let reconnects = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let heardMs = performance.now();
  let beganMs = heardMs;
  let useful = false;
  const closed = new AbortController();

  const forget = () => {
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  };
  const again = () => {
    if (closed.signal.aborted) return;
    clearTimeout(retry);
    failures = useful && performance.now() - beganMs > GOOD_CONNECTION_MS ? 0 : failures + 1;
    reconnects++;
    const delayMs = reconnectDelayMs(failures);
    if (delayMs === 0) connect();
    else retry = setTimeout(failures < FAILURES_BEFORE_ASKING ? connect : ask, delayMs);
  };
  const ask = () => {
    void isThere(url(), closed.signal).then((there) => {
      if (closed.signal.aborted) return;
      if (there) connect();
      else retry = setTimeout(ask, ASK_EVERY_MS);
    });
  };
  const connect = () => {
    useful = false;
    heardMs = beganMs = performance.now();
    socket = new WebSocket(webSocketUrl(url(), location.href));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      heardMs = performance.now();
      events.onOpen();
    };
    socket.onmessage = ({ data }) => {
      heardMs = performance.now();
      if (!(data instanceof ArrayBuffer)) return;
      let tags: FlvTag[];
      try {
        tags = readFlvTags(new Uint8Array(data));
      } catch {
        return renew();
      }
      useful ||= tags.length > 0;
      for (const tag of tags) events.onTag(tag);
    };
    socket.onclose = () => {
      events.onLost();
      again();
    };
  };
  const renew = () => {
    if (closed.signal.aborted) return;
    forget();
    events.onLost();
    again();
  };
  const watch = setInterval(() => {
    if (socket.readyState > WebSocket.OPEN) return;
    const connecting = socket.readyState === WebSocket.CONNECTING;
    const limitMs = connecting ? SILENCE_CONNECTING_MS : useful ? SILENCE_PLAYING_MS : SILENCE_WAITING_MS;
    if (performance.now() - heardMs < limitMs) return;
    // An open connection that waits in vain is no failure: the next try need not be later.
    useful ||= !connecting;
    renew();
  }, 1_000);
  connect();
  return {
    get reconnects() {
      return reconnects;
    },
    close() {
      closed.abort();
      clearInterval(watch);
      clearTimeout(retry);
      forget();
    },
  };
}
