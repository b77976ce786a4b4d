import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { supervise } from "./supervised.ts";

export interface ProvinceDaemon extends AsyncDisposable {
  /** What the hub is told to copy to. */
  readonly target: string;
  /** Where the copies lie on this machine. */
  readonly directory: string;
}

/** The province's shared storage: a real rsync daemon on loopback. */
export async function startProvince(directory: string): Promise<ProvinceDaemon> {
  const files = join(directory, "storage");
  await mkdir(files, { recursive: true });
  const port = await freePort();
  const config = join(directory, "rsyncd.conf");
  await writeFile(
    config,
    [
      "use chroot = no",
      `port = ${port}`,
      "address = 127.0.0.1",
      `pid file = ${join(directory, "rsyncd.pid")}`,
      "[diemcau]",
      `  path = ${files}`,
      "  read only = no",
      ...(process.getuid?.() === 0 ? ["  uid = root", "  gid = root"] : []),
      "",
    ].join("\n"),
  );
  const daemon = await supervise(["rsync", "--daemon", "--no-detach", `--config=${config}`], {
    logFile: join(directory, "rsyncd.log"),
  });
  return {
    target: `rsync://127.0.0.1:${port}/diemcau/`,
    directory: files,
    async [Symbol.asyncDispose]() {
      await daemon.stop(3_000);
    },
  };
}
