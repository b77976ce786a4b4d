import { readdir, readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Wire } from "./diagnosis.ts";

const NET = "/sys/class/net";
/** ARPHRD_ETHER of linux/if_arp.h. */
const ETHERNET = "1";

/** Wired interfaces as the kernel has them now, and whether there is a way out of the own network. */
export async function readWires(): Promise<{ wires: Wire[]; hasRoute: boolean }> {
  const interfaces = networkInterfaces();
  const word = (name: string, file: string) =>
    readFile(join(NET, name, file), "utf8").then(
      (text) => text.trim(),
      // The carrier of an interface that is down cannot be read.
      () => "",
    );
  const names = (await readdir(NET).catch(() => [])).filter((name) => name !== "lo");
  const wires = await Promise.all(
    names.map(async (name): Promise<Wire[]> => {
      const [type, mac, carrier, wireless] = await Promise.all([
        ...[word(name, "type"), word(name, "address"), word(name, "carrier")],
        readdir(join(NET, name, "wireless")).then(
          () => true,
          () => false,
        ),
      ] as const);
      if (type !== ETHERNET || wireless) return [];
      const addresses = (interfaces[name] ?? [])
        .map(({ address }) => address)
        .filter((address) => !address.startsWith("fe80:") && !address.startsWith("169.254."));
      return [{ name, mac, carrier: carrier === "1", addresses }];
    }),
  );
  const [ipv4, ipv6] = await Promise.all([readRoutes("/proc/net/route"), readRoutes("/proc/net/ipv6_route")]);
  return { wires: wires.flat(), hasRoute: hasDefaultRoute(ipv4, ipv6) };
}

const readRoutes = (file: string) => readFile(file, "utf8").catch(() => "");

/** /proc/net/route and /proc/net/ipv6_route (route(8)); pure. Loopback's own reject route is none. */
export const hasDefaultRoute = (ipv4: string, ipv6: string): boolean =>
  /^\S+\t0{8}\t/m.test(ipv4) ||
  ipv6.split("\n").some((line) => {
    const [destination, length, , , , , , , , device] = line.trim().split(/\s+/);
    return destination === "0".repeat(32) && length === "00" && device !== "lo";
  });
