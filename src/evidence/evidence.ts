export * from "./chain.ts";
export * from "./signature.ts";
