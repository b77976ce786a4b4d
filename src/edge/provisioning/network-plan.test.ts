import { describe, expect, test } from "vitest";
import type { Stick } from "../../protocol/protocol.ts";
import { planNetwork } from "./network-plan.ts";

const hub = { host: "hub", port: 8443, caSha256: "ab".repeat(32) };
const plan = (rest: Omit<Stick, "v" | "hub">) => planNetwork({ v: 1, hub, ...rest });

describe("the network that a stick asks for", () => {
  test("nothing asked leaves the image's own network", () => {
    expect(plan({})).toEqual([]);
    expect(plan({ network: { proxy: "10.24.0.9:3128" } })).toEqual([]);
  });

  test("a fixed address", () => {
    expect(
      plan({ network: { address: "10.24.3.17/24", gateway: "10.24.3.1", dns: ["10.24.3.1", "10.24.0.1"] } }),
    ).toEqual([
      {
        path: "run/systemd/network/20-diem-cau.network",
        text: `[Match]
Type=ether
Kind=!*

[Network]
DHCP=no
Address=10.24.3.17/24
Gateway=10.24.3.1
DNS=10.24.3.1
DNS=10.24.0.1
LLMNR=no
MulticastDNS=no
`,
      },
    ]);
  });

  test("a tagged port with DHCP, and time servers of its own", () => {
    expect(plan({ network: { vlan: 120 }, ntp: ["10.24.0.1", "ntp.tinh.gov.vn"] })).toEqual([
      {
        path: "run/systemd/network/20-diem-cau-vlan.netdev",
        text: `[NetDev]
Name=diemcau
Kind=vlan

[VLAN]
Id=120
`,
      },
      {
        path: "run/systemd/network/20-diem-cau.network",
        text: `[Match]
Type=ether
Kind=!*

[Network]
VLAN=diemcau
LinkLocalAddressing=no
LLMNR=no
MulticastDNS=no
`,
      },
      {
        path: "run/systemd/network/20-diem-cau-vlan.network",
        text: `[Match]
Name=diemcau

[Network]
DHCP=yes
LLMNR=no
MulticastDNS=no

[DHCPv4]
ClientIdentifier=mac
UseDomains=yes
UseNTP=no
RequestOptions=224

[DHCPv6]
DUIDType=link-layer
UseDomains=yes
UseNTP=no
`,
      },
      {
        path: "run/chrony-dhcp/20-diem-cau.sources",
        text: "server 10.24.0.1 iburst\nserver ntp.tinh.gov.vn iburst\n",
      },
    ]);
  });

  test("name servers of its own beside DHCP", () => {
    expect(plan({ network: { dns: ["10.24.0.1"] } })[0]!.text).toContain("DHCP=yes\nDNS=10.24.0.1\n");
  });
});
