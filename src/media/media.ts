export * from "./flv.ts";
export * from "./avc.ts";
export * from "./aac.ts";
