import type { Readable, Writable } from "node:stream";
import { z } from "zod";
import type { Clock } from "../../platform/platform.ts";

const Message = z.looseObject({
  id: z.number().optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  sessionId: z.string().optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.looseObject({ message: z.string() }).optional(),
});

export interface DevToolsEvent {
  method: string;
  params: Record<string, unknown>;
  /** Of the target that it is about; undefined: the browser. */
  target: string | undefined;
}

export class DevToolsError extends Error {
  override readonly name = "DevToolsError";
  readonly code: "refused" | "silent" | "closed";
  constructor(code: DevToolsError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const ANSWER_LIMIT_MS = 10_000;
/** Nothing that is asked for here comes near it. */
const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;

/**
 * The Chrome DevTools protocol over the two pipes of `--remote-debugging-pipe`: JSON messages that end with a zero
 * byte. No port is opened, and the browser ends when the pipes do.
 */
export class DevTools {
  private readonly clock: Clock;
  private readonly toBrowser: Writable;
  private readonly open = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  private readonly onEvent: (event: DevToolsEvent) => void;
  private rest = "";
  private count = 0;
  private closed = false;

  constructor(options: {
    clock: Clock;
    toBrowser: Writable;
    fromBrowser: Readable;
    onEvent: (event: DevToolsEvent) => void;
  }) {
    this.clock = options.clock;
    this.toBrowser = options.toBrowser;
    this.onEvent = options.onEvent;
    const { fromBrowser, toBrowser } = options;
    fromBrowser.setEncoding("utf8");
    fromBrowser.on("data", (text: string) => this.read(text));
    for (const pipe of [fromBrowser, toBrowser]) pipe.on("error", () => this.close()).on("close", () => this.close());
  }

  /** Rejects with DevToolsError: the browser refuses, says nothing for too long, or is gone. */
  async send(method: string, params: object = {}, target?: string): Promise<Record<string, unknown>> {
    if (this.closed) throw new DevToolsError("closed", `${method}: the browser is gone`);
    const id = ++this.count;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    this.open.set(id, answer);
    this.toBrowser.write(`${JSON.stringify({ id, method, params, ...(target && { sessionId: target }) })}\0`);
    const answered = new AbortController();
    const silence = this.clock.sleep(ANSWER_LIMIT_MS, answered.signal).then(
      () => answer.reject(new DevToolsError("silent", `${method}: no answer`)),
      () => {},
    );
    try {
      return await answer.promise;
    } finally {
      this.open.delete(id);
      answered.abort();
      await silence;
    }
  }

  private read(text: string): void {
    const parts = (this.rest + text).split("\0");
    this.rest = parts.pop()!;
    if (this.rest.length > MESSAGE_LIMIT_BYTES) return this.close();
    for (const part of parts) {
      const { id, method, params, sessionId, result, error } = Message.parse(JSON.parse(part));
      if (method !== undefined) this.onEvent({ method, params: params ?? {}, target: sessionId });
      else if (id !== undefined && error) this.open.get(id)?.reject(new DevToolsError("refused", error.message));
      else if (id !== undefined) this.open.get(id)?.resolve(result ?? {});
    }
  }

  private close(): void {
    this.closed = true;
    for (const answer of this.open.values()) answer.reject(new DevToolsError("closed", "the browser is gone"));
  }
}
