import { runChecked } from "../../src/platform/platform.ts";

/**
 * A host of its own on this machine: a network namespace joined to ours by a veth pair. Pulling the cable is the
 * kernel's own link down: packets vanish, nobody is told. Needs root.
 */
export interface Namespace extends AsyncDisposable {
  /** Put before a program's argument vector to run it there. */
  readonly enter: readonly string[];
  /** Our address, as the program in there sees us. */
  readonly hostAddress: string;
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/** @param number 1…250, unique among the namespaces that exist at one time */
export async function makeNamespace(number: number): Promise<Namespace> {
  if (process.getuid?.() !== 0) throw new Error("network namespaces need root; run this group as root");
  const name = `diemcau${process.pid}-${number}`;
  const [near, far] = [`dcn${number}`, `dcf${number}`];
  const ip = (...args: string[]) => runChecked(["ip", ...args]);
  await ip("netns", "add", name);
  try {
    await ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name);
    await ip("addr", "add", `10.77.${number}.1/30`, "dev", near);
    await ip("link", "set", near, "up");
    await ip("-n", name, "addr", "add", `10.77.${number}.2/30`, "dev", far);
    await ip("-n", name, "link", "set", far, "up");
    await ip("-n", name, "link", "set", "lo", "up");
  } catch (error) {
    await ip("netns", "del", name);
    throw error;
  }
  return {
    enter: ["ip", "netns", "exec", name],
    hostAddress: `10.77.${number}.1`,
    cut: async () => void (await ip("link", "set", near, "down")),
    mend: async () => void (await ip("link", "set", near, "up")),
    async [Symbol.asyncDispose]() {
      await ip("netns", "del", name);
    },
  };
}
