import { join } from "node:path";
import { defineConfig } from "vitest/config";
import LongFirst from "./testing/order.ts";
import { testsTogether } from "./testing/together.ts";

// Faults take minutes and have a command of their own: `npm run test:faults`.
const faults = process.env.TELLTALE_TEST_FAULTS === "1";

const together = testsTogether(import.meta.dirname);
const browser = ["test/browser/**/*.test.ts"];
const files = [
  {
    name: "alone",
    include: ["**/*.test.ts"],
    exclude: [...together, ...browser, "**/node_modules/**", ".git/**", "test/faults/**"],
  },
  // Each thing that is waited for in a page may take 90 s (testing/browser.ts), and a look at it with axe takes seconds of a busy machine.
  { name: "browser", include: browser, testTimeout: 240_000 },
  // A third of the processor's time of these is the start of a process and the loading of modules.
  { name: "together", include: together, isolate: false },
];

export default defineConfig({
  test: {
    projects: (faults ? [{ name: "faults", include: ["test/faults/**/*.test.ts"] }] : files).map((test) => ({
      extends: true as const,
      test,
    })),
    // Compiled modules of Python are kept, in no folder of ours but one: an image may say that they are not, and the start of a program
    // then takes twice as long.
    env: { PYTHONDONTWRITEBYTECODE: "", PYTHONPYCACHEPREFIX: join(import.meta.dirname, ".cache/pycache") },
    reporters: ["default", "./testing/report.ts"],
    // Longer than what a test waits for: many start platforms, and how long a start may take (testing/platform.ts) is told by itself.
    testTimeout: 120_000,
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
