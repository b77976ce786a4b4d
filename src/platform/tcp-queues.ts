import { readFile } from "node:fs/promises";

/** Bytes in the kernel's queues of one TCP connection of this host. */
export interface TcpQueues {
  /** Written and not yet acknowledged by the peer's kernel. */
  sendBytes: number;
  /** Arrived and not yet read. */
  receiveBytes: number;
}

/** By `localPort:remotePort`. */
export type TcpQueueTable = ReadonlyMap<string, TcpQueues>;

export const tcpQueueKey = (localPort: number | undefined, remotePort: number | undefined): string =>
  `${localPort}:${remotePort}`;

/** `ADDRESS:PORT ADDRESS:PORT STATE TX:RX`, all hexadecimal (proc(5), /proc/net/tcp). */
const LINE = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]{2} ([0-9A-F]{8}):([0-9A-F]{8})/gm;

/** Reads the text of /proc/net/tcp or tcp6. Where two connections share both ports the fuller one counts. */
export function parseTcpQueues(text: string, into: Map<string, TcpQueues> = new Map()): Map<string, TcpQueues> {
  for (const [, local, remote, send, receive] of text.matchAll(LINE)) {
    const key = tcpQueueKey(Number.parseInt(local!, 16), Number.parseInt(remote!, 16));
    const found = { sendBytes: Number.parseInt(send!, 16), receiveBytes: Number.parseInt(receive!, 16) };
    const known = into.get(key);
    if (!known || known.sendBytes + known.receiveBytes < found.sendBytes + found.receiveBytes) into.set(key, found);
  }
  return into;
}

/** Queues of every TCP connection in this network namespace: what a program cannot see of its own sockets. */
export async function readTcpQueues(): Promise<TcpQueueTable> {
  const table = new Map<string, TcpQueues>();
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"])
    parseTcpQueues(await readFile(file, "latin1").catch(() => ""), table);
  return table;
}
