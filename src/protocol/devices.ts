import { z } from "zod";

/** A camera or microphone of a room, as it is listed to people. */
export const DeviceFacts = z.looseObject({
  /** Made by the box; it names the device wherever and whenever it is plugged in again. */
  id: z.string().min(1).max(300),
  name: z.string().max(300),
  /** `failed`: it is plugged in and cannot be opened. `absent`: wanted, and not there. */
  state: z.enum(["inUse", "ready", "failed", "absent"]),
  /** Chosen by the administrator, by the box's configuration, or by being what the room uses day by day. */
  wanted: z.boolean(),
  /** USB ports from the box on, `2.3`. */
  port: z.string().max(100).optional(),
});
export type DeviceFacts = z.infer<typeof DeviceFacts>;

/** All that is there or wanted, best first. */
export const RoomDevices = z.looseObject({
  cameras: z.array(DeviceFacts).max(100),
  microphones: z.array(DeviceFacts).max(100),
});
export type RoomDevices = z.infer<typeof RoomDevices>;

const Chosen = z.object({ id: z.string().min(1).max(300), name: z.string().max(300) });
/** The order in which a room's devices are preferred; those that are not named come after, as the box thinks best. */
export const DeviceOrder = z.object({ cameras: z.array(Chosen).max(20), microphones: z.array(Chosen).max(20) });
export type DeviceOrder = z.infer<typeof DeviceOrder>;

/** The wanted device in whose place another one is used, or none: the first that is not to be had. */
export function missedDevice(rows: readonly DeviceFacts[] | undefined): DeviceFacts | undefined {
  const used = rows?.findIndex(({ state }) => state === "inUse") ?? -1;
  return rows?.find(
    ({ state, wanted }, i) => (used < 0 || i < used) && (state === "failed" || (wanted && state === "absent")),
  );
}
