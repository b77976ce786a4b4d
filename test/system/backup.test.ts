import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { restoreBackup } from "../../src/hub/backup/backup.ts";
import { runChecked, runProcess, systemClock } from "../../src/platform/platform.ts";
import type { PointId } from "../../src/protocol/protocol.ts";
import { DeskCaller } from "../support/desk-caller.ts";
import { fetchAnswer, fetchCa, newPairingBox, openControlPeer, type PairedPeer } from "../support/hub-door.ts";
import { makeHubFolder, type HubFolder, type RunningHub } from "../support/hub-process.ts";
import { addMigration } from "../support/hub-versions.ts";
import { until } from "../support/until.ts";

/** The hub's backup, made beside a hub that is writing, and put on another machine. */
const PASSWORD = "mua-thu-ha-noi-2026";
const PASSPHRASE = "mot cau dai, khong ai doan ra";
const repository = join(import.meta.dirname, "../..");
const command = join(repository, "src/hub/administer.ts");

let directory: string;
let old: HubFolder;
let hub: RunningHub;
let desk: DeskCaller;
let box: PairedPeer;
let passphraseFile: string;

const configOf = (folder: HubFolder) => join(folder.directory, "hub.json");
const administer = (folder: HubFolder, ...args: string[]) =>
  runProcess([process.execPath, command, ...args, "--config", configOf(folder)]);

async function backUp(folder: HubFolder, ...args: string[]): Promise<string> {
  const to = await mkdtemp(join(directory, "backup-"));
  const { code, stderr } = await administer(folder, "backup", "--to", to, ...args);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const names = await readdir(to);
  // Nothing passing stays behind.
  expect(names).toHaveLength(1);
  return join(to, names[0]!);
}

async function pair(): Promise<PairedPeer> {
  const door = { port: hub.tlsPort };
  const made = await newPairingBox(await fetchCa(door));
  const ticket = await made.post(door);
  const answer = await desk.post("/api/pairing", { code: made.code, pointName: "Xã Bình Minh" });
  const { point } = JSON.parse(answer.text) as { point: { id: PointId } };
  const accepted = await fetchAnswer(door, ticket);
  const judged = made.judge(accepted);
  if (!judged.trusts || accepted.state !== "accepted") throw new Error("the box was not paired");
  const { keyPem, caPem } = made;
  return { box: accepted.box, point: point.id, keyPem, caPem, certificatePem: judged.certificatePem };
}

/** What the box hears when it comes by: who it is, and the revision of its sessions. */
async function comeBy(port: number): Promise<{ point: string; revision: number; sessions: string[] }> {
  const control = await openControlPeer({ port }, box);
  control.say({ type: "hello", controlVersion: 1, agentVersion: "test", bootId: "b", takes: [] });
  const welcome = await control.got("welcome");
  const { revision, sessions } = await control.got("assignment");
  control.ws.close();
  await control.closed;
  return { point: welcome.point.name, revision, sessions: sessions.map(({ name }) => name) };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-backup-"));
  passphraseFile = join(directory, "passphrase");
  await writeFile(passphraseFile, `${PASSPHRASE}\n`);
  old = await makeHubFolder({ hostNames: ["tiepcongdan.tinh.test", "127.0.0.1"] });
  hub = await old.start();
  desk = new DeskCaller(hub.url);
  await desk.settle(hub.oneTimePassword()!, PASSWORD);
  box = await pair();
  const points = [{ id: box.point, role: "central" }];
  await desk.post("/api/sessions", { name: "Buổi trước sao lưu", points });
});

