import { join } from "node:path";
import { z } from "zod";
import {
  causeOf,
  moveDurable,
  openJsonStore,
  runForever,
  StoreError,
  type Clock,
  type JsonStore,
  type Log,
} from "../../platform/platform.ts";
import type { DeviceFacts, DeviceOrder, RoomDevices } from "../../protocol/protocol.ts";
import { likelyCamera, likelyMicrophone, pick, rank, type Candidate, type Row, type Wanted } from "./choice.ts";
import { likeness, portOf } from "./identity.ts";
import { LINUX, listDevices, type Camera, type Devices, type Microphone } from "./listing.ts";
import { Presence } from "./presence.ts";
import { watchPlugs } from "./watch.ts";

/** What the configuration says of a room's devices. */
export type DeviceRules =
  /** Those and no others. */
  | { kind: "devices"; camera?: string | undefined; microphone?: string | undefined }
  /** In this order, then the likeliest. */
  | { kind: "auto"; cameras?: string[] | undefined; microphones?: string[] | undefined };

export interface Chosen {
  camera: Camera | undefined;
  microphone: Microphone | undefined;
}
type Kind = keyof Chosen;
const KINDS = ["camera", "microphone"] as const;

const WantedDevice = z.object({ id: z.string(), name: z.string() });
const BookFile = z.object({
  v: z.literal(1),
  /** As the hub last said; null where it never did. */
  order: z.object({ cameras: z.array(WantedDevice), microphones: z.array(WantedDevice) }).nullable(),
  /** What the room uses day by day. */
  usual: z.object({ camera: WantedDevice.nullable(), microphone: WantedDevice.nullable() }),
});
type BookFile = z.infer<typeof BookFile>;
const emptyBook = (): BookFile => ({ v: 1, order: null, usual: { camera: null, microphone: null } });

/** A device in use for this long outside of sessions is the room's own. */
const USUAL_AFTER_MS = 10_000;
/** A usual device that has been away for so long is not expected back: somebody has put another one in its place. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;
/** For sound servers' own sources, of which no file tells; only while something is missing. */
const SLOW_LOOK_MS = 10_000;

interface BookOptions {
  clock: Clock;
  log: Log;
  list?: (() => Promise<Devices>) | undefined;
  /** Where the kernel puts device nodes. */
  dev?: string | undefined;
}

/** What the room needs to know to go on after a restart. It is no evidence: an unreadable one is put aside. */
export async function openDeviceBook(dataDirectory: string, options: BookOptions): Promise<DeviceBook> {
  const path = join(dataDirectory, "devices.json");
  const open = () => openJsonStore<BookFile>(path, (data) => BookFile.parse(data), emptyBook());
  const store = await open().catch(async (error: unknown) => {
    if (!(error instanceof StoreError)) throw error;
    await moveDurable(path, `${path}.unreadable-${Math.floor(options.clock.wallMs())}`);
    options.log.error("devices.setAside", { cause: causeOf(error) });
    return open();
  });
  return new DeviceBook(options, store);
}

/**
 * The room's cameras and microphones: what is plugged in, what is wanted, what is used.
 *
 * INVARIANTS
 * - Choosing never waits for a disk, and a book that cannot be written goes on in memory.
 * - In a session no device takes another's place but for three reasons: that one is gone or cannot be opened, a better
 *   one in the order of the administrator is there, or the room's usual one is back.
 */
export class DeviceBook {
  private readonly options: BookOptions;
  private readonly store: Pick<JsonStore<BookFile>, "data" | "update">;
  private readonly presence = new Presence();
  private readonly listeners: (() => void)[] = [];
  private last: Devices | undefined;
  private lastMs = -Infinity;
  private dirty = true;
  private rows: { camera: Row<Camera>[]; microphone: Row<Microphone>[] } = { camera: [], microphone: [] };
  private failed: ReadonlySet<string> = new Set();
  private used: Record<Kind, { id: string; sinceMs: number } | undefined> = {
    camera: undefined,
    microphone: undefined,
  };
  private readonly awaySinceMs: Record<Kind, number | undefined> = { camera: undefined, microphone: undefined };

  /** @param store only in memory where it is left out */
  constructor(options: BookOptions, store?: JsonStore<BookFile>) {
    this.options = options;
    const data = emptyBook();
    this.store = store ?? { data, update: (change) => Promise.resolve(change(data)) };
  }

  /** What is plugged in, asked anew. */
  async list(): Promise<Devices> {
    this.dirty = false;
    this.last = await (this.options.list ?? listDevices)();
    this.lastMs = this.options.clock.monotonicMs();
    const { cameras, microphones } = this.last;
    this.presence.note([...cameras, ...microphones].map(idOf), this.lastMs);
    return this.last;
  }

  /** What is plugged in, asked only if something may have changed. @param lacking something is missing or not the best */
  async known(lacking: boolean): Promise<Devices> {
    const due = lacking && this.options.clock.monotonicMs() - this.lastMs > SLOW_LOOK_MS;
    return this.dirty || due || !this.last ? this.list() : this.last;
  }

