import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { Signer } from "../../evidence/evidence.ts";
import {
  DISK_KEY_FILE,
  diskCode,
  judgeStick,
  RESET_COMMAND_MS,
  RESET_FILE,
  RESET_STICK_MS,
  STICK_FILE,
  STICK_VERSION,
  stickText,
  type BoxId,
  type ResetOrder,
  type ResetOutcome,
  type SignedRecord,
  type StickFault,
  type Unsynced,
} from "../../protocol/protocol.ts";
import { isoUtc, randomId, type Clock, type Log } from "../../platform/platform.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { StickDefaultsView, StickView } from "../http/views.ts";

/** What the administrator wants on the stick, as typed; the hub adds what proves itself. */
export interface StickWish {
  host: string;
  port: string | number;
  network: { address: string; gateway: string; dns: string[]; vlan: string; proxy: string };
  ntp: string[];
}

export type StickOutcome =
  | ({ ok: true } & StickView)
  | { ok: false; code: "badStick"; detail: string; faults: StickFault[] };

export type ResetReply =
  | { ok: true }
  | { ok: false; code: "notFound" | "boxAway"; detail: string }
  | { ok: false; code: "resetRefused"; detail: string; reset: ResetOutcome & { state: "refused" } };

/** Makes the files that take a box into service. */
export interface Provisioning {
  defaults(): StickDefaultsView;
  makeStick(wish: StickWish, actor: string): Promise<StickOutcome>;
  /** Orders a box that is connected to forget everything, and waits for its answer; a box that obeys is revoked. */
  reset(box: BoxId, acceptLoss: Unsynced | null, actor: string): Promise<ResetReply>;
  /** The same for a box that cannot reach the hub, as a file for a stick. */
  makeResetStick(
    box: BoxId,
    acceptLoss: Unsynced | null,
    actor: string,
  ): Promise<({ ok: true } & StickView) | { ok: false; code: "notFound"; detail: string }>;
  /** What opens a box's disk in another PC, of boxes out of force too. */
  makeDiskKeyStick(
    box: BoxId,
    actor: string,
  ): Promise<({ ok: true } & StickView) | { ok: false; code: "notFound"; detail: string }>;
}

export interface ProvisioningOptions {
  log: Log;
  clock: Clock;
  /** Of the key that boxes check receipts with. */
  signer: Signer;
  fleet: Pick<Fleet, "send" | "onResetAnswer" | "revoke" | "points" | "diskKey">;
  caPem: string;
  /** Under which browsers reach this hub. */
  hostNames: readonly string[];
  tlsPort: () => number;
  audit: (actor: string, act: string, detail: string) => Promise<void>;
}

/** A box answers at once or is away. */
const ANSWER_WITHIN_MS = 10_000;
const LOOPBACK = /^(?:localhost|127\.|::1$)/;

