import { z } from "zod";

/** How a box is updated. Each key is a row of docs/ref/box-config.md. */
export const UpdateConfig = z.strictObject({
  keys: z.string().min(1),
  osRelease: z.string().min(1).default("/etc/os-release"),
  firmwareVariables: z.string().min(1).default("/sys/firmware/efi/efivars"),
  requests: z.string().min(1).default("/run/diemcau/request"),
  limitKibPerS: z.number().int().min(1).max(1_000_000).default(256),
});
export type UpdateConfig = z.infer<typeof UpdateConfig>;
