import { z } from "zod";

export const SessionState = z.enum(["draft", "live", "paused", "ended"]);
export type SessionState = z.infer<typeof SessionState>;
export const PointRole = z.enum(["central", "delegate"]);
export type PointRole = z.infer<typeof PointRole>;
