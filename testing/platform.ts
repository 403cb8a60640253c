/** The real platform as a process of its own: embedded parts, free ports, a data folder that goes when it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { copyEmbeddedDatabase } from "./database-template.ts";
import { hold } from "./held.ts";
import { end } from "./processes.ts";

/** First start: the database is initialised; longer on a loaded machine. */
const READY_MS = 90_000;
const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

export interface Platform {
  /** Of the HTTP listener, for example http://127.0.0.1:40123. */
  readonly http: string;
  /** Of the gRPC listener. */
  readonly grpc: string;
  readonly process: ChildProcess;
  readonly dataDir: string;
  /** What it has said so far. */
  readonly output: () => string;
  /** SIGTERM, then removes the data. */
  stop(): Promise<void>;
}

/** Watches that a test leaves open would hold its end up for as long as calls under way may take: 10 s by default. */
const DEFAULTS = { PORT: "0", GRPC_PORT: "0", LOG_LEVEL: "WARN", SHUTDOWN_GRACE_MS: "1000" };

/**
 * @param environment beside ports and the data folder
 * @param firstStart makes its database itself where the folder has none, as for a user, in place of a copy of one that is new
 * @param checkout the folder of the version to start, this one by default; another one's schema is no copy of this one's
 */
export async function startPlatform(
  environment: NodeJS.ProcessEnv = {},
  { firstStart = false, checkout = CHECKOUT }: { readonly firstStart?: boolean; readonly checkout?: string } = {},
): Promise<Platform> {
  const dataDir = environment.DATA_DIR ?? (await mkdtemp(join(tmpdir(), "telltale-platform-")));
  let copied: Promise<void> | undefined;
  let isReleased = false;
  const releaseFolder = hold({ folder: dataDir }, async () => {
    isReleased = true;
    await Promise.allSettled([copied]);
    await rm(dataDir, { recursive: true, force: true });
  });
  // A database that may not run as root belongs to a user who must get in.
  await chmod(dataDir, 0o755);
  const hasDatabase = environment.DATABASE_URL !== undefined || existsSync(join(dataDir, "postgres"));
  if (!hasDatabase && !firstStart && checkout === CHECKOUT) copied = copyEmbeddedDatabase(dataDir);
  await copied;
  if (isReleased) throw new Error("The platform was ended before it had started.");
  const child = spawn(process.execPath, ["--max-semi-space-size=8", join(checkout, "server/main.ts")], {
    env: { ...process.env, ...DEFAULTS, DATA_DIR: dataDir, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const endProcess = hold(child.pid === undefined ? {} : { pid: child.pid }, () => end(child));
  const stop = async () => {
    await endProcess();
    await releaseFolder();
  };
  const lines: string[] = [];
  const output = () => lines.join("\n");
  try {
    const { http, grpc } = await listeners(child, lines);
    return {
      http,
      grpc,
      process: child,
      dataDir,
      output,
      stop,
    };
  } catch (error) {
    await end(child, "SIGKILL");
    await stop();
    throw error;
  }
}

/** The addresses that the platform prints when it is ready. */
function listeners(child: ChildProcess, lines: string[]): Promise<{ http: string; grpc: string }> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`The platform ${why}:\n${lines.slice(-40).join("\n")}`));
    const timer = setTimeout(() => fail(`was not ready after ${READY_MS} ms`), READY_MS);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      fail(`ended (${signal ?? code})`);
    });
    let grpc = "";
    let http = "";
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        grpc ||= /gRPC-Web\s+(https?:\S+)/.exec(line)?.[1] ?? "";
        http ||= /Health\s+(https?:\S+)\/health/.exec(line)?.[1] ?? "";
        if (!/^End it with Ctrl-C/.test(line)) return;
        clearTimeout(timer);
        resolve({ http, grpc });
      });
    }
  });
}
