import { defineConfig } from "vitest/config";
import LongFirst from "./testing/order.ts";

// Faults take minutes and have a command of their own: `npm run test:faults`.
const faults = process.env.TELLTALE_TEST_FAULTS === "1";

export default defineConfig({
  test: {
    include: faults ? ["test/faults/**/*.test.ts"] : ["**/*.test.ts"],
    exclude: ["**/node_modules/**", ".git/**", ...(faults ? [] : ["test/faults/**"])],
    reporters: ["default", "./testing/report.ts"],
    // Real processes start and stop in many tests: a loaded laptop needs this long.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // What is waited for comes at its own time: the default of a second is too short for one.
    expect: { poll: { timeout: 30_000 } },
    // One more than the cores of a small machine: a fifth of the time a test waits for processes that start, end or recover.
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    // Recovery is measured: one run at a time.
    fileParallelism: !faults,
  },
});
