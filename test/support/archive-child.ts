import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createLog, processLifetime, runChecked, systemClock } from "../../src/platform/platform.ts";
import { createSigner } from "../../src/evidence/evidence.ts";
import { createArchive } from "../../src/hub/archive/archive.ts";
import { openDatabase } from "../../src/hub/database/database.ts";

/** The archive of an evidence stand as a process of its own, to be killed: `node archive-child.ts <root of the stand>`. */
const root = process.argv[2]!;
const log = createLog(systemClock);
await using db = await openDatabase(join(root, "hub.sqlite"));
const publicKey = await runChecked(["openssl", "x509", "-in", join(root, "hub.pem"), "-pubkey", "-noout"]);
const archive = createArchive({
  db,
  log,
  clock: systemClock,
  directories: {
    inbox: join(root, "inbox"),
    archive: join(root, "archive"),
    quarantine: join(root, "quarantine"),
    filled: join(root, "filled"),
  },
  signer: createSigner(await readFile(join(root, "hub.key"), "utf8")),
  trust: { caPem: await readFile(join(root, "ca.pem"), "utf8"), receiptKeyPem: publicKey.stdout },
  boxKey: async (box) =>
    (await db.selectFrom("box").select("certificatePem").where("id", "=", box).executeTakeFirst())?.certificatePem,
  send: () => {},
  limits: { keepFreeBytes: 0, inboxBytesPerBox: 8e9 },
  rereadEveryMs: 1e12,
});
await archive.run(processLifetime(log));
