import type { Stick } from "../../protocol/protocol.ts";

/** A file below the root of the file system; what is not listed and is ours goes away. */
export interface PlannedFile {
  path: string;
  text: string;
}

/** Volatile, so that the box is never left with a network that no stick asks for any more. */
export const NETWORK_FOLDER = "run/systemd/network";
export const TIME_FOLDER = "run/chrony-dhcp";
/** Before the image's own 80-wired.network; by this prefix our files are known. */
export const OWN_PREFIX = "20-diem-cau";
const VLAN_DEVICE = "diemcau";
/** systemd.link(5): whatever has a cable, and nothing that the box itself made. */
const WIRED = ["[Match]", "Type=ether", "Kind=!*"];
/** Option 224 is the first of those for private use (RFC 3942); it may name the hub. */
const DHCP = [
  ...["", "[DHCPv4]", "ClientIdentifier=mac", "UseDomains=yes", "RequestOptions=224"],
  ...["", "[DHCPv6]", "DUIDType=link-layer", "UseDomains=yes"],
];

/**
 * Files of systemd-networkd and chrony for what a stick asks; pure. None where it asks nothing: the image's own
 * 80-wired.network (DHCP) stays in force.
 */
export function planNetwork(stick: Stick): PlannedFile[] {
  const { network, ntp = [] } = stick;
  const files: PlannedFile[] = [];
  const put = (name: string, lines: readonly string[]) =>
    files.push({ path: `${NETWORK_FOLDER}/${name}`, text: `${lines.join("\n")}\n` });
  const useTime = ntp.length > 0 ? "no" : "yes";
  const own = [
    ...(network?.address === undefined ? ["DHCP=yes"] : ["DHCP=no", `Address=${network.address}`]),
    ...(network?.gateway === undefined ? [] : [`Gateway=${network.gateway}`]),
    ...(network?.dns ?? []).map((address) => `DNS=${address}`),
    ...["LLMNR=no", "MulticastDNS=no"],
  ];
  const dhcp =
    network?.address === undefined
      ? DHCP.map((line) => (line === "UseDomains=yes" ? `${line}\nUseNTP=${useTime}` : line))
      : [];
  if (network?.vlan !== undefined) {
    put(`${OWN_PREFIX}-vlan.netdev`, [
      ...["[NetDev]", `Name=${VLAN_DEVICE}`, "Kind=vlan", "", "[VLAN]", `Id=${network.vlan}`],
    ]);
    put(`${OWN_PREFIX}.network`, [
      ...[...WIRED, "", "[Network]", `VLAN=${VLAN_DEVICE}`, "LinkLocalAddressing=no", "LLMNR=no", "MulticastDNS=no"],
    ]);
    put(`${OWN_PREFIX}-vlan.network`, ["[Match]", `Name=${VLAN_DEVICE}`, "", "[Network]", ...own, ...dhcp]);
  } else if (network?.address !== undefined || network?.dns !== undefined) {
    put(`${OWN_PREFIX}.network`, [...WIRED, "", "[Network]", ...own, ...dhcp]);
  }
  if (ntp.length > 0)
    files.push({
      path: `${TIME_FOLDER}/${OWN_PREFIX}.sources`,
      text: ntp.map((server) => `server ${server} iburst\n`).join(""),
    });
  return files;
}
