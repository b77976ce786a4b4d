export * from "./chain.ts";
export * from "./signature.ts";
export * from "./bag.ts";
