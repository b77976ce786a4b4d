import { X509Certificate } from "node:crypto";
import { copyFile, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RecordingView, RoomView, SessionView } from "../../src/hub/http/views.ts";
import type { RoomState } from "../../src/protocol/protocol.ts";
import { runChecked, type RunResult } from "../../src/platform/platform.ts";
import { bootDebian, type DebianMachine } from "../support/debian-machine.ts";
import { DeskCaller } from "../support/desk-caller.ts";
import { freePort } from "../support/free-port.ts";
import { findOneTimePassword } from "../support/hub-process.ts";
import { addMigration, dies, replaceIn } from "../support/hub-versions.ts";
import { makeNamespace, type Namespace } from "../support/namespace.ts";
import { supervise, type Supervised } from "../support/supervised.ts";
import { until } from "../support/until.ts";

/**
 * The hub on clean Debian machines, from the bundle alone: they reach this machine and nothing else. One machine goes
 * through the years of a hub, so the tests build on one another.
 */
const repository = join(import.meta.dirname, "../..");
const PASSWORD = "mua-thu-ha-noi-2026";

describe.each([
  { suite: "bookworm", release: "12" },
  { suite: "trixie", release: "13" },
] as const)("$suite", ({ suite, release }) => {
  let directory: string;
  let bundle: string;
  let network: Namespace;
  let machine: DebianMachine;
  let desk: DeskCaller;
  let room: Supervised;
  let sessionId = "";
  let sealed: Record<string, string> = {};
  const address = () => network.hostAddress.replace(/\.1$/, ".2");

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-install-"));
    bundle = join(directory, "hub.tar.gz");
    await runChecked([join(repository, "scripts/install-hub"), "--make-bundle", bundle, "--debian", release]);
    network = await makeNamespace();
    machine = await bootDebian(suite, network);
    await copyFile(bundle, inMachine("srv/hub.tar.gz"));
    await machine.check("tar", "-xf", "/srv/hub.tar.gz", "-C", "/srv");
    const unpacked = (await readdir(inMachine("srv"))).find((name) => name.startsWith("diemcau-hub-"));
    await machine.check("mv", `/srv/${unpacked}`, "/srv/bundle");
  }, 600_000);

  afterAll(async () => {
    await room?.stop();
    await machine?.[Symbol.asyncDispose]();
    await network?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  }, 60_000);

  const inMachine = (path: string) => join(machine.root, path);
  const current = async () => basename(await readlink(inMachine("opt/diemcau-hub/current")));
  const mainPid = async () =>
    (await machine.check("systemctl", "show", "--property=MainPID", "--value", "diemcau-hub")).trim();
  const authority = () => readFile(inMachine("var/lib/diemcau-hub/authority/ca.pem"), "utf8");
  const caller = async () => new DeskCaller(`https://${address()}:8443`, await authority());

  /** A copy of what was unpacked that is another version, changed as told; schema changes that were released stay. */
  async function anotherVersion(
    name: string,
    change: (folder: string) => Promise<void>,
    base = "bundle",
  ): Promise<string> {
    const folder = `/srv/${name}`;
    await machine.check("cp", "-a", `/srv/${base}`, folder);
    await writeFile(inMachine(`${folder}/version`), `${name}\n`);
    await change(inMachine(folder));
    return `${folder}/scripts/install-hub`;
  }

  async function roomIsThere(): Promise<RoomView> {
    return until(
      "the room is connected, without being paired again",
      async () => (JSON.parse((await desk.get("/api/rooms")).text) as RoomView[]).find(({ connected }) => connected),
      { withinMs: 40_000, everyMs: 200 },
    );
  }

  /** Signs in anew, with the password that somebody chose before. */
  async function signInAgain(): Promise<void> {
    desk = await caller();
    expect((await desk.post("/api/sign-in", { login: "admin", password: PASSWORD })).status).toBe(200);
  }

  async function expectEverythingKept(): Promise<void> {
    await signInAgain();
    const sessions = (await desk.get("/api/sessions")).sessions();
    expect(sessions.map(({ name }) => name)).toContain("Tiếp công dân định kỳ");
    const recording = JSON.parse((await desk.get(`/api/recordings/${sessionId}`)).text) as RecordingView;
    expect(recording.copies.hubComplete).toBe(true);
    expect(await recordedFiles()).toEqual(sealed);
    await roomIsThere();
  }

  async function recordedFiles(): Promise<Record<string, string>> {
    const folder = `/var/lib/diemcau-hub/archive/${sessionId}`;
    const found = await machine.check("find", folder, "-name", "*.ts", "-type", "f", "-exec", "sha256sum", "{}", "+");
    const lines = found
      .trim()
      .split("\n")
      .map((line) => line.split(/\s+/) as [string, string]);
    return Object.fromEntries(lines.map(([hash, file]) => [file, hash]));
  }

  async function startRoom(): Promise<string> {
    const folder = join(directory, `room-${suite}`);
    await mkdir(folder, { recursive: true });
    const port = await freePort();
    const config = {
      dataDirectory: join(folder, "data"),
      runDirectory: join(folder, "run"),
      hub: { host: address(), port: 8443 },
      capture: { source: { kind: "virtual", label: "Xã Bình Minh" } },
      room: { port },
    };
    await mkdir(config.dataDirectory);
    await mkdir(config.runDirectory);
    await writeFile(join(folder, "box.json"), JSON.stringify(config));
    const argv = [process.execPath, join(repository, "src/edge/start.js"), "--config", join(folder, "box.json")];
    room = await supervise(argv, { logFile: join(folder, "box.log") });
    return until(
      "the room shows its pairing code",
      async () => {
        const { pairing } = (await (await fetch(`http://127.0.0.1:${port}/api/room`)).json()) as RoomState;
        return pairing.state === "code" && pairing.code;
      },
      { withinMs: 40_000, everyMs: 200 },
    );
  }

  /** Another program of this machine has a port for as long as it is needed. */
  async function withPortTaken(listen: string, work: () => Promise<void>): Promise<void> {
    const unit = ["--quiet", "--unit=other-program", "--collect"];
    await machine.check("systemd-run", ...unit, "systemd-socket-activate", `--listen=${listen}`, "/bin/cat");
    try {
      const taken = async () => (await machine.check("ss", "-Hltn")).includes(listen);
      await until("the port is taken", taken, { withinMs: 10_000 });
      await work();
    } finally {
      await machine.check("systemctl", "stop", "other-program");
    }
  }

  /** Gives what the upgrade ends with, when the version has its turn. */
  async function upgradeUntilItsTurn(
    command: string,
    version: string,
    withinS: number,
  ): Promise<() => Promise<RunResult>> {
    const ended = machine.run(command, "--within", String(withinS));
    let early: RunResult | undefined;
    ended.then((result) => (early = result)).catch(() => {});
    const hasTurn = async () => (await current()) === version || early !== undefined;
    await until(`${version} has its turn`, hasTurn, { withinMs: 100_000 });
    expect(early, early?.stderr).toBeUndefined();
    return () => ended;
  }

  /** To the installer that was told this many seconds. */
  async function signalInstaller(withinS: number, ...signals: NodeJS.Signals[]): Promise<void> {
    // A letter in brackets, so that the line does not find itself.
    const script = `for at in /proc/[0-9]*; do
      if tr "\\0" " " <"$at/cmdline" 2>/dev/null | grep -q "administer.ts --withi[n] ${withinS} $"; then
        for signal; do kill -s "$signal" "\${at#/proc/}" && echo "$signal"; done
      fi
    done`;
    const sent = await machine.check("sh", "-c", script, "sh", ...signals.map((name) => name.slice(3)));
    expect(sent.trim().split("\n")).toHaveLength(signals.length);
  }

  async function expectRefused(reason: string, ...args: string[]): Promise<void> {
    const refused = await machine.run("/srv/bundle/scripts/install-hub", ...args);
    expect(refused.stderr).toContain(reason);
    expect(refused.code).toBe(1);
  }

  test("what cannot work is refused with what to do about it, and nothing of ours is on the machine", async () => {
    await machine.check("sed", "-i.kept", "s/^VERSION_ID=.*/VERSION_ID=11/", "/usr/lib/os-release");
    await expectRefused("Cần Debian 12 hoặc 13");
    await machine.check("mv", "/usr/lib/os-release.kept", "/usr/lib/os-release");

    await machine.check(
      "systemd-run",
      "--quiet",
      "--unit=installing",
      "flock",
      "/run/diemcau-hub.lock",
      "sleep",
      "infinity",
    );
    await until(
      "somebody is installing",
      async () => (await machine.run("flock", "-n", "/run/diemcau-hub.lock", "true")).code !== 0,
    );
    await expectRefused("Một lệnh khác đang cài");
    await machine.check("systemctl", "stop", "installing");

    await machine.check("mv", "/srv/bundle/debian", "/srv/debian");
    await expectRefused("Không cài được gói Debian: ffmpeg");
    await machine.check("mv", "/srv/debian", "/srv/bundle/debian");

    await withPortTaken("0.0.0.0:8443", () => expectRefused("Cổng 8443 đang có chương trình khác dùng"));

    await machine.check("mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", "/opt");
    await expectRefused("/opt/diemcau-hub chỉ còn trống 0.1 GB");
    await machine.check("umount", "/opt");

    for (const path of ["opt/diemcau-hub", "etc/diemcau-hub", "var/lib/diemcau-hub", "usr/local/sbin/diemcau-hub"])
      await expect(stat(inMachine(path))).rejects.toMatchObject({ code: "ENOENT" });
    expect((await machine.run("id", "diemcau-hub")).code).not.toBe(0);
    expect(await machine.check("ls", "-A", "/tmp")).not.toMatch(/diemcau|^tmp\./m);
  }, 600_000);

  test("a power cut in the middle of the installation: the same command makes it whole", async () => {
    const cut = machine.run("/srv/bundle/scripts/install-hub").catch(() => undefined);
    const begun = () => lstat(inMachine("opt/diemcau-hub/current")).catch(() => undefined);
    await until("a version is there", begun, { withinMs: 120_000 });
    await machine.restart();
    await cut;
    // The next test installs.
    expect((await machine.run("/usr/local/sbin/diemcau-hub", "status")).stdout).not.toContain("đang chạy tốt");
  }, 240_000);

  test("one command installs from the bundle: running as its own user, address, password and fingerprint told", async () => {
    expect((await machine.check("ip", "route", "show", "default")).trim()).toBe("");

    const said = await machine.check("/srv/bundle/scripts/install-hub");
    expect(said).toContain(`https://${address()}:8443`);
    expect(said).toContain("https://trung-tam.tinh.test:8443");

    expect(said).toContain(new X509Certificate(await authority()).fingerprint256);
    const oneTime = findOneTimePassword(said)!;
    // The password is on the terminal and nowhere else.
    expect(await machine.check("journalctl", "--no-pager")).not.toContain(oneTime);

    const shown = await machine.check(
      "systemctl",
      "show",
      "diemcau-hub",
      "--property=ActiveState,User,NoNewPrivileges,ProtectSystem,LimitNOFILE,WatchdogUSec",
    );
    expect(
      shown
        .split("\n")
        .sort()
        .filter((line) => line !== ""),
    ).toEqual([
      "ActiveState=active",
      "LimitNOFILE=65536",
      "NoNewPrivileges=yes",
      "ProtectSystem=strict",
      "User=diemcau-hub",
      "WatchdogUSec=1min",
    ]);
    const data = await machine.check("stat", "--format=%U %a", "/var/lib/diemcau-hub", "/etc/diemcau-hub/hub.json");
    expect(data).toBe("diemcau-hub 700\nroot 640\n");
    expect((await machine.check("systemctl", "is-enabled", "diemcau-hub", "diemcau-hub-backup.timer")).trim()).toBe(
      "enabled\nenabled",
    );

    desk = await caller();
    await desk.settle(oneTime, PASSWORD);
    expect((await desk.get("/api/me")).status).toBe(200);
    expect((await desk.get("/")).text).toContain("<script");
    const status = await machine.run("diemcau-hub", "status");
    expect(status.stdout).toContain("đang chạy tốt");
  }, 300_000);

  test("again, it changes nothing and tells no password", async () => {
    const said = await machine.check("/srv/bundle/scripts/install-hub");
    expect(findOneTimePassword(said)).toBeUndefined();
    await signInAgain();
    const before = await mainPid();
    await withPortTaken("0.0.0.0:8444", () => expectRefused("Cổng 8444 đang có chương trình", "--port", "8444"));
    expect(await mainPid()).toBe(before);
    expect(await readFile(inMachine("etc/diemcau-hub/hub.json"), "utf8")).not.toContain("8444");
  }, 120_000);

  test("a room is paired over the one port; its session is recorded and verified; no upgrade breaks in", async () => {
    const code = await startRoom();
    expect((await desk.post("/api/pairing", { code, pointName: "Xã Bình Minh" })).status).toBe(200);
    const { point } = await roomIsThere();
    const created = await desk.post("/api/sessions", {
      name: "Tiếp công dân định kỳ",
      points: [{ id: point.id, role: "central" }],
    });
    expect(created.status, created.text).toBe(200);
    sessionId = (JSON.parse(created.text) as SessionView).id;
    expect((await desk.post(`/api/sessions/${sessionId}/start`, {})).status).toBe(200);
    const refused = await machine.run("/srv/bundle/scripts/install-hub");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("Đang có buổi tiếp: Tiếp công dân định kỳ");
    const arrived = async () =>
      (await machine.run("find", `/var/lib/diemcau-hub/archive/${sessionId}`, "-name", "*.ts")).stdout !== "";
    await until("segments are at the hub", arrived, { withinMs: 60_000, everyMs: 500 }).catch(
      async (error: unknown) => {
        throw new Error(await machine.check("journalctl", "-u", "diemcau-hub", "-o", "cat", "-n", "30"), {
          cause: error,
        });
      },
    );
    await desk.post(`/api/sessions/${sessionId}/end`, {});
    await until(
      "everything is at the hub",
      async () =>
        (JSON.parse((await desk.get(`/api/recordings/${sessionId}`)).text) as RecordingView).copies.hubComplete,
      { withinMs: 60_000, everyMs: 500 },
    );
    sealed = await recordedFiles();
    expect(Object.keys(sealed).length).toBeGreaterThan(1);
  }, 240_000);

  test("an upgrade keeps accounts, sessions, recordings and pairings; its backup is there", async () => {
    const upgrade = await anotherVersion("0.2.0-second", (folder) => addMigration(folder, "901-second"));
    await machine.check(upgrade);
    expect(await current()).toBe("0.2.0-second");
    await expectEverythingKept();
    const backups = (await machine.check("ls", "/var/lib/diemcau-hub/backups")).trim().split("\n");
    expect(backups.filter((name) => /^diemcau-hub-.*\.tar$/.test(name))).toHaveLength(1);
  }, 180_000);

  test("a version that cannot start on a copy of this database is refused before anything is stopped", async () => {
    const before = await mainPid();
    const upgrade = await anotherVersion("0.3.0-cannot", (folder) =>
      replaceIn(
        join(folder, "src/hub/main.ts"),
        "const db = await openDatabase(",
        'throw new Error("không mở được");\n  const db = await openDatabase(',
      ),
    );
    const refused = await machine.run(upgrade, "--within", "20");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("phiên bản cũ vẫn chạy");
    expect(refused.stderr).toContain("không mở được");
    expect(await current()).toBe("0.2.0-second");
    expect(await mainPid()).toBe(before);
  }, 120_000);

  test("a version that does not keep running is rolled back by itself, on the same data, whoever hangs up", async () => {
    const upgrade = await anotherVersion("0.4.0-dies", (folder) => dies(folder, "903-dies"), "0.2.0-second");
    const ended = await upgradeUntilItsTurn(upgrade, "0.4.0-dies", 21);
    await signalInstaller(21, "SIGHUP", "SIGINT");
    const failed = await ended();
    expect(failed.stderr).toContain("Đã quay lại phiên bản 0.2.0-second");
    expect(failed.code).toBe(4);
    expect(await current()).toBe("0.2.0-second");
    await expectEverythingKept();
  }, 240_000);

  test("an upgrade whose installer was killed is judged by the next one", async () => {
    const upgrade = await anotherVersion("0.5.0-cut", (folder) => addMigration(folder, "904-cut"), "0.4.0-dies");
    const ended = await upgradeUntilItsTurn(upgrade, "0.5.0-cut", 22);
    await signalInstaller(22, "SIGKILL");
    expect((await ended()).code).not.toBe(0);
    const said = await machine.check("/srv/0.2.0-second/scripts/install-hub");
    expect(said).toContain("Lần nâng cấp trước bị ngắt giữa chừng");
    expect(said).toContain("Đã quay lại phiên bản 0.2.0-second");
    expect(await current()).toBe("0.2.0-second");
    await expectEverythingKept();
  }, 240_000);

  test("a power cut in the middle of an upgrade ends with a version that works", async () => {
    const upgrade = "/srv/0.5.0-cut/scripts/install-hub";
    const ended = await upgradeUntilItsTurn(upgrade, "0.5.0-cut", 23);
    await machine.restart();
    await ended().catch(() => undefined);
    const back = async () => (await current()) === "0.2.0-second";
    expect(await until("the former version is back", back, { withinMs: 90_000, everyMs: 500 })).toBe(true);
    await until(
      "it answers",
      async () => (await machine.run("diemcau-hub", "status")).stdout.includes("đang chạy tốt"),
      {
        withinMs: 40_000,
        everyMs: 500,
      },
    );
    await expectEverythingKept();
  }, 240_000);

  test("the hub is killed and is back; without its disk it does not begin anew", async () => {
    const before = await mainPid();
    await machine.check("systemctl", "kill", "--signal=KILL", "diemcau-hub");
    await until(
      "it is back",
      async () => (await machine.run("diemcau-hub", "status")).stdout.includes("đang chạy tốt"),
      {
        withinMs: 40_000,
        everyMs: 500,
      },
    );
    expect(await mainPid()).not.toBe(before);
    await machine.check("systemctl", "stop", "diemcau-hub");
    await machine.check("mv", "/var/lib/diemcau-hub", "/var/lib/disk-away");
    await machine.run("systemctl", "start", "diemcau-hub");
    expect((await machine.run("systemctl", "is-active", "diemcau-hub")).stdout.trim()).not.toBe("active");
    const again = await machine.run("/srv/bundle/scripts/install-hub");
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("ổ dữ liệu chưa được gắn");
    await machine.run("rmdir", "/var/lib/diemcau-hub");
    await machine.check("mv", "/var/lib/disk-away", "/var/lib/diemcau-hub");
    await machine.check("diemcau-hub", "apply");
    await expectEverythingKept();
  }, 180_000);

  test("uninstalled, the data stays; installed again, everything is there", async () => {
    const said = await machine.check("diemcau-hub", "uninstall");
    expect(said).toContain("/var/lib/diemcau-hub");
    expect((await machine.run("systemctl", "cat", "diemcau-hub")).code).not.toBe(0);
    for (const path of ["opt/diemcau-hub", "usr/local/sbin/diemcau-hub", "etc/sysctl.d/60-diemcau-hub.conf"])
      await expect(stat(inMachine(path))).rejects.toMatchObject({ code: "ENOENT" });
    expect(await recordedFiles()).toEqual(sealed);
    const again = await machine.check("/srv/0.2.0-second/scripts/install-hub");
    expect(findOneTimePassword(again)).toBeUndefined();
    await expectEverythingKept();
  }, 180_000);

  test("on a machine that has lost everything, a backup brings back accounts, sessions and pairings", async () => {
    await machine.check("sh", "-c", "printf 'mat khau dai cua so\\n' >/root/passphrase; chmod 600 /root/passphrase");
    await machine.check("diemcau-hub", "backup", "--to", "/root/backup", "--passphrase-file", "/root/passphrase");
    const file = `/root/backup/${(await machine.check("ls", "/root/backup")).trim()}`;
    expect(file).toMatch(/\.tar\.enc$/);
    const kept = await machine.answer("không\n", "diemcau-hub", "uninstall", "--purge-data");
    expect(kept.code).toBe(1);
    expect(await recordedFiles()).toEqual(sealed);
    const gone = await machine.answer("XOÁ HẾT DỮ LIỆU\n", "diemcau-hub", "uninstall", "--purge-data");
    expect(gone.code).toBe(0);
    expect((await machine.run("ls", "/var/lib/diemcau-hub", "/etc/diemcau-hub")).stdout.trim()).toBe("");

    // Another program has the desk's usual port on this machine.
    await withPortTaken("127.0.0.1:8080", async () => {
      const said = await machine.check("/srv/0.2.0-second/scripts/install-hub");
      expect(said).toContain("http://127.0.0.1:8081");
      expect(findOneTimePassword(said)).toBeDefined();
    });
    const restored = await machine.check("diemcau-hub", "restore", file, "--passphrase-file", "/root/passphrase");
    expect(restored).toContain("1 thiết bị giữ nguyên ghép");
    expect(restored).toContain(sessionId);
    await signInAgain();
    expect((await desk.get("/api/sessions")).sessions().map(({ name }) => name)).toContain("Tiếp công dân định kỳ");
    await roomIsThere();
  }, 240_000);
});
