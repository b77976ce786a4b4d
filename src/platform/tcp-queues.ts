import { readFileSync } from "node:fs";

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

/**
 * Queues of the TCP connections in this network namespace: what a program cannot see of its own sockets. The kernel walks
 * its whole table for each of the two files, however few connections there are: 4 ms of a core each where there are
 * 24 GB of memory. So ask seldom, and for IPv6 only where it is spoken. Synchronous: it waits for no disk, and the kernel
 * gives a page at a time, each of which would be a way through the pool of threads.
 */
export function readTcpQueues({ ipv6 }: { ipv6: boolean }): TcpQueueTable {
  const table = new Map<string, TcpQueues>();
  for (const file of ipv6 ? ["/proc/net/tcp", "/proc/net/tcp6"] : ["/proc/net/tcp"]) {
    try {
      parseTcpQueues(readFileSync(file, "latin1"), table);
    } catch {
      // A kernel without this protocol has no such file.
    }
  }
  return table;
}
