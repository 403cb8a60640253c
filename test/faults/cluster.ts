import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, createWriteStream, mkdtempSync, readFileSync, rmSync, symlinkSync, type WriteStream } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { hold } from "../../testing/held.ts";
import { startKafka, type TestKafka } from "../../testing/kafka.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { end, freePort, untilLine } from "../../testing/processes.ts";
import { type FaultProxy, startProxy } from "../../testing/proxy.ts";
import { startRedis, type TestRedis } from "../../testing/redis.ts";
import { noDisk, SmallDisk } from "../../testing/small-disk.ts";

export const roles = ["ingest", "score", "query", "gateway"] as const;
export type Role = (typeof roles)[number];
/** Where connections can be hurt: devices to ingest, callers to query, and every process to its servers. */
export type Link = "devices" | "callers" | "kafka" | "postgres" | "redis";

const readyMs = 90_000;
/** What an orchestrator takes to start a process again, in milliseconds. */
const restartMs = 200;
const root = join(import.meta.dirname, "../..");
/** What the platform runs on. */
const sources = ["server", "gateway", "formats", "gen", "ml", "proto", "third_party", "client", "cli", "package.json"];

/**
 * A run takes minutes, and processes are started again all the time: they run a copy of the sources, so that an edit meanwhile
 * does not make two versions of one platform.
 */
