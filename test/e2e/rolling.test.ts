/**
 * A rolling upgrade under load, and scaling after it: every process of a cluster is replaced, one after another, by one of this
 * version, while devices send and people ask; then there are more scoring processes, and one of them leaves.
 *
 * The version before is a commit of this repository (UPGRADE_FROM names another). Where a shallow clone has not got it, the old
 * processes are of this version too: the hand-over is tested then, and not the two versions' understanding of each other.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { kafkaNeeds } from "../../testing/kafka.ts";
import { describeWith } from "../../testing/needs.ts";
import { freePort } from "../../testing/processes.ts";
import { Cluster, type Member } from "../faults/cluster.ts";
import { Plant } from "../faults/plant.ts";
import { CommitWatch, differences, readStored, type Stored } from "../faults/stored.ts";

const root = join(import.meta.dirname, "../..");
const PREVIOUS = process.env.UPGRADE_FROM ?? "ed5ae6c103c9eac701097ffc7a3be5c714f75541";
const previousIsHere = spawnSync("git", ["cat-file", "-e", `${PREVIOUS}^{commit}`], { cwd: root }).status === 0;
const from = previousIsHere
  ? `the version before (${PREVIOUS.slice(0, 8)})`
  : "this same version (the one before is not in this clone)";

/** As docs/guides/operations.md has it: scoring first, the gateways last. */
const order = ["score", "ingest", "query,gateway"] as const;
const PARTITIONS = 8;
const SENSORS = 200;
/** Sent before the first process is replaced: every sensor is then old enough to be judged. */
const WARM_ROUNDS = 12;
const ROUNDS = 15;
const PER_ROUND = 5;

