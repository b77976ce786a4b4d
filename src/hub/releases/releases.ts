import { createReadStream } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { readRelease, type ReleaseKeys } from "../../evidence/evidence.ts";
import { causeOf, fileSize, isoUtc, type Clock, type Log } from "../../platform/platform.ts";
import type {
  BoxId,
  BoxUpdate,
  HubMessage,
  ReleaseManifest,
  ReleaseRefusal,
  SignedRelease,
} from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";
import type { BoxUpdateView, ErrorView, FoundReleaseView, ReleasesView, ReleaseView } from "../http/views.ts";
import { KeptReleases, type Held } from "./kept.ts";
import { failureOf, judgeForFleet, mayOpen, releaseFor, type KnownUpdate } from "./rollout.ts";
import { ReleaseStore, readSigned, type Refusal } from "./store.ts";

export interface ReleasesOptions {
  db: HubDatabase;
  clock: Clock;
  log: Log;
  directory: string;
  /** Where a disk with releases is mounted, or was copied to. */
  importDirectory: string;
  keys: ReleaseKeys;
  /** How long the first ring runs a release before the rest may have it. */
  firstRingHours: number;
  keepFreeBytes: number;
  /** In force; replaced and revoked ones are not waited for. */
  inForce: () => ReadonlySet<BoxId>;
  /** @returns false where the box is away */
  send: (box: BoxId, message: HubMessage) => boolean;
}

export type ReleaseOutcome =
  | { ok: true; release: ReleaseView }
  | { ok: false; code: Extract<ErrorView["code"], "releaseRefused">; reason: ReleaseRefusal; detail: string }
  | { ok: false; code: Extract<ErrorView["code"], "notFound" | "wrongState">; detail: string };

/** Releases of the boxes' system: taken in, judged, given out in rings; and what boxes say of their updates. */
export interface Releases {
  view(): Promise<ReleasesView>;
  ofBox(box: BoxId): BoxUpdateView | null;
  /** Begins (or goes on with) taking one in: the manifest is judged before a byte of its files comes. */
  receive(signed: SignedRelease, actor: string): Promise<ReleaseOutcome>;
  put(id: string, name: string, atByte: number, bytes: Uint8Array): Promise<ReleaseOutcome>;
  /** @param folder as {@link view} lists it */
  importFrom(folder: string, actor: string): Promise<ReleaseOutcome>;
  publish(id: string, firstRing: readonly BoxId[], actor: string): Promise<ReleaseOutcome>;
  pause(id: string, actor: string): Promise<ReleaseOutcome>;
  /** `retry`: boxes that gave it up try again. `openToAll`: the rest need not wait for the first ring. */
  goOn(id: string, wish: { retry: boolean; openToAll: boolean }, actor: string): Promise<ReleaseOutcome>;
  /** A box's channel stands. */
  connected(box: BoxId): void;
  note(box: BoxId, update: BoxUpdate): Promise<void>;
  /** A box fetches a file; one range up to the end. */
  serve(request: IncomingMessage, response: ServerResponse, box: BoxId, file: { id: string; name: string }): void;
  /** What boxes or releases show has changed. */
  onChange(listener: () => void): void;
  run(signal: AbortSignal): Promise<void>;
}

const LOOK_MS = 60_000;
/** Of one hardware, with their files; of older ones the hub remembers that they were. */
const KEPT_PER_HARDWARE = 3;

/**
 * INVARIANTS
 * - Acts on releases follow each other; each is in the database, with its actor, before a box hears of it.
 * - No byte of a release reaches a box before its manifest and every file were judged here.
 * - A box that gave a release up holds it for all, in the same act in which that is noted.
 */
