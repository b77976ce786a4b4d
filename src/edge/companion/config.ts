import { z } from "zod";

const side = z.number().int().min(320).max(3840).multipleOf(2);

/** How another meeting system's page is shown and recorded. Each key is a row of docs/ref/box-config.md. */
export const CompanionConfig = z.strictObject({
  /** Chromium. */
  browser: z.string().min(1).default("chromium"),
  /** Further arguments for it. */
  arguments: z.array(z.string().startsWith("--")).default([]),
  /** X display of the room's TV. */
  display: z
    .string()
    .regex(/^:\d{1,5}(\.\d)?$/, "must be the name of a local X display, like :0")
    .default(":0"),
  /** PulseAudio source that hears what the TV plays. */
  sound: z.string().min(1).default("@DEFAULT_MONITOR@"),
  record: z
    .strictObject({
      width: side,
      height: side,
      frameRate: z.number().int().min(5).max(30),
      maxBitrateKbps: z.number().int().min(100).max(20_000),
    })
    .default({ width: 1280, height: 720, frameRate: 15, maxBitrateKbps: 2_000 }),
  /** How long before its hour the page of a scheduled session is opened. */
  openMinutes: z.number().int().min(0).max(60).default(10),
  /** Folder of the built scripts that go into the page. */
  scripts: z.string().min(1).optional(),
});
export type CompanionConfig = z.infer<typeof CompanionConfig>;
