// `npm start` as a newcomer runs it, on a checkout where nothing is installed: the first start installs what is missing, the second
// does not; both make the platform ready and end on Ctrl-C. Plain JavaScript: it runs before anything is installed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The default, unless somebody works here and has data in it. */
const DATA = existsSync(".telltale") ? mkdtempSync(join(tmpdir(), "telltale-first-start-")) : ".telltale";
const INSTALLING = "Installing dependencies";

const installed = existsSync("node_modules");
process.on("exit", () => rmSync(DATA, { recursive: true, force: true }));

const first = await start();
if (!installed && !first.includes(INSTALLING)) fail(`the first start did not say "${INSTALLING}".`);
if (!existsSync(`${DATA}/postgres/PG_VERSION`)) fail(`the first start left no database in ${DATA}.`);
if ((await start()).includes(INSTALLING)) fail("the second start installed something again.");

/** Starts the platform, ends it with SIGINT once it is ready, and answers with what it said on stderr. */
async function start() {
  const env = { ...process.env, DATA_DIR: DATA, PORT: "0", GRPC_PORT: "0", LOG_LEVEL: "warn", CI: "" };
  const child = spawn("npm", ["start"], { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    process.stdout.write(text);
    if (stdout.includes("End it with Ctrl-C.")) return;
    stdout += text;
    if (stdout.includes("End it with Ctrl-C.")) child.kill("SIGINT");
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    process.stderr.write(text);
    stderr += text;
  });
  const [code, signal] = await once(child, "close");
  if (!stdout.includes("Telltale is ready.")) fail(`the platform ended (${signal ?? code}) before it was ready.`);
  if (code !== 0) fail(`the platform ended with ${signal ?? `exit code ${code}`} on Ctrl-C.`);
  return stderr;
}

function fail(why) {
  console.error(`First start: ${why}`);
  process.exit(1);
}
