import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { causeOf, ConfigError, ProcessError, runChecked, systemClock } from "../platform/platform.ts";
import { BackupError, describeMissing, makeBackup, restoreBackup } from "./backup/backup.ts";
import { readHubConfig } from "./config.ts";
import {
  apply,
  currentVersion,
  giveDatabaseBack,
  install,
  InstallError,
  makeBundle,
  PLACES,
  resetAdministrator,
  settle,
  status,
  uninstall,
  words,
  type Terminal,
} from "./installation/installation.ts";
import { versionOf } from "./version.ts";

/**
 * The administrator's command on the hub's machine, behind scripts/install-hub, which sees to it that root calls it and
 * nobody else is installing. Exit codes: 0 done, 1 failed, 2 not understood, 3 `status` found something, 4 an upgrade went
 * back.
 */
const OPTIONS = {
  config: { type: "string", default: PLACES.config },
  host: { type: "string" },
  port: { type: "string" },
  province: { type: "string" },
  within: { type: "string", default: "90" },
  "during-session": { type: "boolean", default: false },
  "purge-data": { type: "boolean", default: false },
  "make-bundle": { type: "string" },
  debian: { type: "string", default: "12,13" },
  to: { type: "string" },
  "passphrase-file": { type: "string" },
  replace: { type: "boolean", default: false },
  scheduled: { type: "boolean", default: false },
} as const;

/** Commands that are not broken off once begun. */
const WHOLE = new Set(["install", "upgrade", "apply", "restore", "uninstall"]);

const clock = systemClock;
const source = join(import.meta.dirname, "../..");

const terminal: Terminal = {
  say: (line) => void process.stdout.write(`${line.trimEnd()}\n`),
  async ask(question) {
    const reader = createInterface({ input: process.stdin, output: process.stdout });
    try {
      return await reader.question(question);
    } finally {
      reader.close();
    }
  },
};

const read = (argv: string[]) => parseArgs({ args: argv, options: OPTIONS, allowPositionals: true });
type Values = ReturnType<typeof read>["values"];

/** Throws InstallError "refused". */
function numberIn(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= most) return value;
  throw new InstallError("refused", words.badNumber(name, text, most));
}

const wishOf = (values: Values) => ({
  source,
  host: values.host?.split(",").map((name) => name.trim()),
  port: values.port === undefined ? undefined : numberIn("--port", values.port, 65_535),
  province: values.province,
  duringSession: values["during-session"],
  withinMs: numberIn("--within", values.within, 3_600) * 1_000,
});

async function backUp(values: Values): Promise<void> {
  const config = await readHubConfig(values.config);
  const passphraseFile = values["passphrase-file"] ?? config.backup.passphraseFile;
  const made = await makeBackup({
    places: { dataDirectory: config.dataDirectory, configFile: values.config },
    directory: values.to ?? config.backup.directory,
    version: await versionOf(),
    clock,
    passphraseFile,
    ...(values.to === undefined && { keep: config.backup.keep }),
  });
  if (process.getuid?.() === 0 && values.config === PLACES.config) await giveDatabaseBack();
  if (values.scheduled) {
    terminal.say(JSON.stringify({ event: "backup.made", file: made.file, sizeBytes: made.sizeBytes }));
    return;
  }
  terminal.say(`Đã sao lưu: ${made.file}`);
  terminal.say(`  ${(made.sizeBytes / 1e6).toFixed(1)} MB, SHA-256 ${made.sha256}`);
  terminal.say(`  ${made.facts.boxes} thiết bị, ${made.facts.sessions} buổi tiếp; bản ghi không nằm trong tệp này.`);
  if (passphraseFile === null)
    terminal.say("  KHÔNG mã hoá: tệp chứa khoá của trung tâm, giữ như giữ con dấu (xem --passphrase-file).");
}

