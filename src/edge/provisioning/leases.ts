import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** What the network's own servers say that may lead to the hub. None of it is believed about who the hub is. */
export interface NetworkWords {
  /** Option 224 of each lease, as text: `host` or `host:port`. */
  hubs: string[];
  /** Search domains. */
  domains: string[];
}

/** Written by systemd-networkd, one file for each interface; readable for everybody. */
export const LEASE_FOLDER = "/run/systemd/netif/leases";
const RESOLV_CONF = "/etc/resolv.conf";

/** A lease file of systemd-networkd, whose private options are hexadecimal; pure. */
export function wordsOfLease(text: string): NetworkWords {
  const values = new Map(
    text.split("\n").flatMap((line) => {
      const at = line.indexOf("=");
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as const];
    }),
  );
  const option = values.get("OPTION_224") ?? "";
  const hub = /^(?:[0-9a-f]{2})+$/i.test(option)
    ? Buffer.from(option, "hex").toString("latin1").replaceAll("\0", "")
    : "";
  return {
    hubs: hub === "" ? [] : [hub],
    domains: `${values.get("DOMAINNAME") ?? ""} ${values.get("DOMAIN_SEARCH_LIST") ?? ""}`.split(/\s+/).filter(Boolean),
  };
}

/** The search line of resolv.conf(5), the last of them; pure. */
export const domainsOfResolvConf = (text: string): string[] =>
  [...text.matchAll(/^(?:search|domain)[ \t]+(.+)$/gm)]
    .at(-1)?.[1]
    ?.split(/\s+/)
    .filter((name) => /\w/.test(name)) ?? [];

export async function readNetworkWords(leaseFolder = LEASE_FOLDER, resolvConf = RESOLV_CONF): Promise<NetworkWords> {
  const names = await readdir(leaseFolder).catch(() => []);
  const leases = await Promise.all(
    names.map((name) =>
      readFile(join(leaseFolder, name), "utf8").then(wordsOfLease, () => ({ hubs: [], domains: [] })),
    ),
  );
  const resolv = domainsOfResolvConf(await readFile(resolvConf, "utf8").catch(() => ""));
  return {
    hubs: leases.flatMap(({ hubs }) => hubs),
    domains: [...new Set([...leases.flatMap(({ domains }) => domains), ...resolv])],
  };
}
