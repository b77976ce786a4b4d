import { expect, test } from "vitest";
import { fileSystemTypeAt } from "./mounts.ts";

const MOUNTINFO = `
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:33 / /srv rw shared:7 - nfs4 10.0.0.1:/x rw
41 27 8:1 / /srv/local rw,noatime - xfs /dev/sda1 rw
42 27 0:34 / /mnt/the\\040card rw - fuse.sshfs host: rw
43 27 8:2 / /mnt/twice rw - ext4 /dev/sdb1 rw
44 43 0:35 / /mnt/twice rw - cifs //host/x rw
`;

test("a path is on the file system of the nearest mount above it, the later of two on one place", () => {
  const type = (path: string) => fileSystemTypeAt(path, MOUNTINFO);
  expect(type("/var/lib/diem-cau")).toBe("ext4");
  expect(type("/srv")).toBe("nfs4");
  expect(type("/srv/local/data")).toBe("xfs");
  expect(type("/srvice")).toBe("ext4");
  expect(type("/mnt/the card/data")).toBe("fuse.sshfs");
  expect(type("/mnt/twice")).toBe("cifs");
  expect(fileSystemTypeAt("/srv", "")).toBeUndefined();
});
