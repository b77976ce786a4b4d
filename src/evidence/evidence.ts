export * from "./chain.ts";
export * from "./signature.ts";
export * from "./bag.ts";
export type { Difference, DifferenceCode } from "./differences.ts";
