import { defineConfig } from "vitest/config";

// Faults take minutes and have a command of their own: `npm run test:faults`.
const faults = process.env.TELLTALE_TEST_FAULTS === "1";

export default defineConfig({
  test: {
    include: faults ? ["test/faults/**/*.test.ts"] : ["**/*.test.ts"],
    exclude: ["**/node_modules/**", ".git/**", ...(faults ? [] : ["test/faults/**"])],
    reporters: ["default", "./test/support/report.ts"],
    // Real processes start and stop in many tests: a loaded laptop needs this long.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Each worker may bring a database of its own; more of them would only wait for each other.
    maxWorkers: 2,
    // Recovery is measured: one run at a time.
    fileParallelism: !faults,
  },
});