  /**
   * @param usable those of the listed devices that can be opened
   * @param held in a session
   */
  choose(rules: DeviceRules, listed: Devices, usable: Devices, held: boolean): Chosen {
    const failed = [...listed.cameras, ...listed.microphones].map(idOf);
    const good = new Set([...usable.cameras, ...usable.microphones].map(idOf));
    this.failed = new Set(failed.filter((id) => !good.has(id)));
    if (rules.kind === "devices") {
      const rowsOf = <T extends Candidate>(all: T[], word: string | undefined, likely: (d: T) => number) =>
        word === undefined
          ? rank(all, [], undefined, likely, held)
          : [{ wanted: { id: word, name: word }, device: pick(all, word) }];
      this.rows = {
        camera: rowsOf(listed.cameras, rules.camera, likelyCamera),
        microphone: rowsOf(listed.microphones, rules.microphone, likelyMicrophone),
      };
    } else {
      const { order, usual } = this.store.data;
      const words = (list: string[] | undefined) => (list ?? []).map((word) => ({ id: word, name: word }));
      const cameras = order?.cameras ?? words(rules.cameras);
      const microphones = order?.microphones ?? words(rules.microphones);
      this.rows = {
        camera: rank(listed.cameras, cameras, usual.camera ?? undefined, likelyCamera, held),
        microphone: rank(listed.microphones, microphones, usual.microphone ?? undefined, likelyMicrophone, held),
      };
    }
    return { camera: this.best(this.rows.camera), microphone: this.best(this.rows.microphone) };
  }

  /** A device that comes and goes is taken only where there is no other. */
  private best<T extends Candidate>(rows: readonly Row<T>[]): T | undefined {
    const there = rows.flatMap(({ device }) => (device && !this.failed.has(device.id) ? [device] : []));
    const nowMs = this.options.clock.monotonicMs();
    return there.find(({ id }) => !this.presence.loose(id, nowMs)) ?? there[0];
  }

  /** Whether a take may be ended for the sake of this device. */
  steady(id: string): boolean {
    return this.presence.steady(id, this.options.clock.monotonicMs());
  }

  /** It was lost in use. */
  noteLoss(id: string): void {
    this.presence.lose(id, this.options.clock.monotonicMs());
    this.dirty = true;
  }

  /** It could not be used, and may be gone. */
  lookAgain(): void {
    this.dirty = true;
  }

  /**
   * What is being used now, every now and then: outside of sessions that makes a device the room's usual one.
   * @param working pictures and sound come from it
   */
  noteUse(used: Record<Kind, string | undefined>, inSession: boolean, working: boolean): void {
    const nowMs = this.options.clock.monotonicMs();
    for (const kind of KINDS) {
      const id = used[kind];
      if (this.used[kind]?.id !== id) this.used[kind] = id === undefined ? undefined : { id, sinceMs: nowMs };
      const rows: readonly Row<Candidate>[] = this.rows[kind];
      const usual = this.store.data.usual[kind];
      const there = rows.find(({ device }) => device && usual && likeness(usual.id, device.id) > 0)?.device;
      if (there || !usual) this.awaySinceMs[kind] = undefined;
      else this.awaySinceMs[kind] ??= nowMs;
      const since = this.used[kind]?.sinceMs;
      if (inSession || !working || since === undefined || nowMs - since < USUAL_AFTER_MS) continue;
      const awayMs = nowMs - (this.awaySinceMs[kind] ?? nowMs);
      if (usual && !there && awayMs < FORGOTTEN_AFTER_MS) continue;
      const device = rows.find((row) => row.device?.id === id)?.device;
      if (device && device.id !== usual?.id) this.setUsual(kind, { id: device.id, name: device.name });
    }
  }

  private setUsual(kind: Kind, device: Wanted): void {
    this.options.log.info("devices.usual", { kind, ...device });
    this.write((data) => (data.usual[kind] = device));
  }

  /** What the administrator wants at the hub; null: nothing any more. @returns whether that is new */
  setOrder(order: DeviceOrder | null): boolean {
    if (JSON.stringify(order) === JSON.stringify(this.store.data.order)) return false;
    const names = (wanted: readonly Wanted[] | undefined) => wanted?.map(({ name }) => name).join(", ");
    this.options.log.info("devices.order", { cameras: names(order?.cameras), microphones: names(order?.microphones) });
    this.write((data) => (data.order = order));
    for (const listener of this.listeners) listener();
    return true;
  }

  private write(change: (data: BookFile) => void): void {
    this.store
      .update(change)
      .catch((error: unknown) => this.options.log.error("devices.notWritten", { cause: causeOf(error) }));
  }

  /** All that is there or wanted, best first. */
  facts(): RoomDevices {
    const facts = (kind: Kind): DeviceFacts[] =>
      (this.rows[kind] as Row<Candidate>[]).flatMap(({ wanted, device }) => {
        const known = device ?? wanted;
        if (!known) return [];
        const { id, name } = known;
        const port = portOf(id);
        const state = !device
          ? "absent"
          : this.used[kind]?.id === id
            ? "inUse"
            : this.failed.has(id)
              ? "failed"
              : "ready";
        return [{ id, name, state, wanted: wanted !== undefined, ...(port !== undefined && { port }) }];
      });
    return { cameras: facts("camera"), microphones: facts("microphone") };
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Watches for plugs until aborted. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, log, dev } = this.options;
    return runForever({ name: "devices", clock, log, baseMs: 1_000, capMs: 60_000 }, signal, (signal) =>
      watchPlugs(
        clock,
        dev ?? LINUX.dev,
        () => {
          this.dirty = true;
          for (const listener of this.listeners) listener();
        },
        signal,
      ),
    );
  }
}

const idOf = ({ id }: { id: string }): string => id;
