// The first thing that every npm script runs: installs what is missing, builds the console where that is needed, then hands over to
// the pinned Node.
//   node scripts/run.mjs start            the platform
//   node scripts/run.mjs test [filter …]  the tests
//   node scripts/run.mjs faults [--faults N] [--seed S]   the tests that kill and cut things
//   node scripts/run.mjs install          nothing more
//   node scripts/run.mjs FILE [args …]    any script of ours, for example cli/main.ts
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { exitOf } from "./children.mjs";
import { ensureConsole } from "./console.mjs";
import { ensureInstalled, node, root } from "./install.mjs";

const [command = "start", ...args] = process.argv.slice(2);

if (Number(process.versions.node.split(".")[0]) < 20) {
  fail(`Telltale needs Node 20 or newer to start with; this is Node ${process.versions.node}.`);
}
await ensureInstalled().catch((error) => fail(error.message, error.exitCode));
if (needsConsole()) buildConsole();
process.exit(command === "install" ? 0 : await hand(target()));

/** What serves the console, or tests it. */
function needsConsole() {
  return command === "start" || command === "test" || (command === "cli/main.ts" && args[0] === "serve");
}

/** A platform without its console takes readings all the same; a test of it cannot pass. */
function buildConsole() {
  try {
    ensureConsole();
  } catch (error) {
    if (command === "test") fail(error.message);
    console.error(`${error.message} The platform starts without it.`);
  }
}

/** What the pinned Node is to run. */
function target() {
  if (command === "start") return ["server/main.ts", ...args];
  if (command === "faults") return ["node_modules/vitest/vitest.mjs", "run", ...withoutSettings()];
  if (command === "test") return ["node_modules/vitest/vitest.mjs", "run", ...args];
  return [command, ...args];
}

/** What the fault runs are told by options, they read from the environment: vitest takes no options but its own. */
function withoutSettings() {
  const rest = [];
  for (let i = 0; i < args.length; i++) {
    const name = { "--faults": "FAULTS", "--seed": "FAULTS_SEED" }[args[i]];
    if (name === undefined) rest.push(args[i]);
    else if (/^[1-9]\d{0,8}$/.test(args[i + 1] ?? "")) process.env[name] = args[++i];
    else fail(`${args[i]} wants a whole number above 0, for example ${args[i]} 30.`);
  }
  return rest;
}

/**
 * The server's young objects have 8 MiB instead of 64: a pass over them then holds the answers up for 2 to 6 ms instead of 13 to 39.
 * The same is said in deploy/docker/Dockerfile and testing/platform.ts.
 */
function nodeOptions(file) {
  return file === "server/main.ts" ? ["--max-semi-space-size=8"] : [];
}

/** Runs it in the foreground, passes signals on, and answers with its exit code. */
async function hand([file, ...rest]) {
  const bin = join(root, "node_modules", ".bin");
  const env = {
    ...process.env,
    PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter),
    // Compiled code of thousands of modules is kept: a start takes a third less of the processor, in threads and children too.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules", ".cache", "node"),
    ...(command === "faults" ? { TELLTALE_TEST_FAULTS: "1" } : {}),
  };
  // `npm run` changes to the project's folder, but the files that the command line is given are named from where the user stands.
  const cwd = file === "cli/main.ts" ? (process.env.INIT_CWD ?? process.cwd()) : root;
  const child = spawn(node, [...nodeOptions(file), join(root, file), ...rest], { cwd, env, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // Ctrl-C at a terminal reaches the child by itself, and npm repeats it to us: passing it on would be a second one.
      if (signal === "SIGINT" && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  endWithParent(child);
  return exitOf(child);
}

/** When npm is killed outright it cannot pass that on: notice that we have become an orphan and end the child. */
function endWithParent(child) {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const looksEveryMs = 500;
  setInterval(() => {
    if (process.ppid !== parent) child.kill("SIGTERM");
  }, looksEveryMs).unref();
}

function fail(message, exitCode = 1) {
  console.error(message);
  process.exit(exitCode);
}
