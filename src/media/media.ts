export * from "./flv.ts";
export * from "./avc.ts";
export * from "./aac.ts";
export * from "./mpegts.ts";
export * from "./stamp.ts";
export * from "./websocket.ts";
