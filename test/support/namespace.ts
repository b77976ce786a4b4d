import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { runChecked, startProcess, type Child } from "../../src/platform/platform.ts";

/**
 * A host of its own on this machine: a network namespace joined to ours by one line. Pulling the cable is the kernel's
 * own link down: packets vanish, nobody is told. Needs root.
 */
export interface Namespace extends AsyncDisposable {
  /** Put before a program's argument vector to run it there. */
  readonly enter: readonly string[];
  /** Our address, as the program in there sees us. */
  readonly hostAddress: string;
  /** Names of the line's two ends, ours and the one in there. */
  readonly devices: { near: string; far: string };
  cut(): Promise<void>;
  mend(): Promise<void>;
}

export interface LineCondition {
  /** In each direction. */
  delayMs: number;
  /** Share of packets that vanish. */
  loss: number;
  /** In each direction; null: as fast as the machine. */
  kbps: number | null;
}

/** A host behind a line that can be made bad. */
export interface ImpairedNamespace extends Namespace {
  impair(condition: LineCondition): void;
}

export const GOOD_LINE: LineCondition = { delayMs: 0, loss: 0, kbps: null };

const ip = (...args: string[]) => runChecked(["ip", ...args]);

export async function makeNamespace(): Promise<Namespace> {
  const { near, far, name, joinBy } = await addNamespace();
  return joinBy(async () => void (await ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)));
}

/**
 * The same behind two TUN devices (impair.py): many kernels come without netem.
 * @param congestion control of what is sent over the line, from both of its ends; the system's own unless given
 */
export async function makeImpairedNamespace(congestion?: string): Promise<ImpairedNamespace> {
  const { number, near, far, name, joinBy } = await addNamespace();
  let line: Child | undefined;
  const namespace = await joinBy(async () => {
    line = await startProcess(["/usr/bin/python3", join(import.meta.dirname, "impair.py"), near, far], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const ready = once(line.stdout!, "data");
    await Promise.race([ready, line.exited.then(() => Promise.reject(new Error("impair.py ended at once")))]);
    await ip("link", "set", far, "netns", name);
  });
  if (congestion !== undefined) {
    const { nearAddress, farAddress } = addressesOf(number);
    const toFar = ["route", "change", farAddress, "dev", near, "src", nearAddress, "congctl", congestion];
    const toNear = ["-n", name, "route", "change", nearAddress, "dev", far, "src", farAddress, "congctl", congestion];
    for (const route of [toFar, toNear]) await ip(...route);
  }
  return {
    ...namespace,
    impair: (condition) => void line!.stdin!.write(`${JSON.stringify(condition)}\n`),
    async [Symbol.asyncDispose]() {
      await namespace[Symbol.asyncDispose]();
      await line!.stop(1_000);
    },
  };
}

const addressesOf = (number: number) => ({ nearAddress: `10.77.${number}.1`, farAddress: `10.77.${number}.2` });

/** 1…250; drawn, since others on this machine may be looking for one at the same time. */
function freeNumber(): number {
  const taken = new Set(readdirSync("/sys/class/net"));
  const free = Array.from({ length: 250 }, (_, i) => i + 1).filter((i) => !taken.has(`dcn${i}`));
  const number = free[randomInt(free.length)];
  if (number === undefined) throw new Error("too many namespaces are there");
  return number;
}

async function addNamespace() {
  if (process.getuid?.() !== 0) throw new Error("network namespaces need root; run this group as root");
  const number = freeNumber();
  const name = `diemcau${process.pid}-${number}`;
  const [near, far] = [`dcn${number}`, `dcf${number}`];
  await ip("netns", "add", name);
  /** @param lay makes the two ends, the far one in the namespace */
  const joinBy = async (lay: () => Promise<void>): Promise<Namespace> => {
    const { nearAddress, farAddress } = addressesOf(number);
    const up = async () => {
      await ip("link", "set", near, "up");
    };
    try {
      await lay();
      await ip("addr", "add", nearAddress, "peer", farAddress, "dev", near);
      await up();
      await ip("-n", name, "addr", "add", farAddress, "peer", nearAddress, "dev", far);
      await ip("-n", name, "link", "set", far, "up");
      await ip("-n", name, "link", "set", "lo", "up");
    } catch (error) {
      await ip("netns", "del", name);
      throw error;
    }
    return {
      enter: ["ip", "netns", "exec", name],
      hostAddress: nearAddress,
      devices: { near, far },
      cut: async () => void (await ip("link", "set", near, "down")),
      mend: up,
      async [Symbol.asyncDispose]() {
        await ip("netns", "del", name);
      },
    };
  };
  return { number, near, far, name, joinBy };
}