async function restore(file: string, values: Values): Promise<void> {
  const config = await readHubConfig(values.config);
  const isInstalled = values.config === PLACES.config;
  let isStopped = false;
  const ids = async (flag: string) => Number((await runChecked(["id", flag, PLACES.user])).stdout);
  const restored = await restoreBackup({
    file,
    places: { dataDirectory: config.dataDirectory, configFile: values.config },
    passphraseFile: values["passphrase-file"] ?? null,
    clock,
    replace: values.replace,
    async stopHub() {
      if (!isInstalled) return;
      isStopped = true;
      await runChecked(["systemctl", "stop", PLACES.unit]);
    },
    ...(isInstalled && { owner: { uid: await ids("-u"), gid: await ids("-g") } }),
  }).catch(async (error: unknown) => {
    // What was there works on.
    if (isStopped) await runChecked(["systemctl", "start", "--no-block", PLACES.unit]);
    throw error;
  });
  if (isInstalled) {
    await runChecked(["chown", `root:${PLACES.user}`, values.config]);
    await apply({ ...wishOf(values), duringSession: true }, { clock, terminal });
  }
  terminal.say(
    `Đã phục hồi bản sao lưu ngày ${restored.facts.createdAt}: ${restored.facts.boxes} thiết bị giữ nguyên ghép.`,
  );
  if (restored.aside !== null) terminal.say(`  Dữ liệu có trước đó được chuyển sang ${restored.aside}`);
  if (restored.missing.length === 0) return;
  terminal.say("  Bản ghi của các buổi sau chưa có trên máy này; chép thư mục cùng tên từ kho của tỉnh hoặc ổ cũ vào");
  terminal.say(`  ${join(config.dataDirectory, "archive")}:`);
  for (const line of describeMissing(restored.missing)) terminal.say(`    ${line}`);
}

/** A line to the terminal that breaks, or Ctrl-C, would leave an upgrade unjudged until the machine's next start. */
function finishWhatIsBegun(): void {
  process.on("SIGHUP", () => {});
  process.on("SIGINT", () => terminal.say(words.finishing));
  // The terminal that went away takes no more words.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}

async function main(argv: string[]): Promise<number> {
  let values: Values;
  let positionals: string[];
  try {
    ({ values, positionals } = read(argv));
  } catch (error) {
    process.stderr.write(`${words.notUnderstood(causeOf(error))}\n`);
    return 2;
  }
  const [command = values["make-bundle"] === undefined ? "install" : "make-bundle", file] = positionals;
  const hands = { clock, terminal };
  const commands: Record<string, () => Promise<number | void>> = {
    "make-bundle": async () => {
      const made = await makeBundle({
        source,
        to: values["make-bundle"] ?? file ?? "diemcau-hub.tar.gz",
        releases: values.debian.split(",").filter((release) => release !== ""),
        say: (line) => terminal.say(line),
      });
      terminal.say(`Đã đóng gói: ${made.file} (${(made.sizeBytes / 1e6).toFixed(0)} MB)`);
      terminal.say(`  SHA-256 ${made.sha256}`);
      terminal.say(`  Ở máy đích: tar -xf TỆP && sudo diemcau-hub-${made.version}/scripts/install-hub`);
    },
    install: () => install(wishOf(values), hands),
    async upgrade() {
      if ((await currentVersion()) === undefined) throw new InstallError("refused", words.notInstalled);
      await install(wishOf(values), hands);
    },
    apply: () => apply(wishOf(values), hands),
    settle: () => settle(hands),
    uninstall: () => uninstall({ purgeData: values["purge-data"], duringSession: values["during-session"] }, hands),
    async status() {
      const version = await currentVersion();
      if (version === undefined) throw new InstallError("refused", words.notInstalled);
      const { ok, lines } = await status(version, clock);
      terminal.say(lines.join("\n"));
      return ok ? 0 : 3;
    },
    async "reset-administrator"() {
      terminal.say(await resetAdministrator());
    },
    backup: () => backUp(values),
    async restore() {
      if (file === undefined) throw new InstallError("refused", words.noFile);
      await restore(await realpath(file), values);
    },
  };
  const run = commands[command];
  if (!run) {
    process.stderr.write(`${words.notUnderstood(command)}\n`);
    return 2;
  }
  if (WHOLE.has(command)) finishWhatIsBegun();
  try {
    return (await run()) ?? 0;
  } catch (error) {
    process.stderr.write(`${whatToSay(error)}\n`);
    return error instanceof InstallError && error.code === "rolledBack" ? 4 : 1;
  }
}

function whatToSay(error: unknown): string {
  if (error instanceof ConfigError) return words.badConfig(error.message);
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") return words.diskFull(error.message);
  const isSaid = [InstallError, BackupError, ProcessError].some((kind) => error instanceof kind);
  return isSaid ? (error as Error).message : causeOf(error);
}

process.exit(await main(process.argv.slice(2)));
