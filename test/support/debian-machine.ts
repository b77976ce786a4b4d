import { mkdtemp, mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked, runProcess, startProcess, type Child, type RunResult } from "../../src/platform/platform.ts";
import type { Namespace } from "./namespace.ts";
import { until } from "./until.ts";

/**
 * A clean Debian that has booted: its own systemd as process 1, its own processes, cgroups, devices and network, on this
 * machine's kernel. Needs root, mmdebstrap and a mirror; nothing in it reaches beyond this machine.
 */
export interface DebianMachine extends AsyncDisposable {
  readonly root: string;
  /** Runs a program in it as root. */
  run(...argv: string[]): Promise<RunResult>;
  /** The same, and throws where it fails. */
  check(...argv: string[]): Promise<string>;
  /** With words for its standard input. */
  answer(input: string, ...argv: string[]): Promise<RunResult>;
  /** Power off without a word, and on again: the disk is all that stays. */
  restart(): Promise<void>;
}

const PACKAGES = ["systemd", "systemd-sysv", "dbus", "iproute2", "kmod"];
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"];

/** What a container manager does, no more: file systems that a kernel gives, and the first process. */
const BOOT = `
root=$1
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in ${DEVICES.join(" ")}; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/\${n%:*}" "$root/dev/\${n#*:}"; done
exec env -i container=diemcau-test PATH=${PATH} chroot "$root" /sbin/init --log-level=warning --log-target=journal
`;

/** The mirror that this machine's apt uses. */
async function mirror(): Promise<string> {
  if (process.env["DEBIAN_MIRROR"]) return process.env["DEBIAN_MIRROR"];
  const targets = await runChecked(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]);
  const line = targets.stdout.split("\n").find((text) => / (bookworm|trixie) main$/.test(text));
  if (!line) throw new Error("no Debian mirror in apt's configuration; set DEBIAN_MIRROR");
  return line.split(" ")[0]!;
}

async function makeRoot(suite: string, root: string): Promise<void> {
  const options = ["--quiet", "--mode=root", "--variant=apt", "--format=directory", `--include=${PACKAGES.join(",")}`];
  await runChecked(["mmdebstrap", ...options, suite, root, `deb ${await mirror()} ${suite} main`]);
  // In there nothing must be had from outside.
  await writeFile(join(root, "etc/apt/sources.list"), "");
  await rm(join(root, "etc/resolv.conf"), { force: true });
  // Debian's own files need not outlast this machine; syncing each takes minutes on a busy one.
  await writeFile(join(root, "etc/dpkg/dpkg.cfg.d/unsafe-io"), "force-unsafe-io\n");
  await writeFile(join(root, "etc/hostname"), "trung-tam\n");
  await writeFile(join(root, "etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 trung-tam.tinh.test trung-tam\n");
}

/** Where this kernel's one hierarchy of cgroups is mounted; beside older ones on some machines. */
async function cgroupMount(): Promise<string> {
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  const line = mounts.split("\n").find((text) => text.includes(" - cgroup2 "));
  if (!line) throw new Error("this kernel offers no cgroup2");
  return line.split(" ")[4]!;
}

export async function bootDebian(suite: "bookworm" | "trixie", network: Namespace): Promise<DebianMachine> {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-debian-"));
  const root = join(directory, "root");
  await makeRoot(suite, root);
  const cgroup = join(await cgroupMount(), `diemcau-test-${process.pid}`);
  let outer: Child | undefined;
  let first = 0;

  const enter = () => [
    "nsenter",
    `--target=${first}`,
    "--all",
    "--root",
    "--wd",
    "env",
    "-i",
    `PATH=${PATH}`,
    "HOME=/root",
  ];
  const run = (...argv: string[]) => runProcess([...enter(), ...argv], { timeoutMs: 600_000 });

  async function on(): Promise<void> {
    await mkdir(cgroup, { recursive: true });
    const own = ["--mount", "--propagation=slave", "--pid", "--cgroup", "--uts", "--ipc", "--fork", "--kill-child"];
    outer = await startProcess(
      [
        // `ip netns exec` hides the cgroups, so they are joined before it.
        ...["sh", "-euc", 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"', "boot", cgroup],
        ...[...network.enter, "unshare", ...own, "bash", "-euo", "pipefail", "-c", BOOT, "boot", root],
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    const children = `/proc/${outer.pid}/task/${outer.pid}/children`;
    first = await until(
      "the machine has a first process",
      async () => Number(await readFile(children, "utf8")) || undefined,
      {
        withinMs: 20_000,
      },
    );
    await until(
      "the machine has booted",
      async () =>
        /^(running|degraded)/.test((await run("systemctl", "is-system-running").catch(() => undefined))?.stdout ?? ""),
      { withinMs: 60_000, everyMs: 300 },
    );
  }

  /** Every process of the machine ends with its first one. */
  async function off(): Promise<void> {
    await outer?.stop(0);
    await until(
      "the machine is off",
      async () => (await readFile(join(cgroup, "cgroup.events"), "utf8")).includes("populated 0"),
      {
        withinMs: 20_000,
      },
    );
  }

  async function removeCgroups(path: string): Promise<void> {
    for (const entry of await readdir(path, { withFileTypes: true }))
      if (entry.isDirectory()) await removeCgroups(join(path, entry.name));
    await rmdir(path);
  }

  await on();
  return {
    root,
    run,
    async check(...argv) {
      const { code, stdout, stderr } = await run(...argv);
      if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}:\n${stdout}\n${stderr}`);
      return stdout;
    },
    answer: (input, ...argv) => runProcess([...enter(), ...argv], { input, timeoutMs: 600_000 }),
    async restart() {
      await off();
      await on();
    },
    async [Symbol.asyncDispose]() {
      await off();
      await removeCgroups(cgroup);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