describeWith([...kafkaNeeds, "redis-server"], `a rolling upgrade from ${from}`, () => {
  const cluster = new Cluster();
  const asked = new Asked();
  let plant: Plant;
  let answers: Awaited<ReturnType<Plant["settle"]>>;
  let stored: Stored;
  let checked: string;
  let unjudgedNow: number;
  /** Partitions by the name of the process, at each number of scoring processes. */
  const shares = new Map<string, Map<string, number[]>>();

  beforeAll(async () => {
    await cluster.startServers();
    const old = oldProgram(cluster.folder);
    for (const role of order) for (const n of [1, 2]) await add(`old-${role}-${n}`, role, old);
    await Promise.all(cluster.members.map((member) => member.start().catch(() => member.isReady())));
    plant = new Plant({
      seed: 11,
      url: `http://127.0.0.1:${cluster.proxies.devices.port}`,
      producers: 3,
      sensors: SENSORS,
      readingsPerSensor: ROUNDS * PER_ROUND,
      perBlock: PER_ROUND,
      folder: cluster.folder,
    });
    for (let round = 0; round < WARM_ROUNDS; round++) {
      await plant.round(() => 0);
      // A block that is sent twice would else overtake, by the other producer, what came before it, and make that late.
      await plant.settle();
    }
    asked.start(cluster);
    let upgraded = false;
    const sending = (async () => {
      // Evenly over about what the upgrade takes; what is left goes out at once when it is over.
      for (let round = WARM_ROUNDS; round < ROUNDS; round++) await plant.round(() => (upgraded ? 0 : 10_000));
    })();
    for (const role of order) for (const n of [1, 2]) await replace(`old-${role}-${n}`, `new-${role}-${n}`, role);
    upgraded = true;
    await sending;
    answers = await plant.settle();
    unjudgedNow = await unjudged();
    await scale();
    await asked.stop();
    await plant.close();
    const commits = new CommitWatch(cluster.postgres.url);
    await commits.published();
    await commits.close();
    await cluster.stopMembers();
    stored = await readStored(cluster.postgres.url);
    checked = await cluster.fsck();
  }, 300_000);
  afterAll(() => cluster.stop(stored === undefined), 60_000);

  async function add(name: string, role: string, main?: string): Promise<Member> {
    const ports = { grpc: await freePort(), http: await freePort() };
    const member = cluster.member(name, ports, { ROLE: role, LOG_LEVEL: "info" }, main);
    cluster.members.push(member);
    return member;
  }

  /** One more before one less. */
  async function replace(oldName: string, newName: string, role: string): Promise<void> {
    await (await add(newName, role)).start();
    await remove(oldName);
  }

  async function remove(name: string): Promise<void> {
    const index = cluster.members.findIndex((member) => member.name === name);
    const [member] = cluster.members.splice(index, 1);
    await member!.stop();
  }

  /** Two scoring processes, four, and three again. */
  async function scale(): Promise<void> {
    shares.set("2", await shared(2));
    const more = [await add("more-score-1", "score"), await add("more-score-2", "score")];
    await Promise.all(more.map((member) => member.start()));
    shares.set("4", await shared(4));
    await remove("new-score-1");
    shares.set("3 after one left", await shared(3));
    const commits = new CommitWatch(cluster.postgres.url);
    const before = await commits.offsets();
    const client = createClient(IngestService, createGrpcTransport({ baseUrl: urlOf(cluster.of("ingest")[0]!) }));
    const readings = Array.from({ length: 200 }, (_, n) => ({
      sensorId: `after-${n}`,
      sensorType: "temperature",
      unit: "C",
      value: 1,
    }));
    await client.submitReadings({ readings });
    await commits.past(before, "all");
    await commits.close();
  }

  /** Waits until the partitions are shared among so many processes, each having at least one and none two owners. */
  async function shared(processes: number): Promise<Map<string, number[]>> {
    for (let tries = 0; ; tries++) {
      const now = new Map<string, number[]>();
      for (const member of cluster.of("score")) now.set(member.name, await partitionsOf(member));
      const all = [...now.values()].flat();
      const fair = now.size === processes && [...now.values()].every((own) => own.length > 0);
      if (fair && all.length === PARTITIONS && new Set(all).size === PARTITIONS) return now;
      if (tries > 200) throw new Error(`not shared: ${JSON.stringify([...now])}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Of the newest readings, how many have no bounds: those of a sensor that a scorer has forgotten would not. */
  async function unjudged(): Promise<number> {
    const query = createClient(QueryService, createGrpcTransport({ baseUrl: urlOf(cluster.of("query")[0]!) }));
    const { readings } = await query.listReadings({ limit: 1000 });
    const own = readings.filter(({ sensorId, late }) => sensorId.startsWith("sensor-") && !late);
    expect(own.length).toBeGreaterThan(SENSORS);
    return own.filter(({ lower }) => lower === undefined).length;
  }

  test("loses no reading, stores none twice, and answers the devices without an error", () => {
    expect(answers.accepted + answers.duplicate).toBe(plant.sent);
    expect(answers).toMatchObject({ conflicting: 0, rejected: 0 });
    expect(plant.refused).toBe(0);
    const ours = new Map([...stored.values].filter(([key]) => key.startsWith("sensor-")));
    expect(stored.repeated).toEqual([]);
    expect(differences(plant.truth, ours)).toEqual([]);
    expect(ours.size).toBe(plant.truth.size);
  });

  test("makes callers try again at most: no call fails in another way, and most do not fail at all", () => {
    expect(asked.wrong).toEqual([]);
    expect(asked.answered).toBeGreaterThan(50);
    expect(asked.retried).toBeLessThan(asked.answered / 2);
  });

  test("keeps what was learnt: sensors stay old enough to be judged, and a fault is still an alert", () => {
    expect(unjudgedNow).toBe(0);
    expect(stored.events.size).toBeGreaterThan(0);
  });

  test("leaves data in which fsck finds nothing wrong", () => {
    expect(checked).toMatch(/^\d+ readings in \d+ blocks: all is well$/);
  });

  test("shares eight partitions evenly over two and four scoring processes, and over the rest when one leaves", () => {
    const sizes = (when: string) => [...shares.get(when)!.values()].map((own) => own.length).sort();
    expect(sizes("2")).toEqual([4, 4]);
    expect(sizes("4")).toEqual([2, 2, 2, 2]);
    expect(sizes("3 after one left")).toEqual([2, 3, 3]);
    // Nobody gives up a partition that it may keep.
    for (const [name, own] of shares.get("4")!) {
      const after = shares.get("3 after one left")!.get(name);
      if (after) expect(after).toEqual(expect.arrayContaining(own));
    }
  });
});

/** People and programs that ask all the time. */
class Asked {
  answered = 0;
  retried = 0;
  readonly wrong: string[] = [];
  #over = false;
  #asking: Promise<unknown> = Promise.resolve();

  start(cluster: Cluster): void {
    const query = createClient(
      QueryService,
      createGrpcTransport({ baseUrl: `http://127.0.0.1:${cluster.proxies.callers.port}` }),
    );
    const ingest = createClient(
      IngestService,
      createGrpcTransport({ baseUrl: `http://127.0.0.1:${cluster.proxies.devices.port}` }),
    );
    let sequence = 0n;
    const epoch = BigInt(Date.now());
    const submit = () => {
      const reading = { sensorId: "asker", sensorType: "t", unit: "1", value: 1 };
      return ingest.submitReadings({ readings: [reading], producer: "asker", epoch, sequence });
    };
    this.#asking = Promise.all([
      this.#repeat(() => query.getPlatformStats({})),
      this.#repeat(() => {
        sequence++;
        return submit();
      }, submit),
    ]);
  }

  async #repeat(first: () => Promise<unknown>, again = first): Promise<void> {
    while (!this.#over) {
      for (let ask = first; ; ask = again) {
        const failure = await ask().then(
          () => undefined,
          (error) => ConnectError.from(error),
        );
        if (failure === undefined) break;
        this.retried++;
        // HTTP/2's own word for a call that was not begun when the connection was going away: every client may try it again.
        const notBegun = failure.rawMessage.includes("NGHTTP2_REFUSED_STREAM");
        if (failure.code !== Code.Unavailable && !notBegun) {
          this.wrong.push(`${Code[failure.code]}: ${failure.rawMessage}`);
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      this.answered++;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#asking;
  }
}

function urlOf(member: Member): string {
  return `http://127.0.0.1:${member.grpcPort}`;
}

async function partitionsOf(member: Member): Promise<number[]> {
  const page = await (await fetch(`${urlOf(member)}/metrics`)).text();
  return [...page.matchAll(/^telltale_log_lag_records\{partition="(\d+)"\}/gm)].map(([, n]) => Number(n)).sort();
}

/** Path of the old version's program, or undefined for this one. */
function oldProgram(folder: string): string | undefined {
  if (!previousIsHere) return undefined;
  const to = join(folder, "old");
  mkdirSync(to);
  const archive = execFileSync(
    "git",
    ["archive", PREVIOUS, "server", "gateway", "gen", "ml", "proto", "third_party", "client", "cli", "package.json"],
    {
      cwd: root,
      maxBuffer: 1 << 28,
    },
  );
  execFileSync("tar", ["-x", "-C", to], { input: archive });
  symlinkSync(join(root, "node_modules"), join(to, "node_modules"));
  return join(to, "server/main.ts");
}
