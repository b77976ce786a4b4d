import { z } from "zod";

/**
 * The file with which a USB stick tells a new box where its hub is and how to get onto the room's network. Made by the
 * hub, read by the box, sometimes mended by a person in a text editor: so what is wrong in it is told by field, with
 * codes that the screens have words for. Nothing in it is secret.
 */
export const STICK_FILE = "diem-cau.json";
export const STICK_VERSION = 1;

/** Every key that a person may meet, dotted. */
export const STICK_FIELDS = [
  "v",
  "hub",
  "hub.host",
  "hub.port",
  "hub.caSha256",
  "network",
  "network.address",
  "network.gateway",
  "network.dns",
  "network.vlan",
  "network.proxy",
  "ntp",
] as const;
export type StickField = (typeof STICK_FIELDS)[number];

export type StickFault =
  /** `notText`: neither UTF-8 nor what Notepad calls Unicode. */
  | { code: "empty" | "tooLarge" | "notText" }
  | { code: "notJson"; line: number; hint: "quotes" | "comma" | "comment" | "unclosed" | null }
  /** Made for a later version of the box. */
  | { code: "newer" }
  | { code: "unknown"; field: string; meant: StickField }
  | { code: "missing"; field: StickField }
  | { code: "invalid"; field: StickField; found: string }
  /** Good by themselves, and not together. */
  | { code: "gatewayOutside"; found: string };

const HOST_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const HOST_NAME = new RegExp(`^(?=.{1,253}$)${HOST_LABEL}(\\.${HOST_LABEL})*$`, "i");
/** Four numbers and dots are an address or nothing: 10.1.2.300 is no name. */
const LIKE_IPV4 = /^[\d.]+$/;

const name = z
  .string()
  .regex(HOST_NAME)
  .refine((text) => !LIKE_IPV4.test(text));
const host = z.union([z.ipv4(), z.ipv6(), name]);
/** People write numbers with and without quotes. */
const number = (least: number, most: number) =>
  z.preprocess(
    (value) => (typeof value === "string" && /^\s*\d{1,5}\s*$/.test(value) ? Number(value) : value),
    z.number().int().min(least).max(most),
  );
/** And one of several things without brackets. */
const several = <T extends z.ZodType>(item: T) =>
  z.preprocess((value) => (typeof value === "string" ? [value] : value), z.array(item).max(4));

const Fingerprint = z
  .string()
  .transform((text) => text.replaceAll(/[:\s]/g, "").toLowerCase())
  .pipe(z.string().regex(/^[0-9a-f]{64}$/));

/** An address with the length of its network; not the network's own or its broadcast address. */
const Address = z.union([z.cidrv6(), z.cidrv4().refine(isHostAddress)]);

const Proxy = z.string().regex(/^(?:http:\/\/)?(?:\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):\d{1,5}\/?$/);

const Network = z
  .object({
    /** Instead of DHCP. */
    address: Address.optional(),
    gateway: z.union([z.ipv4(), z.ipv6()]).optional(),
    dns: several(z.union([z.ipv4(), z.ipv6()])).optional(),
    /** IEEE 802.1Q, of the port that the box is plugged into. */
    vlan: number(1, 4094).optional(),
    /** HTTP proxy that lets CONNECT through to the hub, `host:port`. */
    proxy: Proxy.optional(),
  })
  .refine(({ address, gateway }) => address !== undefined || gateway === undefined, { path: ["address"] });

export const Stick = z.object({
  v: z.literal(STICK_VERSION),
  hub: z.object({
    host,
    port: number(1, 65_535).default(8443),
    /** SHA-256 of the hub's authority certificate, 64 hex digits: what the box trusts before it is paired. */
    caSha256: Fingerprint,
  }),
  network: Network.optional(),
  /** Time servers; without them those of DHCP, and the hub. */
  ntp: several(host).optional(),
});
export type Stick = z.infer<typeof Stick>;

export type StickReading = { ok: true; stick: Stick } | { ok: false; faults: StickFault[] };

/** Reads the text of a stick's file, a byte order mark and any line ends allowed. Pure. */
export function readStick(text: string): StickReading {
  const bare = text.replace(/^\uFEFF/, "");
  if (bare.trim() === "") return { ok: false, faults: [{ code: "empty" }] };
  let json: unknown;
  try {
    json = JSON.parse(bare);
  } catch {
    return { ok: false, faults: [notJson(bare)] };
  }
  return judgeStick(json);
}

