import { defineConfig } from "vitest/config";

/** Groups of scripts/test. Anything with a process or a socket is under test/; pure tests sit beside their source. */
const project = (name: string, include: string[], testTimeout: number, fileParallelism: boolean) => ({
  test: { name, include, testTimeout, hookTimeout: testTimeout, fileParallelism, environment: "node" as const },
});

export default defineConfig({
  test: {
    pool: "forks",
    projects: [
      project("unit", ["src/**/*.test.ts", "test/support/*.test.ts"], 5_000, true),
      project("rules", ["test/rules/**/*.test.ts"], 60_000, true),
      project("system", ["test/system/**/*.test.ts"], 240_000, false),
      project("media", ["test/media/**/*.test.ts"], 240_000, false),
      project("install", ["test/install/**/*.test.ts"], 300_000, false),
      project("fault", ["test/fault/**/*.test.ts"], 240_000, false),
      project("appliance", ["test/appliance/**/*.test.ts"], 600_000, false),
      project("update", ["test/update/**/*.test.ts"], 3_600_000, false),
    ],
  },
});
