import { Redis } from "ioredis";
import { freePort } from "./processes.ts";
import { type ServerProcess, serverFolder, startServer } from "./server-process.ts";

export interface TestRedis extends ServerProcess {
  readonly url: string;
  readonly port: number;
  flush(): Promise<void>;
}

/** A private Redis without persistence on a free port. */
export async function startRedis(): Promise<TestRedis> {
  const folder = serverFolder("redis");
  const port = await freePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
  const server = await startServer({
    ...{ folder, command: "redis-server", args, options: { stdio: ["ignore", "pipe", "pipe"] } },
    ready: /Ready to accept connections/,
  });
  return Object.assign(server, {
    url: `redis://127.0.0.1:${port}`,
    port,
    flush: async () => {
      const client = new Redis(port, "127.0.0.1");
      await client.flushall();
      client.disconnect();
    },
  });
}