export function createProvisioning(options: ProvisioningOptions): Provisioning {
  const { log, clock, signer, fleet, hostNames, tlsPort, audit } = options;
  const caSha256 = new X509Certificate(options.caPem).fingerprint256;
  const isInForce = async (box: BoxId) => (await fleet.points()).some((point) => point.box === box);
  const unknown = { ok: false, code: "notFound", detail: "no such box is in force" } as const;

  async function order(
    box: BoxId,
    acceptLoss: Unsynced | null,
    actor: string,
    forMs: number,
  ): Promise<{ id: string; signed: SignedRecord }> {
    const nowMs = clock.wallMs();
    const id = Buffer.from(randomId()).toString("hex");
    const words: ResetOrder = {
      ...{ v: 1, kind: "reset", id, box, issuedAt: isoUtc(nowMs), until: isoUtc(nowMs + forMs), by: actor, acceptLoss },
    };
    // What destroys is written down before it is given out.
    await audit(actor, "reset.ordered", JSON.stringify(words));
    return { id, signed: signer(JSON.stringify(words)) };
  }

  return {
    async reset(box, acceptLoss, actor) {
      if (!(await isInForce(box))) return unknown;
      const { id, signed } = await order(box, acceptLoss, actor, RESET_COMMAND_MS);
      const answered = Promise.withResolvers<ResetOutcome>();
      const unlisten = fleet.onResetAnswer((from, answer) => {
        if (from === box && answer.order === id) answered.resolve(answer.outcome);
      });
      const waiting = new AbortController();
      try {
        if (!fleet.send(box, { type: "reset", order: signed }))
          return { ok: false, code: "boxAway", detail: "the box is not connected" };
        const late = clock.sleep(ANSWER_WITHIN_MS, waiting.signal).then(
          () => undefined,
          () => undefined,
        );
        const outcome = await Promise.race([answered.promise, late]);
        if (!outcome) return { ok: false, code: "boxAway", detail: "the box has not answered" };
        await audit(actor, "reset.answered", JSON.stringify({ box, order: id, outcome }));
        log.warn("reset.answered", { box, outcome: outcome.state });
        if (outcome.state === "refused")
          return { ok: false, code: "resetRefused", detail: outcome.reason, reset: outcome };
        await fleet.revoke(box, actor);
        return { ok: true };
      } finally {
        unlisten();
        waiting.abort();
      }
    },
    async makeResetStick(box, acceptLoss, actor) {
      if (!(await isInForce(box))) return unknown;
      const { signed } = await order(box, acceptLoss, actor, RESET_STICK_MS);
      return { ok: true, fileName: RESET_FILE, text: `${JSON.stringify({ reset: signed }, null, 2)}\r\n` };
    },
    async makeDiskKeyStick(box, actor) {
      const disk = await fleet.diskKey(box);
      if (!disk) return { ok: false, code: "notFound", detail: "the hub has no key of that box's disk" };
      const code = diskCode(disk.volume);
      // Whom the key was given is written down before it is.
      await audit(actor, "diskKey.given", JSON.stringify({ box, volume: disk.volume }));
      log.warn("diskKey.given", { actor, box });
      return { ok: true, fileName: DISK_KEY_FILE, text: diskKeyText(disk.pointName, code, disk.key) };
    },
    defaults: () => ({
      // A name first: it lives longer than an address.
      hosts: hostNames
        .filter((name) => !LOOPBACK.test(name))
        .toSorted((a, b) => Math.sign(isIP(a)) - Math.sign(isIP(b))),
      port: tlsPort(),
      caSha256,
      fileName: STICK_FILE,
    }),
    async makeStick(wish, actor) {
      const { address, gateway, dns, vlan, proxy } = wish.network;
      const given = (object: Record<string, string | number | readonly string[]>) =>
        Object.fromEntries(
          Object.entries(object).filter(([, value]) => value !== "" && (typeof value !== "object" || value.length > 0)),
        );
      const network = given({ address, gateway, dns, vlan, proxy });
      const judged = judgeStick({
        v: STICK_VERSION,
        hub: given({ host: wish.host, port: wish.port, caSha256 }),
        ...(Object.keys(network).length > 0 && { network }),
        ...(wish.ntp.length > 0 && { ntp: wish.ntp }),
      });
      if (!judged.ok)
        return { ok: false, code: "badStick", detail: JSON.stringify(judged.faults), faults: judged.faults };
      await audit(actor, "stick.made", JSON.stringify(judged.stick));
      log.info("stick.made", { actor, host: judged.stick.hub.host });
      return { ok: true, fileName: STICK_FILE, text: stickText(judged.stick) };
    },
  };
}

/** For people who open the file; a box looks for the key alone. */
const diskKeyText = (pointName: string, code: string, key: string): string =>
  [
    `# Tệp mở khóa ổ đĩa ${code} của điểm cầu ${pointName}`,
    "# Chép tệp này vào USB, giữ nguyên tên tệp, rồi cắm USB vào máy đang báo không mở được ổ đĩa ghi hình.",
    "# Ai có cả ổ đĩa lẫn tệp này thì xem được bản ghi: xong việc phải xóa tệp khỏi USB và khỏi máy tính.",
    key,
    "",
  ].join("\r\n");
