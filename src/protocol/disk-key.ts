import { z } from "zod";

/** What a box whose disk stays shut looks for on each USB stick (appliance/root/usr/lib/diemcau/disk-open). */
export const DISK_KEY_FILE = "diem-cau-mo-o-dia.txt";

/**
 * The second key of a box's encrypted data partition, for the day on which its TPM is gone: a recovery key as
 * systemd-cryptenroll(1) makes it, 256 bits in modhex.
 */
export const DiskKey = z.looseObject({
  /** UUID in the partition's LUKS2 header. */
  volume: z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  key: z.string().regex(/^(?:[cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}$/),
});
export type DiskKey = z.infer<typeof DiskKey>;

/** How a box names its disk on the TV, and the hub at the desk: `3F2A-91C4`. */
export const diskCode = (volume: string): string => `${volume.slice(0, 4)}-${volume.slice(4, 8)}`.toUpperCase();
