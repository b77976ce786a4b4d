import { readdir, readFile } from "node:fs/promises";
import { BoxHardware, ReleaseVersion } from "../../protocol/protocol.ts";

/** What this box runs: os-release(5) of the image, whose IMAGE_VERSION systemd-sysupdate goes by too. */
export interface RunningImage {
  version: string;
  hardware: BoxHardware;
}

/** systemd's names (ConditionArchitecture= in systemd.unit(5)) by Node's. */
const ARCHITECTURES: Record<string, string> = { x64: "x86-64", arm64: "arm64" };

export function parseOsRelease(text: string, nodeArchitecture: string): RunningImage {
  const values = new Map(
    text.split("\n").flatMap((line) => {
      const match = /^([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|(\S*))\s*$/.exec(line);
      return match ? [[match[1]!, match[2] ?? match[3] ?? match[4] ?? ""] as const] : [];
    }),
  );
  return {
    version: ReleaseVersion.parse(values.get("IMAGE_VERSION")),
    hardware: BoxHardware.parse({
      architecture: ARCHITECTURES[nodeArchitecture] ?? nodeArchitecture,
      flavour: values.get("VARIANT_ID"),
    }),
  };
}

export const readRunningImage = async (file: string): Promise<RunningImage> =>
  parseOsRelease(await readFile(file, "utf8"), process.arch);

/** systemd-boot sets it (Boot Loader Interface) while tries of the started entry are counted. */
const COUNTED = "LoaderBootCountPath-";

/** Whether the boot loader counts this boot as a try, and takes the former release when the tries are used up. */
export async function isCountedBoot(firmwareVariables: string): Promise<boolean> {
  const names = await readdir(firmwareVariables).catch(() => []);
  return names.some((name) => name.startsWith(COUNTED));
}
