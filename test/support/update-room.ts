import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProcess } from "../../src/platform/platform.ts";
import type { RoomProcess } from "./stand.ts";

const UPDATE = join(import.meta.dirname, "../../src/edge/update");

/**
 * What surrounds the agent on an appliance: os-release, the boot loader's variable, the system's installer, and boots that
 * differ in their id. The installer is the real one; where it calls systemd-sysupdate, a script fills a folder.
 */
export class UpdateRoom {
  readonly directory: string;
  /** Words in front of the agent's command: it sees this room's boot id. */
  readonly enter: string[];
  readonly config: object;
  private readonly keysFile: string;
  private boots = 0;

  private constructor(directory: string, keysFile: string, limitKibPerS: number) {
    this.directory = directory;
    this.keysFile = keysFile;
    this.enter = ["unshare", "--mount", "--propagation", "private", "sh", this.file("enter.sh")];
    this.config = {
      update: {
        ...{ keys: keysFile, osRelease: this.file("os-release"), firmwareVariables: this.file("efivars") },
        ...{ requests: this.file("request"), limitKibPerS },
      },
    };
  }

  static async make(directory: string, keysFile: string, version: string, limitKibPerS: number): Promise<UpdateRoom> {
    const room = new UpdateRoom(directory, keysFile, limitKibPerS);
    await mkdir(room.file("slot"), { recursive: true });
    await writeFile(
      room.file("enter.sh"),
      `mount --bind ${room.file("boot_id")} /proc/sys/kernel/random/boot_id && exec "$@"\n`,
    );
    // As systemd-sysupdate, which empties the slot, and fills it with what lies in the installer's folder.
    await writeFile(
      room.file("sysupdate"),
      `#!/bin/sh
case $* in
'--verify=no --instances-max=1 vacuum') rm -f ${room.file("slot")}/* ;;
'--verify=no update '*) cp ${room.file("work")}/* ${room.file("slot")}/ ;;
*) exit 2 ;;
esac
`,
      { mode: 0o755 },
    );
    await room.boot(version, false);
    return room;
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  /** What the next process of this room finds: another boot, of this version. */
  async boot(version: string, counted: boolean): Promise<void> {
    await writeFile(this.file("boot_id"), `00000000-0000-4000-8000-${String(++this.boots).padStart(12, "0")}\n`);
    await writeFile(this.file("os-release"), `IMAGE_ID=diemcau\nIMAGE_VERSION=${version}\nVARIANT_ID=headless\n`);
    await rm(this.file("efivars"), { recursive: true, force: true });
    await mkdir(this.file("efivars"));
    if (counted)
      await writeFile(join(this.file("efivars"), "LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"), "");
  }

  async asked(name: "install-release" | "restart"): Promise<string | undefined> {
    return readFile(join(this.file("request"), name), "utf8").catch(() => undefined);
  }

  /** The service that the path unit starts. */
  async install(): Promise<number | null> {
    const { code } = await runProcess([
      ...[process.execPath, join(UPDATE, "install-main.ts"), "--keys", this.keysFile],
      ...["--requests", this.file("request"), "--work", this.file("work"), "--boot-files", this.file("slot")],
      ...["--os-release", this.file("os-release"), "--sysupdate", this.file("sysupdate")],
    ]);
    return code;
  }

  /** The two services of a counted boot. */
  async judge(by: "trial" | "gate", room: Pick<RoomProcess, "config">): Promise<number | null> {
    const argv = [...this.enter, process.execPath, join(UPDATE, "trial-main.ts"), by, "--config", room.config];
    return (await runProcess(argv)).code;
  }
}
