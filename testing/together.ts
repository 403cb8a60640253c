/** Which test files share a process: loading the modules anew takes longer than the tests of most of them. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Their tests start platforms, brokers and browsers, beside which a process of a file's own costs little. */
const WHOLE = ["test/", "node_modules/"];

/**
 * What changes the process or starts another: others in the same process would see the first, and hold up the end of the second. It is
 * looked for in the text, so that a new test file needs no line anywhere.
 */
const ALONE = [
  /\bvi\.(?!fn\b|mocked\b|waitFor\b|waitUntil\b)/,
  /\bprocess\.(?!memoryUsage\b|hrtime\b|cpuUsage\b|pid\b|execPath\b|versions?\b|cwd\b|platform\b)/,
  /\bglobalThis\b/,
  /\bprototype\.[\w$]+ *=(?!=)/,
  // Of undici, fast-check and V8: what counts for everybody after it.
  /\b(?:setGlobal\w+|configureGlobal|setFlagsFromString)\b/,
  /\bdescribeWith\b/,
  /"(?:node:)?(?:child_process|process|worker_threads|cluster|v8|vm)"/,
  /"(?:\.\.?\/)+testing\/(?:use-|postgres|redis|kafka|mosquitto|platform|owner-bench|settings-bench|script|cli|server-process)/,
];

/** @returns paths from `root` of the test files that a process may run one after another, with the modules that they load once */
export function testsTogether(root: string): string[] {
  const files = globSync("**/*.test.ts", { cwd: root, exclude: (path) => isWhole(path) });
  return files.filter((file) => mayShare(readFileSync(join(root, file), "utf8"))).sort();
}

function isWhole(path: string): boolean {
  return path.startsWith(".") || WHOLE.some((folder) => `${path}/`.startsWith(folder));
}

/** @param text of a test file */
export function mayShare(text: string): boolean {
  return !ALONE.some((pattern) => pattern.test(text));
}
