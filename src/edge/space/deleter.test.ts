import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { createSigner, type Signer } from "../../evidence/evidence.ts";
import { completeLines, createLog, makeDirectory, sha256Hex, systemClock } from "../../platform/platform.ts";
import { makeId, segmentFileName, type Receipt } from "../../protocol/protocol.ts";
import { Deleter } from "./deleter.ts";
import { ReceiptBook } from "./receipt-book.ts";

const newKey = () =>
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
const hubKey = newKey();
const sign = createSigner(hubKey);
const session = makeId("session", new Uint8Array(10));
const take = makeId("take", new Uint8Array(10));
const bytesOf = (seq: number) => `segment ${seq}`;
const name = (seq: number) => ({ session, take, seq });

let recordings: string;
let folder: string;
let book: ReceiptBook;
let paired: boolean;

const open = () =>
  Deleter.open({
    log: createLog(systemClock, () => {}),
    clock: systemClock,
    recordings,
    book,
    receiptKey: () => (paired ? createPublicKey(hubKey) : null),
    sha256Of: async (_, seq) => sha256Hex(bytesOf(seq)),
  });

async function receive(seq: number, store: Receipt["store"], change: Partial<Receipt> = {}, by: Signer = sign) {
  const receipt: Receipt = {
    ...{ v: 1, kind: "receipt", store, session, take, seq, sha256: sha256Hex(bytesOf(seq)), sizeBytes: 9 },
    at: "2026-11-21T08:00:00.000Z",
    ...change,
  };
  await book.keep([{ receipt: { ...receipt, take }, signed: by(JSON.stringify(receipt)) }]);
}
const files = async () => (await readdir(folder)).filter((file) => file.endsWith(".ts")).sort();

beforeEach(async () => {
  recordings = await mkdtemp(join(tmpdir(), "diemcau-deleter-"));
  folder = join(recordings, session, take);
  paired = true;
  book = new ReceiptBook(recordings);
  await makeDirectory(folder);
  for (const seq of [0, 1, 2]) await writeFile(join(folder, segmentFileName(seq)), bytesOf(seq));
  await writeFile(join(folder, "records.jsonl"), "records\n");
  await writeFile(join(folder, "take.json"), "{}");
  return () => rm(recordings, { recursive: true });
});

describe("never-again 3: the deleter", () => {
  test("unlinks a segment that hub and province have signed for, with both words written down first", async () => {
    await receive(0, "hub");
    await receive(0, "province");
    const deleter = await open();
    expect(await deleter.delete([name(0)])).toEqual([name(0)]);
    expect(await files()).toEqual(["000001.ts", "000002.ts"]);
    expect(deleter.isDeleted(name(0))).toBe(true);
    const [mark] = completeLines(await readFile(join(folder, "deletions.jsonl"), "utf8")).map((line) =>
      JSON.parse(line),
    );
    expect([mark.hub, mark.province].map(({ record }) => JSON.parse(record).store)).toEqual(["hub", "province"]);
  });

  test("keeps a segment that only one store has signed for", async () => {
    await receive(0, "hub");
    await receive(0, "hub");
    await receive(1, "province");
    expect(await (await open()).delete([name(0), name(1), name(2)])).toEqual([]);
    expect(await files()).toHaveLength(3);
  });

  test("keeps a segment whose province receipt somebody else has signed", async () => {
    await receive(0, "hub");
    await receive(0, "province", {}, createSigner(newKey()));
    expect(await (await open()).delete([name(0)])).toEqual([]);
    expect(await files()).toHaveLength(3);
  });

  test("keeps a segment whose receipts are for other bytes, or for another segment", async () => {
    await receive(0, "hub");
    await receive(0, "province", { sha256: "0".repeat(64) });
    await receive(1, "hub");
    await receive(1, "province", { seq: 2, sha256: sha256Hex(bytesOf(2)) });
    expect(await (await open()).delete([name(0), name(1)])).toEqual([]);
    expect(await files()).toHaveLength(3);
  });

  test("keeps everything while the box has no hub whose word it could judge", async () => {
    await receive(0, "hub");
    await receive(0, "province");
    paired = false;
    expect(await (await open()).delete([name(0)])).toEqual([]);
    expect(await files()).toHaveLength(3);
  });

  test("carries out at its next start what a power cut left marked and not unlinked", async () => {
    await receive(1, "hub");
    await receive(1, "province");
    await (await open()).delete([name(1)]);
    await writeFile(join(folder, segmentFileName(1)), bytesOf(1));
    const again = await open();
    expect(await files()).toEqual(["000000.ts", "000002.ts"]);
    expect(again.isDeleted(name(1))).toBe(true);
    expect(again.isDeleted(name(0))).toBe(false);
  });

  test("leaves records, intents and receipts for ever", async () => {
    for (const seq of [0, 1, 2]) for (const store of ["hub", "province"] as const) await receive(seq, store);
    await (await open()).delete([name(0), name(1), name(2)]);
    expect((await readdir(folder)).sort()).toEqual(["deletions.jsonl", "receipts.jsonl", "records.jsonl", "take.json"]);
  });
});
