import { join } from "node:path";
import { expect, test } from "vitest";
import { mayShare, testsTogether } from "./together.ts";

test.each([
  `vi.useFakeTimers();`,
  `vi.mock("./a.ts");`,
  `vi.spyOn(console, "log");`,
  `process.env.PORT = "1";`,
  `process.on("exit", end);`,
  `globalThis.fetch = fetched;`,
  `setGlobalDispatcher(agent);`,
  `setFlagsFromString("--expose-gc");`,
  `Array.prototype.first = first;`,
  `prototype.sync = sync;`,
  `import { env } from "node:process";`,
  `import { spawn } from "node:child_process";`,
  `import { startPlatform } from "../../testing/platform.ts";`,
  `describeWith(["redis-server"], "the cache", () => {});`,
])("%s has a process of its own", (text) => {
  expect(mayShare(text)).toBe(false);
});

test.each([
  `const heard = vi.fn();`,
  `if (made.prototype.stop === stop) {}`,
  `join(process.cwd(), "a")`,
  `import { reading } from "../testing/readings.ts";`,
])("%s shares one", (text) => {
  expect(mayShare(text)).toBe(true);
});

test("files that start what takes long, and files of others, are not among those that share a process", () => {
  const files = testsTogether(join(import.meta.dirname, ".."));
  expect(files).toContain("testing/http-proxy.test.ts");
  expect(files.filter((file) => /^(?:test|node_modules|\.cache)\//.test(file))).toEqual([]);
});
