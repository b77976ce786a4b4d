import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  fileSystemOf,
  isoUtc,
  makeDirectory,
  readIfExists,
  writeDurable,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import { createQueues, STORAGE_FILE, storageText } from "../archive/archive.ts";
import type { HubDatabase } from "../database/database.ts";
import { ProvinceError, type Target } from "./plan.ts";

export interface StorageOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  target: Target;
  /** Where the identity file lies that the target should show. */
  folder: string;
  /** Of that file, between `folder` and the target. Gives what differs. */
  rsync: (mode: "createOnly" | "check", signal: AbortSignal) => Promise<readonly string[]>;
}

/** Recognises the province's storage by the file that this hub left there. */
export function createStorage(options: StorageOptions) {
  const { db, log, clock, target, folder } = options;

  const identity = async (): Promise<string> => {
    const { uuid } = await db
      .selectFrom("storage")
      .select("uuid")
      .where("name", "=", "archive")
      .executeTakeFirstOrThrow(() => new ProvinceError("wrongStorage", "the hub's own archive is not there yet"));
    // Made from the archive's and the target's names, so that a crash in between leaves nothing to remember.
    const hex = createHash("sha256").update(`${uuid} ${target.address}`).digest("hex");
    const own = [
      hex.slice(0, 8),
      hex.slice(8, 12),
      `8${hex.slice(13, 16)}`,
      `8${hex.slice(17, 20)}`,
      hex.slice(20, 32),
    ];
    const text = storageText("province", own.join("-"));
    await makeDirectory(folder);
    const path = join(folder, STORAGE_FILE);
    if ((await readIfExists(path))?.toString("utf8") !== text) await writeDurable(path, text);
    return own.join("-");
  };

  /** A target seen for the first time: everything has to be copied there, whatever an earlier target has. */
  const welcome = async (uuid: string, before: string | undefined): Promise<void> => {
    await db.transaction().execute(async (trx) => {
      const row = { name: "province" as const, target: target.address, uuid };
      await trx
        .insertInto("storage")
        .values(row)
        .onConflict((oc) => oc.column("name").doUpdateSet(row))
        .execute();
      if (before === undefined) return;
      await trx
        .updateTable("segment")
        .set({ provinceState: "waiting" })
        .where("provinceState", "=", "verified")
        .execute();
      await trx.updateTable("take").set({ provinceSegments: 0 }).execute();
      await trx.updateTable("bag").set({ provinceTagManifestSha256: null }).execute();
      await trx
        .insertInto("auditEntry")
        .values({
          at: isoUtc(clock.wallMs()),
          actor: null,
          act: "provinceChanged",
          detail: JSON.stringify({ from: before, to: target.address }),
        })
        .execute();
    });
    log.info("province.newTarget", { target: target.address, before });
  };

  // One at a time: the very first check makes the identity.
  const queues = createQueues();
  const checkStorage = (signal: AbortSignal): Promise<void> => queues.run("storage", () => recognise(signal));
  const recognise = async (signal: AbortSignal): Promise<void> => {
    const uuid = await identity();
    const row = await db.selectFrom("storage").selectAll().where("name", "=", "province").executeTakeFirst();
    // The directory above a share that is not mounted exists; a directory nobody made is a mistyped path.
    if (target.kind === "path") await fileSystemOf(target.address);
    const known = row?.uuid === uuid;
    if (!known) await options.rsync("createOnly", signal);
    if ((await options.rsync("check", signal)).length > 0)
      throw new ProvinceError(
        "wrongStorage",
        `${target.address} does not show this hub's ${STORAGE_FILE}: its disk is not mounted or was swapped, or another ` +
          "hub copies there; nothing was copied",
      );
    if (!known) await welcome(uuid, row?.target);
  };

  return {
    /** Throws ProvinceError "wrongStorage" for a disk that is not mounted or was swapped, or that is another hub's. */
    checkStorage,
  };
}
