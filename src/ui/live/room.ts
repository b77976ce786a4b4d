import { createListen, type Listen } from "./listen.ts";
import type { Order, Report } from "./orders.ts";
import type { PictureCounts } from "./picture.ts";
import { postedScreen, trackScreen } from "./screen.ts";
import { SoundSync } from "./sync.ts";
import { createWatch, type Watch } from "./watch.ts";

/** Facts are signs of life as well: the page gives up a worker that is silent. */
const FACTS_MS = 250;

/** One player's half in the worker: does as it is ordered until it is closed. */
export function openRoom(port: MessagePort): void {
  const counts: PictureCounts = {
    ...{ received: 0, decoded: 0, closed: 0, painted: 0, skipped: 0, dropped: 0, jumps: 0, decodeErrors: 0 },
  };
  let sync = new SoundSync();
  let watch: Watch | undefined;
  let listen: Listen | undefined;
  let painted = () => {};

  const report = (message: Report, transfer: Transferable[] = []) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origin
    port.postMessage(message, transfer);
  };
  const tell = setInterval(() => {
    if (!watch) return;
    const facts = {
      picture: watch.facts,
      pictureReconnects: watch.reconnects,
      sound: listen?.facts ?? null,
      skewMs: (listen && sync.skewMs) ?? null,
    };
    report({ type: "facts", facts });
  }, FACTS_MS);
  const onLost = () => report({ type: "lost" });
  const begin = (track: WritableStream<VideoFrame> | null) => {
    const onClosed = () => void counts.closed++;
    const posted = postedScreen((frame) => report({ type: "frame", frame }, [frame]), onClosed);
    ({ painted } = posted);
    watch = createWatch({
      counts,
      screen: track ? trackScreen(track, onClosed) : posted,
      // The one of now: it is a new one for each sound.
      sync: {
        waitMs: (mediaMs, wallMs) => sync.waitMs(mediaMs, wallMs),
        shown: (mediaMs, wallMs) => sync.shown(mediaMs, wallMs),
      },
      onState: (state) => report({ type: "state", state }),
      onLost,
      onUnsupported: () => report({ type: "unsupported" }),
    });
  };
  const unhear = () => {
    listen?.close();
    listen = undefined;
    sync = new SoundSync();
  };
  port.onmessage = ({ data: order }: MessageEvent<Order>) => {
    switch (order.type) {
      case "begin":
        return begin(order.track);
      case "show":
        return watch?.show(order.url);
      case "rest":
        return watch?.rest();
      case "hear":
        unhear();
        listen = createListen({ ...order, onPosition: (position) => sync.heard(position), onLost });
        return;
      case "unhear":
        return unhear();
      case "awake":
        return listen?.setAwake(order.awake);
      case "urls":
        watch?.setUrl(order.picture);
        listen?.setUrl(order.sound);
        return;
      case "painted":
        return painted();
      case "close":
        clearInterval(tell);
        unhear();
        watch?.close();
        port.close();
    }
  };
}
