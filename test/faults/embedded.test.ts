import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, openClient } from "../../server/postgres/connection.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { freePort } from "../../testing/processes.ts";
import { type FaultProxy, startProxy } from "../../testing/proxy.ts";
import { Random } from "../../testing/random.ts";
import { copySources, Member } from "./cluster.ts";
import { Plant } from "./plant.ts";
import { CommitWatch, differences, readStored, type Stored } from "./stored.ts";

const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000);
const faultCount = Number(process.env.FAULTS ?? 10);
const secondsPerFault = 4;
const settleTimeoutMs = 300_000;

describe(`one process with the embedded log under ${faultCount} faults (seed ${seed})`, () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-faults-"));
  const main = copySources(join(folder, "sources"));
  const random = new Random(seed);
  let postgres: TestPostgres;
  let database: FaultProxy;
  let devices: FaultProxy;
  let plant: Plant;
  let keeper: Keeper;
  let stored: Stored;
  let undisturbed: Stored;
  let answers: Awaited<ReturnType<Plant["settle"]>>;

  beforeAll(async () => {
    process.stdout.write(`seed ${seed}: FAULTS_SEED=${seed} FAULTS=${faultCount} replays this schedule\n`);
    postgres = await startPostgres();
    database = await startProxy(() => [postgres.port]);
    const platform = await member("platform", database.port, "postgres");
    devices = await startProxy(() => [platform.grpcPort]);
    await platform.start();
    keeper = new Keeper(postgres.url);
    const url = `http://127.0.0.1:${devices.port}`;
    plant = new Plant({ seed, url, producers: 2, sensors: 300, readingsPerSensor: 200, perBlock: 5, folder });
    await disturb(platform);
    answers = await plant.settle();
    await plant.close();
    await platform.stop();
    stored = await readStored(postgres.url);
    undisturbed = await referenceRun();
  }, settleTimeoutMs + 600_000);

  afterAll(async () => {
    await keeper?.close();
    await Promise.all([database?.stop(), devices?.stop()]);
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  async function member(name: string, databasePort: number, databaseName: string): Promise<Member> {
    const ports = { grpc: await freePort(), http: await freePort() };
    const environment = {
      DATABASE_URL: `postgres://telltale@127.0.0.1:${databasePort}/${databaseName}`,
      DATA_DIR: folder,
    };
    return new Member(name, ports, environment, main, folder);
  }

  async function disturb(platform: Member): Promise<void> {
    const commits = new CommitWatch(postgres.url);
    let over = false;
    const roundMs = (faultCount * secondsPerFault * 1_000) / plant.totalRounds;
    const sending = (async () => {
      for (let left = plant.totalRounds; left > 0; left--) await plant.round(() => (over ? 0 : roundMs));
    })();
    const faults: Record<string, () => Promise<void> | void> = {
      "kill -9 the platform": () => platform.end("SIGKILL"),
      "kill -9 postgres": async () => {
        await postgres.kill();
        await postgres.start();
      },
      "cut the database": () => database.cut(),
      "cut the devices": () => devices.cut(),
      "stop the platform": () => platform.end("SIGTERM"),
    };
    const names = Object.keys(faults);
    for (let i = 0; i < faultCount; i++) {
      const name = i < names.length ? names[i]! : random.pick(names);
      await sleep(random.between(500, 2_500));
      const began = performance.now();
      await faults[name]!();
      await commits.past(await commits.offsets(), "any");
      process.stdout.write(`  ${name}: first commit after ${((performance.now() - began) / 1_000).toFixed(2)} s\n`);
      await platform.isReady();
    }
    over = true;
    await sending;
    await commits.close();
  }

  /** Another process on a copy of the log, in a database of its own. */
  async function referenceRun(): Promise<Stored> {
    await keeper.copyTo("undisturbed");
    const again = await member("undisturbed", postgres.port, "undisturbed");
    await again.start();
    const url = postgres.url.replace(/postgres$/, "undisturbed");
    const commits = new CommitWatch(url);
    await commits.past(new Map([...stored.next].map(([partition, next]) => [partition, next - 1])), "all");
    await commits.close();
    await again.stop();
    return await readStored(url);
  }

  it("stores every reading exactly once, and accounts for every one sent", () => {
    expect(stored.repeated.slice(0, 5)).toEqual([]);
    expect(differences(plant.truth, stored.values)).toEqual([]);
    expect(stored.values.size).toBe(plant.truth.size);
    expect(answers.accepted + answers.duplicate).toBe(plant.sent);
    expect(answers).toMatchObject({ conflicting: 0, rejected: 0 });
  });

  it("has the same scores and alerts, to the bit, as a process that read the log undisturbed", () => {
    expect(differences(undisturbed.scored, stored.scored)).toEqual([]);
    expect(stored.events.size).toBeGreaterThan(0);
    expect(differences(stored.events, undisturbed.events)).toEqual([]);
  });
});

/**
 * Keeps the segments of the log that the platform has done with: something that depends on a table keeps it from being dropped.
 */
class Keeper {
  readonly #url: string;
  readonly #client: Client;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;

  constructor(url: string) {
    this.#url = url;
    this.#client = openClient(url, { max: 1 });
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look()
        .catch(() => undefined) // the database is being killed
        .finally(() => {
          this.#looking = undefined;
        });
    }, 50);
  }

  /** The log's schema, in a new database. */
  async copyTo(name: string): Promise<void> {
    await this.#client.sql.unsafe("drop schema kept cascade");
    await this.#client.sql.unsafe(`create database ${name}`);
    const target = this.#url.replace(/postgres$/, name);
    const dump = execFileSync("pg_dump", ["-n", "telltale_log", this.#url], { maxBuffer: 1 << 30, cwd: "/tmp" });
    await piped(spawn("psql", ["-q", "-v", "ON_ERROR_STOP=1", target], { stdio: ["pipe", "ignore", "inherit"] }), dump);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#client.sql.end({ timeout: 1 });
  }

  async #look(): Promise<void> {
    const { sql } = this.#client;
    await sql`create schema if not exists kept`;
    const tables = await sql`
      select tablename as name from pg_tables where schemaname = 'telltale_log' and tablename like 'records%'
      except select viewname from pg_views where schemaname = 'kept'`;
    for (const { name } of tables) await sql.unsafe(`create view kept.${name} as select * from telltale_log.${name}`);
  }
}

async function piped(child: ChildProcess, input: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${child.spawnfile} ended with ${code}`))));
  child.stdin!.end(input);
  await promise;
}
