import type { Socket } from "node:net";
import type { Clock } from "../../platform/platform.ts";
import { readClientHello } from "./client-hello.ts";

/** Largest hello seen, with a post-quantum key share and a resumption ticket: 2 kB. */
const MAX_HELLO_BYTES = 16 * 1024;
/** A hello comes in a few pieces; one that drips in is made to cost work. */
const MAX_HELLO_READS = 64;
/** From the connection to the whole hello: however slowly it drips. */
const HELLO_TIMEOUT_MS = 5_000;

export type Peek =
  | { kind: "hello"; protocols: string[] }
  | { kind: "refused"; reason: "notTls" | "malformedHello" | "helloTooLong" | "helloTimeout"; detail?: string }
  | { kind: "gone" };

/** Reads just the ClientHello and puts it back: the next reader of the socket sees every byte. */
export function peekClientHello(socket: Socket, clock: Clock): Promise<Peek> {
  return new Promise((resolve) => {
    const timer = new AbortController();
    let bytes = Buffer.alloc(0);
    let reads = 0;
    const settle = (peek: Peek) => {
      timer.abort();
      socket.off("data", onData);
      socket.off("close", onClose);
      socket.off("end", onClose);
      socket.pause();
      resolve(peek);
    };
    const onClose = () => settle({ kind: "gone" });
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const hello = readClientHello(bytes);
      if (hello.kind === "hello") {
        settle(hello);
        socket.unshift(bytes);
      } else if (hello.kind === "notTls") settle({ kind: "refused", reason: "notTls" });
      else if (hello.kind === "malformed") settle({ kind: "refused", reason: "malformedHello", detail: hello.detail });
      else if (bytes.length >= MAX_HELLO_BYTES || ++reads >= MAX_HELLO_READS)
        settle({ kind: "refused", reason: "helloTooLong" });
    };
    socket.on("data", onData);
    socket.once("close", onClose);
    socket.once("end", onClose);
    clock.sleep(HELLO_TIMEOUT_MS, timer.signal).then(
      () => settle({ kind: "refused", reason: "helloTimeout" }),
      () => {},
    );
  });
}
