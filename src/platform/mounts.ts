import { readFile, realpath } from "node:fs/promises";
import { dirname } from "node:path";

/** Their bytes are on another machine. FUSE without a block device under it (sshfs, rclone, GlusterFS) is taken so too. */
const NETWORK = /^(?:nfs4?|cifs|smb3|smbfs|ncpfs|afs|ceph|lustre|9p|fuse(?:\..+)?)$/;

/**
 * Type of the file system that a path is on. Pure.
 * @param path absolute, without links
 * @param mountinfo text of /proc/self/mountinfo (proc(5))
 */
export function fileSystemTypeAt(path: string, mountinfo: string): string | undefined {
  let found: { length: number; type: string | undefined } | undefined;
  for (const line of mountinfo.split("\n")) {
    const [head, tail] = line.split(" - ");
    // Blanks in a name are written as \040.
    const at = head
      ?.split(" ")[4]
      ?.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (at === undefined || !(path === at || path.startsWith(at === "/" ? at : `${at}/`))) continue;
    // Of two on one place the later covers the earlier.
    if (!found || at.length >= found.length) found = { length: at.length, type: tail?.split(" ")[0] };
  }
  return found?.type;
}

/**
 * Type of the network file system that a path is on, or would be made on; undefined where it is this machine's own.
 * @param path absolute
 */
export async function networkFileSystemOf(path: string): Promise<string | undefined> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return dirname(path) === path ? undefined : networkFileSystemOf(dirname(path));
  const type = fileSystemTypeAt(real, await readFile("/proc/self/mountinfo", "utf8"));
  return type !== undefined && NETWORK.test(type) ? type : undefined;
}
