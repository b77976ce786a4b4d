export * from "./chain.ts";
export * from "./signature.ts";
export * from "./bag.ts";
export * from "./release.ts";
