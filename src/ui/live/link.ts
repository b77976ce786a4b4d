import { readFlvTags, type FlvTag } from "../../media/media.ts";

/**
 * One live WebSocket that keeps coming back: at once after a connection that was good for something, then with
 * backoff. Everything of an old connection is forgotten: no event of it reaches the owner any more.
 */
export interface Link {
  /** Connections begun after the first. */
  readonly reconnects: number;
  /** Gives up this connection and begins another now. */
  renew(): void;
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

export function openLink(url: () => string, events: LinkEvents): Link {
  let socket: WebSocket;
  let failures = 0;
  let reconnects = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let heardMs = performance.now();
  let useful = false;
  let closed = false;

  const forget = () => {
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  };
  const again = () => {
    if (closed) return;
    clearTimeout(retry);
    failures = useful ? 0 : failures + 1;
    reconnects++;
    const delayMs = reconnectDelayMs(failures);
    if (delayMs === 0) connect();
    else retry = setTimeout(connect, delayMs);
  };
  const connect = () => {
    useful = false;
    heardMs = performance.now();
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
    if (closed) return;
    forget();
    events.onLost();
    again();
  };
  const watch = setInterval(() => {
    const limitMs = useful ? SILENCE_PLAYING_MS : SILENCE_WAITING_MS;
    if (performance.now() - heardMs < limitMs || socket.readyState > WebSocket.OPEN) return;
    // Waiting in vain is no failure: the next try need not be later.
    useful = true;
    renew();
  }, 1_000);
  connect();
  return {
    get reconnects() {
      return reconnects;
    },
    renew,
    close() {
      closed = true;
      clearInterval(watch);
      clearTimeout(retry);
      forget();
    },
  };
}