export function copySources(to: string): string {
  for (const name of sources) cpSync(join(root, name), join(to, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(to, "node_modules"));
  return join(to, "server/main.ts");
}

export interface Ports {
  readonly grpc: number;
  readonly http: number;
}

/** A process of the platform that is started again whenever it ends, as an orchestrator would. */
export class Member {
  readonly name: string;
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Largest resident memory seen, in bytes. */
  peakBytes = 0;
  restarts = 0;
  ready: Promise<void> = Promise.resolve();
  readonly #environment: NodeJS.ProcessEnv;
  readonly #main: string;
  readonly #output: WriteStream;
  #child: ChildProcess | undefined;
  #wanted = true;
  readonly #holds: (() => Promise<void>)[] = [];

  constructor(name: string, ports: Ports, environment: NodeJS.ProcessEnv, main: string, folder: string) {
    this.name = name;
    this.#main = main;
    this.grpcPort = ports.grpc;
    this.httpPort = ports.http;
    this.#environment = environment;
    this.#output = createWriteStream(join(folder, `${name}.log`), { flags: "a" });
  }

  start(): Promise<void> {
    const child = spawn(process.execPath, [this.#main], {
      env: {
        ...process.env,
        LOG_LEVEL: "info",
        GRPC_PORT: String(this.grpcPort),
        PORT: String(this.httpPort),
        ...this.#environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    if (child.pid !== undefined) this.#holds.push(hold({ pid: child.pid }, () => this.#stop()));
    child.stdout.pipe(this.#output, { end: false });
    child.stderr.pipe(this.#output, { end: false });
    child.once("exit", (code, signal) => {
      this.#output.write(`--- ended: ${signal ?? code}\n`);
      if (!this.#wanted) return;
      this.restarts++;
      this.ready = this.#startAgain(); // a start that fails as well: its servers may be down
    });
    this.ready = untilLine(child, /Telltale is ready/, readyMs);
    return this.ready;
  }

  /** Of the process that runs now. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.name} was not started`);
    return this.#child.pid;
  }

  /** Resolves once the process runs, whichever attempt it takes. */
  async isReady(): Promise<void> {
    for (let attempt = this.ready; ; attempt = this.ready) {
      const done = await attempt.then(
        () => true,
        () => false,
      );
      if (done && attempt === this.ready) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Sends the signal and waits until the process has ended. */
  async end(name: NodeJS.Signals): Promise<void> {
    if (this.#child) await end(this.#child, name);
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    await Promise.all([this.#stop(), ...this.#holds.map((release) => release())]);
  }

  async #stop(): Promise<void> {
    this.#wanted = false;
    if (this.#child) {
      this.#child.kill("SIGCONT");
      await end(this.#child);
    }
    this.#output.end();
  }

  async #startAgain(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, restartMs));
    if (this.#wanted) await this.start();
  }

  sample(): void {
    if (!this.#child?.pid || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    try {
      const [, kB] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#child.pid}/status`, "utf8")) ?? [];
      this.peakBytes = Math.max(this.peakBytes, Number(kB ?? 0) * 1024);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // it has just ended
    }
  }
}

/** Kafka, PostgreSQL, Redis and two processes of each role, every connection through a proxy. */
export class Cluster {
  readonly folder = mkdtempSync(join(tmpdir(), "telltale-faults-"));
  readonly members: Member[] = [];
  readonly proxies = {} as Record<Link, FaultProxy>;
  kafka!: TestKafka;
  postgres!: TestPostgres;
  redis!: TestRedis;
  /** Under the buffer of one of the devices, where this machine lets us make one. */
  readonly disk = noDisk === undefined ? new SmallDisk(join(this.folder, "disk")) : undefined;
  readonly #main = copySources(join(this.folder, "sources"));
  #sampler: NodeJS.Timeout | undefined;

  /** The servers and the proxies, and no process of the platform yet. */
  async startServers(): Promise<void> {
    this.postgres = await startPostgres();
    this.proxies.postgres = await startProxy(() => [this.postgres.port]);
    this.redis = await startRedis();
    this.proxies.redis = await startProxy(() => [this.redis.port]);
    this.kafka = await startKafka(1, async (port) => {
      this.proxies.kafka = await startProxy(() => [port]);
      return this.proxies.kafka.port;
    });
    this.proxies.devices = await startProxy(() => this.of("ingest").map(({ grpcPort }) => grpcPort));
    this.proxies.callers = await startProxy(() => this.of("query").map(({ grpcPort }) => grpcPort));
  }

  async start(each: number): Promise<void> {
    await this.startServers();
    for (const role of roles) {
      for (let i = 1; i <= each; i++) {
        const ports = { grpc: await freePort(), http: await freePort() };
        this.members.push(this.member(`${role}-${i}`, ports, { ROLE: role }));
      }
    }
    // All at once: migrations and topics are made by whoever comes first.
    await Promise.all(this.members.map((member) => member.start().catch(() => member.isReady())));
    this.#sampler = setInterval(() => {
      for (const member of this.members) member.sample();
    }, 500);
  }

  /** @param main the program, where it is not the one of this tree */
  member(name: string, ports: Ports, more: NodeJS.ProcessEnv, main = this.#main): Member {
    const environment = {
      DATABASE_URL: `postgres://telltale@127.0.0.1:${this.proxies.postgres.port}/postgres`,
      KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${this.proxies.kafka.port}`,
      KAFKA_PARTITIONS: "8",
      REDIS_URL: `redis://127.0.0.1:${this.proxies.redis.port}`,
      GRPC_URL: `http://127.0.0.1:${this.proxies.callers.port}`,
      SCORER_THREADS: "1",
      // Of each heap; without it Node lets garbage lie as long as the machine has memory, and nothing could be said of a bound.
      NODE_OPTIONS: "--max-old-space-size=512",
      DATA_DIR: this.folder,
      ...more,
    };
    return new Member(name, ports, environment, main, this.folder);
  }

  of(role: Role): Member[] {
    return this.members.filter(({ name }) => name.includes(role));
  }

  /** What `telltale fsck` says of the database. */
  async fsck(): Promise<string> {
    const cli = join(this.folder, "sources/cli/main.ts");
    const run = promisify(execFile)(process.execPath, [cli, "fsck", "--database-url", this.postgres.url]);
    const { stdout } = await run.catch((error: { stdout: string; message: string }) => ({
      stdout: error.stdout || error.message,
    }));
    return stdout.trim();
  }

  async stopMembers(): Promise<void> {
    clearInterval(this.#sampler);
    await Promise.all(this.members.map((member) => member.stop()));
  }

  /** Removes everything; the processes' output stays when `keep`. */
  async stop(keep: boolean): Promise<void> {
    await this.stopMembers();
    await Promise.all(Object.values(this.proxies).map((proxy) => proxy.stop()));
    await Promise.all([this.kafka?.stop(), this.redis?.stop(), this.postgres?.stop()]);
    this.disk?.remove();
    if (keep) process.stdout.write(`The processes' output is kept in ${this.folder}\n`);
    else rmSync(this.folder, { recursive: true, force: true });
  }
}
