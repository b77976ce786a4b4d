export * from "./clock.ts";
export * from "./crypto.ts";
export * from "./files.ts";
export * from "./inspect.ts";
export * from "./lifetime.ts";
export * from "./log.ts";
export * from "./process.ts";
export * from "./store.ts";
