import { createSocket } from "node:dgram";
import { isIPv4 } from "node:net";
import type { Clock } from "../../platform/platform.ts";

/**
 * One question by multicast DNS (RFC 6762) for the hub on this very LAN: a one-shot query from a port of its own, which
 * responders answer directly (section 6.7). Nothing is announced and nobody is answered.
 */
const GROUP = "224.0.0.251";
const PORT = 5353;
const TYPE = { a: 1, ptr: 12, srv: 33 } as const;
const WITHIN_MS = 1_500;
/** Labels of a name; more is a loop of compression pointers. */
const MAX_LABELS = 32;

export function encodeQuestion(name: string): Buffer {
  const head = Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = name
    .split(".")
    .map((label) => Buffer.concat([Buffer.from([Buffer.byteLength(label)]), Buffer.from(label)]));
  return Buffer.concat([head, ...labels, Buffer.from([0, 0, TYPE.ptr, 0, 1])]);
}

interface Answer {
  name: string;
  type: number;
  data: Buffer;
  /** Where the data begin in the message: names in them may point back into it. */
  at: number;
}

function readName(message: Buffer, start: number): { name: string; next: number } {
  const labels: string[] = [];
  let at = start;
  let next: number | undefined;
  for (let hops = 0; hops < MAX_LABELS; hops++) {
    const length = message.readUInt8(at);
    if (length === 0) return { name: labels.join("."), next: next ?? at + 1 };
    if ((length & 0xc0) === 0xc0) {
      next ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
      continue;
    }
    labels.push(message.toString("utf8", at + 1, at + 1 + length));
    at += 1 + length;
  }
  throw new RangeError("a name without an end");
}

function readAnswers(message: Buffer): Answer[] {
  const questions = message.readUInt16BE(4);
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  let at = 12;
  for (let i = 0; i < questions; i++) at = readName(message, at).next + 4;
  const answers: Answer[] = [];
  for (let i = 0; i < records; i++) {
    const { name, next } = readName(message, at);
    const length = message.readUInt16BE(next + 8);
    answers.push({
      name,
      type: message.readUInt16BE(next),
      data: message.subarray(next + 10, next + 10 + length),
      at: next + 10,
    });
    at = next + 10 + length;
  }
  return answers;
}

/** Addresses of the service in one response; pure. Empty for what is broken or speaks of something else. */
export function hubsOf(message: Buffer, service: string): { host: string; port: number }[] {
  try {
    const answers = readAnswers(message);
    const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
    const instances = answers
      .filter(({ type, name }) => type === TYPE.ptr && same(name, service))
      .map(({ at }) => readName(message, at).name);
    return answers
      .filter(({ type, name }) => type === TYPE.srv && instances.some((instance) => same(instance, name)))
      .flatMap(({ data, at }) => {
        const target = readName(message, at + 6).name;
        const port = data.readUInt16BE(4);
        return answers
          .filter(({ type, name, data }) => type === TYPE.a && same(name, target) && data.length === 4)
          .map(({ data }) => ({ host: [...data].join("."), port }))
          .filter(({ host }) => isIPv4(host) && port > 0);
      });
  } catch {
    return [];
  }
}

/** @returns the first answer's addresses, or none where nobody answers in time */
export async function askByMulticast(
  service: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ host: string; port: number }[]> {
  const socket = createSocket("udp4");
  const done = new AbortController();
  try {
    const answered = Promise.withResolvers<{ host: string; port: number }[]>();
    socket.on("error", () => answered.resolve([]));
    socket.on("message", (message) => {
      const hubs = hubsOf(message, service);
      if (hubs.length > 0) answered.resolve(hubs);
    });
    socket.send(encodeQuestion(service), PORT, GROUP);
    const late = clock.sleep(WITHIN_MS, AbortSignal.any([signal, done.signal])).then(
      () => [],
      () => [],
    );
    return await Promise.race([answered.promise, late]);
  } finally {
    done.abort();
    socket.close();
  }
}