afterAll(async () => {
  await old?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

describe("backup", () => {
  test("is whole and consistent beside a hub that is writing, and opens with tar and openssl alone", async () => {
    const writing = new AbortController();
    let written = 0;
    const writer = (async () => {
      while (!writing.signal.aborted) {
        await desk.post("/api/sessions", { name: `Buổi ${written}`, points: [{ id: box.point, role: "central" }] });
        written++;
      }
    })();
    await until("the hub is writing", () => written > 5);
    const file = await backUp(old, "--passphrase-file", passphraseFile);
    const during = written;
    writing.abort();
    await writer;
    expect(during).toBeGreaterThan(6);
    expect(file).toMatch(/diemcau-hub-\d{8}T\d{6}Z\.tar\.enc$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    const folder = await mkdtemp(join(directory, "opened-"));
    const cipher = ["-aes-256-cbc", "-pbkdf2", "-iter", "1000000", "-md", "sha256"];
    const tar = join(folder, "backup.tar");
    await runChecked(["openssl", "enc", "-d", ...cipher, "-in", file, "-out", tar, "-pass", `pass:${PASSPHRASE}`]);
    await runChecked(["tar", "-xf", tar, "-C", folder]);
    await runChecked(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], { cwd: folder });
    expect(await readFile(join(folder, "authority/ca.key"))).toEqual(
      await readFile(join(old.dataDirectory, "authority/ca.key")),
    );
    const sqlite = new DatabaseSync(join(folder, "hub.db"));
    expect(Object.values(sqlite.prepare("PRAGMA integrity_check").get()!)).toEqual(["ok"]);
    expect(sqlite.prepare("SELECT count(*) AS n FROM session").get()!["n"]).toBeGreaterThan(5);
    sqlite.close();
    // Without the passphrase nothing of it is to be read.
    expect((await readFile(file)).includes("PRIVATE KEY")).toBe(false);
  });

  test("that was changed, or whose passphrase is not known, is refused with the reason, and nothing is touched", async () => {
    const plain = await backUp(old);
    const sealed = await backUp(old, "--passphrase-file", passphraseFile);
    await using fresh = await makeHubFolder();
    const before = await readFile(configOf(fresh));
    const bytes = await readFile(plain);
    const at = bytes.indexOf("SQLite format 3") + 5_000;
    bytes[at]! ^= 1;
    const changed = join(directory, "changed.tar");
    await writeFile(changed, bytes);
    const wrong = join(directory, "wrong");
    await writeFile(wrong, "mot cau khac han, cung dai\n");
    const cases: [string[], string][] = [
      [[changed], "hub.db không đúng như lúc sao lưu"],
      [[sealed], "đã mã hoá: thêm --passphrase-file"],
      [[sealed, "--passphrase-file", wrong], "không mở được bằng mật khẩu này"],
      [[command], "không phải bản sao lưu"],
    ];
    for (const [args, reason] of cases) {
      const { code, stderr } = await administer(fresh, "restore", ...args);
      expect(stderr).toContain(reason);
      expect(code).toBe(1);
    }
    expect((await readdir(fresh.dataDirectory)).filter((name) => name !== "run")).toEqual([]);
    expect(await readFile(configOf(fresh))).toEqual(before);
  });

  test("that is refused stops no hub; one that is taken stops it once, before anything of its is touched", async () => {
    const file = await backUp(old, "--passphrase-file", passphraseFile);
    await using fresh = await makeHubFolder();
    const { dataDirectory } = fresh;
    const places = { dataDirectory, configFile: configOf(fresh) };
    const before = await readFile(places.configFile, "utf8");
    /** What was there when the hub was to be stopped. */
    const stops: { database: boolean; config: string }[] = [];
    const stopHub = async () => {
      stops.push({
        database: (await readdir(dataDirectory)).includes("hub.db"),
        config: await readFile(places.configFile, "utf8"),
      });
    };
    const restore = (passphrase: string | null) =>
      restoreBackup({ file, places, passphraseFile: passphrase, clock: systemClock, replace: false, stopHub });
    await expect(restore(null)).rejects.toMatchObject({ code: "noPassphrase" });
    expect(stops).toEqual([]);
    await restore(passphraseFile);
    expect(stops).toEqual([{ database: false, config: before }]);
  });

  test("on a new machine keeps boxes paired, accounts and sessions; nobody is signed in; the box takes its word", async () => {
    const seen = await comeBy(hub.tlsPort);
    const file = await backUp(old, "--passphrase-file", passphraseFile);
    const cookie = desk.cookie;
    await hub.end("SIGTERM");

    await using machine = await makeHubFolder({ hostNames: ["may-moi.tinh.test", "127.0.0.1"] });
    // As the installer leaves it: it has run, and has an authority and an administrator of its own.
    const first = await machine.start();
    await first.end("SIGTERM");
    const { code, stdout, stderr } = await administer(machine, "restore", file, "--passphrase-file", passphraseFile);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("1 thiết bị giữ nguyên ghép");
    expect(stdout).toMatch(/replaced-\d{8}T\d{6}Z/);
    const config = JSON.parse(await readFile(configOf(machine), "utf8")) as {
      hostNames: string[];
      dataDirectory: string;
    };
    expect(config.hostNames).toEqual(["may-moi.tinh.test", "127.0.0.1", "tiepcongdan.tinh.test"]);
    expect(config.dataDirectory).toBe(machine.dataDirectory);

    const restored = await machine.start();
    const again = await comeBy(restored.tlsPort);
    expect(again.point).toBe("Xã Bình Minh");
    expect(again.sessions).toContain("Buổi trước sao lưu");
    expect(again.revision).toBeGreaterThan(seen.revision);
    const there = new DeskCaller(restored.url);
    expect((await there.get("/api/me", { headers: { cookie } })).code).toBe("notSignedIn");
    expect((await there.post("/api/sign-in", { login: "admin", password: PASSWORD })).status).toBe(200);
    await restored.end("SIGTERM");

    // Now it has a life of its own, which only an explicit word replaces, and which is kept aside.
    const refused = await administer(machine, "restore", file, "--passphrase-file", passphraseFile);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("--replace");
    const replaced = await administer(machine, "restore", file, "--passphrase-file", passphraseFile, "--replace");
    expect(replaced.code).toBe(0);
    hub = await old.start();
  });

  test("of a later version is refused by an earlier one; what one that was gone back from added is no hindrance", async () => {
    await hub.end("SIGTERM");
    const later = join(directory, "later");
    await mkdir(later);
    for (const name of ["src", "package.json"])
      await cp(join(repository, name), join(later, name), { recursive: true });
    await symlink(join(repository, "node_modules"), join(later, "node_modules"));
    await addMigration(later, "999-of-tomorrow");
    const main = join(later, "src/hub/main.ts");
    await runChecked([process.execPath, main, "--config", configOf(old), "--reset-administrator"]);

    await using fresh = await makeHubFolder();
    const to = join(directory, "of-later");
    await runChecked([
      ...[process.execPath, join(later, "src/hub/administer.ts")],
      ...["backup", "--to", to, "--config", configOf(old)],
    ]);
    const refused = await administer(fresh, "restore", join(to, (await readdir(to))[0]!));
    expect(refused.stderr).toContain("cài phiên bản đó hoặc mới hơn");
    expect(refused.code).toBe(1);

    const restored = await administer(fresh, "restore", await backUp(old));
    expect(restored.stderr).toBe("");
    expect(restored.stdout).toContain("1 thiết bị giữ nguyên ghép");
  });
});
