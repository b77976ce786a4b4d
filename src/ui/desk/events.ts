import type { LevelsView } from "../../hub/http/views.ts";
import type { Api } from "./api.ts";
import { DESK_EVENTS, type DeskEvent } from "./facts.ts";

/** Rooms report every 10 s; after this much silence the hub is asked whether it is there. */
const SILENCE_MS = 15_000;
const RETRY_MS = 2_000;

/**
 * The hub's event stream, for as long as it is wanted. The browser reconnects by itself after a broken connection, but
 * not after a refusal, and does not notice a machine that vanished: both are seen to here.
 */
export function openEvents(options: {
  api: Api;
  onEvent: (event: DeskEvent) => void;
  onLevels: (levels: LevelsView) => void;
  onLink: (answering: boolean) => void;
}): () => void {
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => void askWhetherThere(), SILENCE_MS);
  };
  async function askWhetherThere(): Promise<void> {
    const answer = await options.api.me();
    if (closed) return;
    if (answer.ok) return heard();
    options.onLink(false);
    again();
  }
  function again(): void {
    source?.close();
    clearTimeout(silence);
    clearTimeout(retry);
    retry = setTimeout(open, RETRY_MS);
  }
  function open(): void {
    if (closed) return;
    const opened = new EventSource("/api/events");
    source = opened;
    heard();
    for (const type of DESK_EVENTS)
      opened.addEventListener(type, (message: MessageEvent<string>) => {
        heard();
        options.onLink(true);
        options.onEvent({ type, data: JSON.parse(message.data) });
      });
    opened.addEventListener("levels", (message: MessageEvent<string>) =>
      options.onLevels(JSON.parse(message.data) as LevelsView),
    );
    opened.onerror = () => {
      options.onLink(false);
      // Refused: `me` finds out whether we are signed out; otherwise it is tried again.
      if (opened.readyState === EventSource.CLOSED) void options.api.me().then(() => !closed && again());
    };
  }
  open();
  return () => {
    closed = true;
    source?.close();
    clearTimeout(retry);
    clearTimeout(silence);
  };
}
