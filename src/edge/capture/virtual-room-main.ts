import { createLog, processLifetime, systemClock } from "../../platform/platform.ts";
import { runVirtualRoom, VirtualRoomOptions } from "./virtual-room.ts";

/** The process of one virtual room: argument 1 is VirtualRoomOptions as JSON. SIGTERM ends it at a frame boundary. */
const options = VirtualRoomOptions.parse(JSON.parse(process.argv[2] ?? "null"));
const signal = processLifetime(createLog(systemClock));
await runVirtualRoom(options, systemClock, signal);
