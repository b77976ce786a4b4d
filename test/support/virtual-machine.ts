import { copyFile, mkdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { runChecked, startProcess, type Child } from "../../src/platform/platform.ts";
import { replayCut } from "./cut-disk.ts";
import { askQemu } from "./qmp.ts";
import { until } from "./until.ts";
import type { Survival } from "./volatile-disk.ts";

/**
 * The box's real disk image in an emulated PC (QEMU without KVM: any machine will do). What a test brings along (a root
 * shell, kernel parameters that make emulation bearable) comes in by SMBIOS, so the image's bytes are the shipped ones.
 */
export interface VirtualMachine extends AsyncDisposable {
  /** Runs a script as root in the box; throws with its output where it ends with another code than 0. */
  shell(script: string, options?: { withinMs?: number }): Promise<string>;
  /** What its display shows now, as PNG. */
  screenshot(file: string): Promise<void>;
  /** Plugs in a USB stick (FAT, as it is sold) that holds what is in a folder now; it is not written to. */
  plugStick(folder: string): Promise<void>;
  pullStick(): Promise<void>;
  plugMouse(): Promise<void>;
  /** Ends the machine; what it had written to its disk stays. */
  kill(): Promise<void>;
  /**
   * Like pulling out the mains plug: of what its disk had not been told to keep, what `survival` says is gone. Once in
   * a machine's life, from its first start on.
   */
  cutPower(survival: Survival): Promise<{ writes: number; unflushed: number }>;
  start(): Promise<void>;
  /** Ends the machine; the next start has its disk in another PC, with a TPM that knows nothing of it, or with none. */
  moveDisk(to: "otherTpm" | "noTpm"): Promise<void>;
  /** What the firmware, the kernel and systemd said on the serial line, in all of the machine's starts. */
  readonly consoleFile: string;
}

export interface VirtualMachineOptions {
  /** A folder of its own; keeps the machine's disk over its starts. */
  directory: string;
  image: string;
  display?: boolean;
  /** Writes down what goes to the disk, so that its power can be cut. */
  powerCut?: boolean;
  memoryMib?: number;
  /** With a TPM 2.0 (swtpm), whose state is kept in this folder. */
  tpm?: string;
  /** Units that are started with the box, by name. */
  units?: Record<string, string>;
  /** More for the kernel's command line. */
  kernel?: string;
  /** What is added to units of the image. */
  dropIns?: Record<string, string>;
}

const FIRMWARE = "/usr/share/OVMF";
const DISK_GIB = 9;
/** Everything that costs emulated time and proves nothing here. */
const KERNEL = "mitigations=off lsm=capability console=ttyS0 systemd.mask=serial-getty@ttyS0.service";
const SHELL_PORT = "diemcau.test";
const SHELL_UNIT = `[Unit]
Description=Shell of the test
DefaultDependencies=no
After=local-fs.target
[Service]
ExecStartPre=/bin/sh -c 'until [ -e /dev/virtio-ports/${SHELL_PORT} ]; do sleep 0.2; done'
ExecStart=/bin/bash --noprofile --norc -c 'exec 0<>/dev/virtio-ports/${SHELL_PORT} 1>&0 2>&1; echo shell is there; exec /bin/bash --noprofile --norc'
Environment=LC_ALL=C.UTF-8 TERM=dumb SYSTEMD_PAGER=
CPUWeight=10000
Nice=-10
`;

/** Text into the credentials that systemd reads from SMBIOS (systemd.system-credentials(7)). */
const credential = (name: string, text: string) => [
  "-smbios",
  `type=11,value=io.systemd.credential.binary:${name}=${Buffer.from(text).toString("base64")}`,
];

function unitArguments(units: Record<string, string>, dropIns: Record<string, string>): string[] {
  const names = Object.keys(units);
  return [
    ...Object.entries(dropIns).flatMap(([name, text]) => credential(`systemd.unit-dropin.${name}`, text)),
    ...names.flatMap((name) => credential(`systemd.extra-unit.${name}`, units[name]!)),
    ...credential("systemd.unit-dropin.multi-user.target", `[Unit]\nWants=${names.join(" ")}\n`),
  ];
}

export async function createVirtualMachine(options: VirtualMachineOptions): Promise<VirtualMachine> {
  const { directory, image } = options;
  await mkdir(directory, { recursive: true });
  await copyFile(join(FIRMWARE, "OVMF_VARS_4M.fd"), join(directory, "firmware.fd"));
  await freshDisk(image, join(directory, "disk.raw"));
  return new QemuMachine(options);
}

async function freshDisk(image: string, disk: string): Promise<void> {
  await runChecked(["cp", "--sparse=always", image, disk]);
  await truncate(disk, DISK_GIB * 2 ** 30);
}

class QemuMachine implements VirtualMachine {
  readonly consoleFile: string;
  private readonly options: VirtualMachineOptions;
  private child: Child | undefined;
  private tpm: Child | undefined;
  private shellSocket: ShellSocket | undefined;
  private logged: boolean;
  /** Folder of its state. */
  private tpmState: string | undefined;
  private restarting: Promise<void> = Promise.resolve();

  constructor(options: VirtualMachineOptions) {
    this.options = options;
    this.logged = options.powerCut ?? false;
    this.tpmState = options.tpm;
    this.consoleFile = join(options.directory, "console.log");
  }

  async start(): Promise<void> {
    const { directory, display = false, memoryMib = 2_048, units = {}, dropIns = {}, kernel = "" } = this.options;
    const shell = await ShellSocket.listen(join(directory, "shell"));
    this.shellSocket = shell;
    await rm(join(directory, "qmp"), { force: true });
    const tpmSocket = await this.startTpm();
    const log = join(directory, "disk.log");
    const appended = this.logged && existsSync(log);
    if (this.logged && !appended) await writeFile(log, "");
    this.child = await startProcess(
      [
        ...["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "2"],
        ...["-m", String(memoryMib), "-display", "none", "-no-user-config", "-nodefaults"],
        ...["-drive", `if=pflash,format=raw,unit=0,readonly=on,file=${FIRMWARE}/OVMF_CODE_4M.fd`],
        ...["-drive", `if=pflash,format=raw,unit=1,file=${join(directory, "firmware.fd")}`],
        ...["-blockdev", `driver=raw,node-name=disk,file.driver=file,file.filename=${join(directory, "disk.raw")}`],
        ...(this.logged
          ? [
              "-blockdev",
              `driver=blklogwrites,node-name=logged,file=disk,log.driver=file,log.filename=${log},log-append=${appended ? "on" : "off"}`,
            ]
          : []),
        ...[
          "-device",
          // Merged writes may have as many parts as the kernel takes (IOV_MAX); with the log's own it would refuse them.
          `virtio-blk-pci,drive=${this.logged ? "logged" : "disk"},bootindex=1,discard=off,write-zeroes=off,request-merging=off`,
        ],
        ...["-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0", "-device", "virtio-rng-pci"],
        ...["-device", "qemu-xhci,id=usb"],
        ...["-device", "i6300esb", "-action", "watchdog=reset,reboot=shutdown"],
        ...(display ? ["-device", "VGA,edid=on,xres=1280,yres=720"] : []),
        ...["-chardev", `file,id=console,path=${this.consoleFile},append=on`, "-serial", "chardev:console"],
        ...["-device", "virtio-serial", "-chardev", `socket,id=shell,path=${join(directory, "shell")}`],
        ...["-device", `virtserialport,chardev=shell,name=${SHELL_PORT}`],
        ...["-qmp", `unix:${join(directory, "qmp")},server=on,wait=off`],
        ...(tpmSocket
          ? [
              ...["-chardev", `socket,id=tpm,path=${tpmSocket}`, "-tpmdev", "emulator,id=tpm0,chardev=tpm"],
              ...["-device", "tpm-crb,tpmdev=tpm0"],
            ]
          : []),
        ...["-smbios", "type=1,uuid=11111111-2222-3333-4444-555555555555"],
        ...["-smbios", `type=11,value=io.systemd.stub.kernel-cmdline-extra=${KERNEL} ${kernel}`],
        ...unitArguments({ "diemcau-test-shell.service": SHELL_UNIT, ...units }, dropIns),
      ],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    const { child } = this;
    await until("QEMU listens", () => existsSync(join(directory, "qmp")));
    void child.exited.then(() => {
      if (this.child === child) this.restarting = this.startAnew();
    });
  }

  /** Ends by itself with the machine. */
  private async startTpm(): Promise<string | undefined> {
    const { directory } = this.options;
    const { tpmState } = this;
    if (tpmState === undefined) return undefined;
    await this.tpm?.exited;
    await mkdir(tpmState, { recursive: true });
    const socket = join(directory, "tpm");
    await rm(socket, { force: true });
    this.tpm = await startProcess(
      [
        ...["swtpm", "socket", "--tpm2", "--tpmstate", `dir=${tpmState}`, "--ctrl", `type=unixio,path=${socket}`],
        ...["--flags", "not-need-init", "--terminate"],
      ],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    await until("the TPM is there", () => existsSync(socket));
    return socket;
  }

  /** The box has restarted itself. What QEMU keeps of a serial port over that is of no use, so it is started anew too. */
  private async startAnew(): Promise<void> {
    await this.shellSocket?.close();
    if (this.child) await this.start();
  }

  async shell(script: string, { withinMs = 60_000 }: { withinMs?: number } = {}): Promise<string> {
    if (!this.shellSocket) throw new Error("the machine is off");
    return this.shellSocket.run(script, withinMs);
  }

  async screenshot(file: string): Promise<void> {
    const raw = `${file}.ppm`;
    await this.qmp({ execute: "screendump", arguments: { filename: raw } });
    await runChecked(["ffmpeg", "-v", "error", "-y", "-i", raw, file]);
    await rm(raw);
  }

  plugStick(folder: string): Promise<void> {
    const disk = { driver: "vvfat", "node-name": "stick", dir: folder, "fat-type": 16, "read-only": true };
    const device = { driver: "usb-storage", id: "stick", bus: "usb.0", drive: "stick", removable: true };
    return this.qmp({ execute: "blockdev-add", arguments: disk }, { execute: "device_add", arguments: device });
  }

  async pullStick(): Promise<void> {
    await this.qmp({ execute: "device_del", arguments: { id: "stick" } });
    await until("QEMU has let go of the stick", () =>
      this.qmp({ execute: "blockdev-del", arguments: { "node-name": "stick" } }).then(() => true),
    );
  }

  plugMouse(): Promise<void> {
    return this.qmp({ execute: "device_add", arguments: { driver: "usb-mouse", id: "mouse", bus: "usb.0" } });
  }

  async kill(): Promise<void> {
    const running = this.child;
    this.child = undefined;
    await this.restarting;
    // One that was just being started anew.
    const child = this.child ?? running;
    this.child = undefined;
    child?.kill("SIGKILL");
    await child?.exited;
    await this.shellSocket?.close();
    this.shellSocket = undefined;
  }

  async cutPower(survival: Survival): Promise<{ writes: number; unflushed: number }> {
    if (!this.logged) throw new Error("this machine's disk has no past");
    await this.kill();
    const { directory, image } = this.options;
    const platter = join(directory, "platter.raw");
    await freshDisk(image, platter);
    const cut = await replayCut(join(directory, "disk.log"), platter, survival, Math.random);
    await rename(platter, join(directory, "disk.raw"));
    this.logged = false;
    return cut;
  }

  async moveDisk(to: "otherTpm" | "noTpm"): Promise<void> {
    await this.kill();
    await this.tpm?.exited;
    if (this.tpmState !== undefined) await rm(this.tpmState, { recursive: true, force: true });
    if (to === "noTpm") this.tpmState = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  private qmp(...commands: object[]): Promise<void> {
    return askQemu(join(this.options.directory, "qmp"), ...commands);
  }
}

/** The test's end of the box's serial port. One script at a time. */
class ShellSocket {
  private readonly server: Server;
  private readonly path: string;
  private socket: Socket | undefined;
  private text = "";
  private count = 0;
  private last: Promise<unknown> = Promise.resolve();

  private constructor(server: Server, path: string) {
    this.server = server;
    this.path = path;
    server.on("connection", (socket) => {
      this.socket = socket;
      socket.on("data", (data) => (this.text += data.toString("utf8")));
      socket.on("error", () => {});
    });
  }

  static async listen(path: string): Promise<ShellSocket> {
    await rm(path, { force: true });
    const server = createServer();
    const shell = new ShellSocket(server, path);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return shell;
  }

  run(script: string, withinMs: number): Promise<string> {
    const next = this.last.then(() => this.runOne(script, withinMs));
    this.last = next.catch(() => {});
    return next;
  }

  private async runOne(script: string, withinMs: number): Promise<string> {
    const endsAt = Date.now() + withinMs;
    await until("the box's shell is there", () => this.text.includes("shell is there"), { withinMs, everyMs: 100 });
    const from = this.text.length;
    const mark = `--done-${++this.count}-`;
    // The input is the port itself, so a script must not read it.
    const encoded = Buffer.from(script).toString("base64");
    this.socket!.write(
      `echo ${encoded} | base64 -d >/run/test-script; bash /run/test-script </dev/null 2>&1; echo "${mark}$?"\n`,
    );
    const match = await until(
      `in the box: ${script}`,
      () => new RegExp(`${mark}(\\d+)\\r?\\n`).exec(this.text.slice(from)) ?? undefined,
      { withinMs: Math.max(0, endsAt - Date.now()), everyMs: 50 },
    );
    const output = this.text.slice(from, from + match.index).replaceAll("\r\n", "\n");
    this.text = "shell is there";
    if (match[1] !== "0") throw new Error(`in the box: ${script}: ended with ${match[1]}: ${output.slice(-2_000)}`);
    return output;
  }

  async close(): Promise<void> {
    this.socket?.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    await rm(this.path, { force: true });
  }
}