/** The same for what was parsed already. */
export function judgeStick(json: unknown): StickReading {
  if (typeof json === "object" && json !== null && "v" in json && Number(json.v) > STICK_VERSION)
    return { ok: false, faults: [{ code: "newer" }] };
  const parsed = Stick.safeParse(json);
  const faults = [
    ...misspelt(json),
    ...(parsed.success ? [] : parsed.error.issues.map((issue) => faultOf(issue, json))),
  ];
  if (faults.length > 0 || !parsed.success) return { ok: false, faults: distinct(faults) };
  const { address, gateway } = parsed.data.network ?? {};
  if (address !== undefined && gateway !== undefined && !inNetwork(gateway, address))
    return { ok: false, faults: [{ code: "gatewayOutside", found: gateway }] };
  return { ok: true, stick: parsed.data };
}

/** As Notepad shows it best. */
export const stickText = (stick: Stick): string => `${JSON.stringify(stick, null, 2)}\n`.replaceAll("\n", "\r\n");

function faultOf(issue: z.core.$ZodIssue, json: unknown): StickFault {
  const path = issue.path.filter((part) => typeof part === "string");
  const field = STICK_FIELDS.find((each) => each === path.join(".")) ?? "v";
  const found = path.reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], json);
  if (found === undefined) return { code: "missing", field };
  const text = typeof found === "string" ? found : JSON.stringify(found);
  return { code: "invalid", field, found: text.slice(0, 80) };
}

/**
 * Keys that are nearly ours. Others are left alone: a hub of a later version may say more than this box understands.
 */
function misspelt(json: unknown): StickFault[] {
  const known = new Set<string>(STICK_FIELDS);
  const keys = (value: unknown, path: string): string[] =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, inner]) => [`${path}${key}`, ...keys(inner, `${path}${key}.`)])
      : [];
  return keys(json, "")
    .filter((key) => !known.has(key))
    .flatMap((field) => {
      const last = bare(field);
      const meant = STICK_FIELDS.find((each) => isNear(bare(each), last));
      return meant === undefined ? [] : [{ code: "unknown" as const, field: field.slice(0, 80), meant }];
    });
}

const bare = (field: string): string =>
  field
    .split(".")
    .at(-1)!
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "");

/** At most one letter more, less or other; two in words of eight and more. */
function isNear(a: string, b: string): boolean {
  const allowed = a.length >= 8 ? 2 : a.length >= 3 ? 1 : 0;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]! <= allowed;
}

function distinct(faults: StickFault[]): StickFault[] {
  const seen = new Set<string>();
  return faults.filter((fault) => {
    const key = JSON.stringify(fault);
    return !seen.has(key) && seen.add(key);
  });
}

/** Where JSON stops making sense, by the usual slips of a person with a text editor. */
function notJson(text: string): StickFault {
  type Hint = (StickFault & { code: "notJson" })["hint"];
  const at = (position: number, hint: Hint): StickFault => ({
    code: "notJson",
    line: text.slice(0, position).trimEnd().split("\n").length,
    hint,
  });
  let depth = 0;
  let last = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (/\s/.test(char)) continue;
    if (/[“”„‘’«»']/.test(char)) return at(i + 1, "quotes");
    if (char === "#" || char === "/") return at(i + 1, "comment");
    if ("}]".includes(char) && last === ",") return at(i + 1, "comma");
    if ('"{['.includes(char) && /["\w}\]]/.test(last)) return at(i, "comma");
    if ("{[".includes(char)) depth++;
    if ("}]".includes(char)) depth--;
    if (char === '"') {
      const string = /^"(?:[^"\\\n]|\\.)*"/.exec(text.slice(i))?.[0];
      if (string === undefined) return at(i + 1, "quotes");
      i += string.length - 1;
    }
    last = char;
  }
  return at(text.length, depth > 0 ? "unclosed" : null);
}

const ipv4Number = (address: string): number => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

function isHostAddress(cidr: string): boolean {
  const [address, length] = cidr.split("/") as [string, string];
  const sizeOfNetwork = 2 ** (32 - Number(length));
  const place = ipv4Number(address) % sizeOfNetwork;
  return sizeOfNetwork <= 2 || (place !== 0 && place !== sizeOfNetwork - 1);
}

/** IPv6 gateways are link-local as a rule, so there only the family is compared. */
function inNetwork(gateway: string, cidr: string): boolean {
  const [address, length] = cidr.split("/") as [string, string];
  if (gateway.includes(":") || address.includes(":")) return gateway.includes(":") === address.includes(":");
  const sizeOfNetwork = 2 ** (32 - Number(length));
  return Math.floor(ipv4Number(gateway) / sizeOfNetwork) === Math.floor(ipv4Number(address) / sizeOfNetwork);
}
