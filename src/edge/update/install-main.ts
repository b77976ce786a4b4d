import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseReleaseKeys } from "../../evidence/evidence.ts";
import { createLog, runProcess, systemClock, writeDurable } from "../../platform/platform.ts";
import { readRunningImage } from "./image.ts";
import { INSTALL_ANSWER, INSTALL_REQUEST, InstallRequest } from "./installer.ts";
import { installRelease } from "./sysupdate.ts";

/**
 * The service that the agent's request starts, as root (appliance/root, diemcau-install.service). Everything that decides
 * comes from its command line, which is in the read-only image: the agent names a folder and nothing else.
 */
async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      requests: { type: "string" },
      work: { type: "string" },
      keys: { type: "string" },
      "os-release": { type: "string", default: "/etc/os-release" },
      "boot-files": { type: "string", default: "/boot/EFI/Linux" },
      sysupdate: { type: "string", default: "/usr/lib/systemd/systemd-sysupdate" },
    },
  });
  const { requests, work, keys } = values;
  if (requests === undefined || work === undefined || keys === undefined) {
    process.stderr.write(
      "usage: install-main.ts --requests DIR --work DIR --keys FILE\n" +
        "         [--os-release FILE] [--boot-files DIR] [--sysupdate PROGRAM]\n",
    );
    return 2;
  }
  const log = createLog(systemClock);
  const file = join(requests, INSTALL_REQUEST);
  const request = InstallRequest.parse(JSON.parse(await readFile(file, "utf8")));
  // Taken before it is done: what fails is asked for again by the agent, not by the path unit.
  await rm(file);
  const outcome = await installRelease({
    ...{ from: request.directory, work, bootFiles: values["boot-files"], command: [values.sysupdate] },
    keys: parseReleaseKeys(await readFile(keys, "utf8")),
    image: await readRunningImage(values["os-release"]),
    run: (argv) => runProcess(argv),
  });
  log[outcome.ok ? "info" : "error"](
    "install.ended",
    outcome.ok ? {} : { reason: outcome.reason, detail: outcome.detail },
  );
  await writeDurable(join(requests, INSTALL_ANSWER), JSON.stringify({ id: request.id, outcome }), 0o644);
  return outcome.ok ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
