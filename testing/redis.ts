import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { hold } from "./held.ts";
import { end, freePort, untilLine } from "./processes.ts";

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  start(): Promise<void>;
  shutdown(): Promise<void>;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** A private Redis without persistence on a free port. */
export async function startRedis(): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), "telltale-redis-"));
  const port = await freePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
  let child: ChildProcess;
  const stop = hold({ folder }, async () => {
    child.kill("SIGCONT");
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const start = async () => {
    child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "pipe"] });
    await untilLine(child, /Ready to accept connections/, 20_000);
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid!;
    },
    start,
    shutdown: () => end(child),
    kill: () => end(child, "SIGKILL"),
    pause: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
    flush: async () => {
      const client = new Redis(port, "127.0.0.1");
      await client.flushall();
      client.disconnect();
    },
    stop,
  };
}
