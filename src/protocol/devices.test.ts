import { expect, test } from "vitest";
import { missedDevice, type DeviceFacts } from "./devices.ts";

const row = (name: string, state: DeviceFacts["state"], wanted = true): DeviceFacts => ({
  id: name,
  name,
  state,
  wanted,
});

test("the missed device is the first wanted one that is not to be had, above the one in use", () => {
  expect(missedDevice(undefined)).toBeUndefined();
  expect(missedDevice([row("a", "inUse"), row("b", "absent")])).toBeUndefined();
  expect(missedDevice([row("a", "absent"), row("b", "inUse"), row("c", "failed")])?.name).toBe("a");
  expect(missedDevice([row("a", "absent", false), row("b", "failed", false), row("c", "inUse")])?.name).toBe("b");
  // Nothing is used at all: a slate.
  expect(missedDevice([row("a", "absent")])?.name).toBe("a");
  // Better, and not yet used: on its way.
  expect(missedDevice([row("a", "ready"), row("b", "inUse")])).toBeUndefined();
});