export async function createReleases(options: ReleasesOptions): Promise<Releases> {
  const { clock, log } = options;
  const store = new ReleaseStore(options.directory);
  const kept = await KeptReleases.load(options.db);
  const listeners: (() => void)[] = [];
  /** As each box was told last on the channel that stands. */
  const told = new Map<BoxId, string>();
  let tail: Promise<unknown> = Promise.resolve();

  const now = () => isoUtc(clock.wallMs());
  const inOrder = <T>(work: () => Promise<T>): Promise<T> => {
    const done = tail.then(work);
    tail = done.catch(() => {});
    return done;
  };
  const inForce = (): KnownUpdate[] => {
    const boxes = options.inForce();
    return kept.updates().filter(({ box }) => boxes.has(box));
  };
  const refused = ({ reason, detail }: Omit<Refusal, "ok">): ReleaseOutcome => {
    log.warn("release.refused", { reason, detail });
    return { ok: false, code: "releaseRefused", reason, detail };
  };
  const missing: ReleaseOutcome = { ok: false, code: "notFound", detail: "there is no such release" };
  const wrongState = (detail: string): ReleaseOutcome => ({ ok: false, code: "wrongState", detail });

  const viewOf = async ({ known, manifest, row }: Held): Promise<ReleaseView> => ({
    id: known.id,
    version: manifest.version,
    architecture: manifest.architecture,
    flavour: manifest.flavour,
    minimumVersion: manifest.minimumVersion,
    notes: manifest.notes,
    madeAt: manifest.madeAt,
    addedAt: row.addedAt,
    addedBy: row.addedBy,
    publishedAt: row.publishedAt,
    state: known.state,
    opened: known.opened,
    firstRing: [...known.firstRing],
    failures: known.failures.map((failure) => ({ ...failure })),
    files: await Promise.all(
      manifest.files.map(async (file) => ({
        name: file.name,
        sizeBytes: file.sizeBytes,
        haveBytes: await store.haveBytes(known.id, file),
      })),
    ),
  });
  const good = async (id: string): Promise<ReleaseOutcome> => ({ ok: true, release: await viewOf(kept.get(id)!) });

  /** Tells each box that is there what it should run now, where that is news. */
  const tellBoxes = () => {
    const releases = kept.all().map(({ known }) => known);
    for (const known of inForce()) {
      const release = releaseFor(known, releases);
      const held = release && kept.get(release.id);
      const text = held ? `${held.known.id} ${held.known.attempt}` : "";
      if (told.get(known.box) === text) continue;
      const said = held && { ...held.signed, attempt: held.known.attempt };
      if (options.send(known.box, { type: "release", release: said ?? null })) told.set(known.box, text);
    }
  };
  const changed = () => {
    tellBoxes();
    for (const listener of listeners) listener();
  };
  const openRings = async () => {
    for (const { known } of kept.all())
      if (mayOpen(known, inForce(), clock.wallMs(), options.firstRingHours * 3_600_000)) {
        await kept.change(known.id, { opened: 1 }, { at: now(), actor: null, act: "release.opened" });
        log.info("release.opened", { id: known.id, version: known.manifest.version });
        changed();
      }
  };

  async function receive(signed: SignedRelease, actor: string): Promise<ReleaseOutcome> {
    const verdict = readRelease(signed, options.keys);
    if (!verdict.ok) return refused(verdict);
    const { id, manifest } = verdict;
    if (kept.get(id)) return good(id);
    const wrong =
      judgeForFleet(
        manifest,
        inForce(),
        kept.all().map(({ known }) => known),
      ) ?? (await store.room(manifest, options.keepFreeBytes));
    if (wrong) return refused(wrong);
    await kept.add(id, signed, manifest, { at: now(), actor });
    changed();
    return good(id);
  }

  async function act(
    id: string,
    from: readonly Held["known"]["state"][],
    work: (held: Held) => Promise<ReleaseOutcome | undefined>,
  ): Promise<ReleaseOutcome> {
    const held = kept.get(id);
    if (!held) return missing;
    if (!from.includes(held.known.state)) return wrongState(`the release is ${held.known.state}`);
    const refusal = await work(held);
    if (refusal) return refusal;
    changed();
    return good(id);
  }

  /** Of one hardware the newest few keep their files. */
  async function tidy({ architecture, flavour }: ReleaseManifest): Promise<void> {
    const same = kept
      .all()
      .filter(
        ({ manifest, known }) =>
          manifest.architecture === architecture && manifest.flavour === flavour && known.state !== "receiving",
      );
    for (const { known } of same.slice(0, -KEPT_PER_HARDWARE)) {
      await store.remove(known.id);
      await kept.change(known.id, { state: "withdrawn" }, { at: now(), actor: null, act: "release.withdrawn" });
    }
  }

  return {
    async view() {
      const found = await store.listFolders(options.importDirectory);
      const onDisk = found.map(({ folder, signed }): FoundReleaseView => {
        const verdict = readRelease(signed, options.keys);
        if (!verdict.ok) return { folder, version: null, refusal: verdict.reason };
        return { folder, version: verdict.manifest.version, refusal: null };
      });
      const releases = await Promise.all(kept.all().map(viewOf));
      return {
        keys: options.keys.size,
        importDirectory: options.importDirectory,
        onDisk,
        releases: releases.reverse(),
      };
    },
    ofBox: (box) => kept.viewOf(box),
    receive: (signed, actor) => inOrder(() => receive(signed, actor)),
    put: (id, name, atByte, bytes) =>
      inOrder(async () => {
        const held = kept.get(id);
        const file = held?.manifest.files.find((each) => each.name === name);
        if (!file) return missing;
        const outcome = await store.put(id, file, atByte, bytes);
        return outcome.ok ? good(id) : refused(outcome);
      }),
    importFrom: (folder, actor) =>
      inOrder(async () => {
        // One of those that were listed: no other folder of this machine is read.
        const found = (await store.listFolders(options.importDirectory)).find((each) => each.folder === folder);
        if (!found) return missing;
        const from = join(options.importDirectory, folder);
        const outcome = await receive((await readSigned(from)) ?? found.signed, actor);
        if (!outcome.ok) return outcome;
        const { id } = outcome.release;
        const wrong = await store.importFrom(id, from, kept.get(id)!.manifest);
        if (wrong) return refused(wrong);
        changed();
        return good(id);
      }),
    publish: (id, firstRing, actor) =>
      inOrder(() =>
        act(id, ["receiving"], async ({ manifest }) => {
          if (!(await store.isWhole(id, manifest)))
            return refused({ reason: "truncated", detail: "not all of its files are here" });
          // Another may have been published while this one was on its way.
          const others = kept.all().filter(({ known }) => known.id !== id);
          const wrong = judgeForFleet(
            manifest,
            inForce(),
            others.map(({ known }) => known),
          );
          if (wrong) return refused(wrong);
          const at = now();
          await kept.change(
            id,
            {
              state: "published",
              publishedAt: at,
              firstRing: JSON.stringify(firstRing),
              opened: firstRing.length === 0 ? 1 : 0,
            },
            { at, actor, act: "release.published" },
          );
          await tidy(manifest);
          return undefined;
        }),
      ),
    pause: (id, actor) =>
      inOrder(() =>
        act(id, ["published", "held"], async () => {
          await kept.change(id, { state: "paused" }, { at: now(), actor, act: "release.paused" });
          return undefined;
        }),
      ),
    goOn: (id, { retry, openToAll }, actor) =>
      inOrder(() =>
        act(id, ["paused", "held", "published"], async ({ known }) => {
          await kept.change(
            id,
            {
              state: "published",
              ...(retry && { attempt: known.attempt + 1 }),
              ...(openToAll && { opened: 1 as const }),
            },
            {
              at: now(),
              actor,
              act: openToAll ? "release.openedToAll" : retry ? "release.triedAgain" : "release.continued",
            },
          );
          return undefined;
        }),
      ),
    connected(box) {
      told.delete(box);
      tellBoxes();
    },
    note: (box, update) =>
      inOrder(async () => {
        const at = now();
        const known = await kept.note(box, update, at, clock.wallMs());
        for (const { known: release } of kept.all()) {
          const failure = failureOf(release, known, at);
          if (!failure) continue;
          log.warn("release.heldBack", {
            box,
            version: release.manifest.version,
            reason: failure.reason,
            detail: failure.detail,
          });
          const failures = JSON.stringify([...release.failures, failure]);
          const state = release.state === "published" ? "held" : release.state;
          await kept.change(release.id, { failures, state }, { at, actor: null, act: "release.held" });
        }
        changed();
        await openRings();
      }),
    serve(request, response, box, { id, name }) {
      const send = async () => {
        const held = kept.get(id);
        const isPublished =
          held && held.known.state !== "receiving" && held.manifest.files.some((file) => file.name === name);
        const path = store.path(id, name);
        const size = isPublished ? await fileSize(path) : undefined;
        if (size === undefined) {
          response.writeHead(404, { connection: "close" }).end();
          return;
        }
        const from = Number(/^bytes=(\d{1,15})-$/.exec(request.headers.range ?? "bytes=0-")?.[1]);
        if (!(from < size)) {
          response.writeHead(416, { connection: "close", "content-range": `bytes */${size}` }).end();
          return;
        }
        response.writeHead(206, {
          ...{ connection: "close", "content-type": "application/octet-stream" },
          ...{ "content-length": size - from, "content-range": `bytes ${from}-${size - 1}/${size}` },
        });
        await pipeline(createReadStream(path, { start: from }), response);
      };
      send().catch((error: unknown) => {
        // A box whose line broke comes again for the rest.
        log.info("release.notSent", { box, name, cause: causeOf(error) });
        response.destroy();
      });
    },
    onChange: (listener) => void listeners.push(listener),
    async run(signal) {
      while (!signal.aborted) {
        await inOrder(openRings).catch((error: unknown) => log.error("release.failed", { cause: causeOf(error) }));
        await clock.sleep(LOOK_MS, signal).catch(() => {});
      }
    },
  };
}
