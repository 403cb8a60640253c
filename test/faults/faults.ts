import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../testing/random.ts";
import { noDisk } from "../../testing/small-disk.ts";
import type { Cluster, Link, Role } from "./cluster.ts";

export interface Fault {
  readonly name: string;
  /** Whether a member of the consumer group may have to be missed first: the broker waits for its session to expire. */
  readonly session: boolean;
  /** Why it cannot be done here. */
  readonly needs?: string | undefined;
  /** Does the harm, and resolves when the platform may be expected to recover. */
  inject(cluster: Cluster, random: Random): Promise<void>;
}

const kill = (role: Role): Fault => ({
  name: `kill -9 ${role}`,
  session: role === "score",
  inject: async (cluster, random) => {
    await random.pick(cluster.of(role)).end("SIGKILL"); // the others go on from here
  },
});

/** Longer than the group's session: another process takes over, and the sleeper wakes up believing itself the owner. */
const freezeMs = 9_000;

const freeze = (role: Role, ms: number): Fault => ({
  name: `SIGSTOP ${role} for ${ms / 1_000} s`,
  session: role === "score",
  inject: async (cluster, random) => {
    const member = random.pick(cluster.of(role));
    member.signal("SIGSTOP");
    await sleep(ms);
    member.signal("SIGCONT");
  },
});

const hurt = (link: Link): Fault[] => [
  {
    name: `cut ${link}`,
    session: false,
    inject: async (cluster) => cluster.proxies[link].cut(),
  },
  {
    name: `half-close ${link}`,
    session: false,
    inject: async (cluster) => cluster.proxies[link].halfClose(),
  },
  {
    name: `delay ${link} by 300 ms for 4 s`,
    session: false,
    inject: async (cluster) => {
      cluster.proxies[link].delay(300);
      await sleep(4_000);
      cluster.proxies[link].delay(0);
    },
  },
  {
    name: `swallow ${link} for 4 s`,
    session: false,
    inject: async (cluster) => {
      cluster.proxies[link].swallow(true);
      await sleep(4_000);
      cluster.proxies[link].swallow(false);
    },
  },
];

const restart = (server: "broker" | "postgres" | "redis"): Fault => ({
  name: `kill -9 ${server}`,
  session: server === "broker",
  inject: async (cluster) => {
    const target = { broker: cluster.kafka.nodes[0]!, postgres: cluster.postgres, redis: cluster.redis }[server];
    await target.kill();
    await target.start();
  },
});

/** Without PostgreSQL nothing is committed: devices must be slowed, nothing dropped, no memory filled. */
const stopDatabase: Fault = {
  name: "SIGSTOP postgres for 30 s",
  session: false,
  inject: async (cluster) => {
    cluster.postgres.pause();
    await sleep(30_000);
    cluster.postgres.resume();
  },
};

const rebalance: Fault = {
  name: "rebalance: a scorer leaves and comes back",
  session: false,
  inject: async (cluster, random) => {
    await random.pick(cluster.of("score")).end("SIGTERM");
  },
};

const flush: Fault = {
  name: "flush redis",
  session: false,
  inject: (cluster) => cluster.redis.flush(),
};

/** The device waits, or goes on with the place that settled batches leave; what it took is sent. */
const fullDisk: Fault = {
  name: "full disk under a device's buffer for 5 s",
  session: false,
  needs: noDisk,
  inject: async ({ disk }) => {
    disk?.fill();
    await sleep(5_000);
    disk?.free();
  },
};

/** Those that every run has. */
const always: Fault[] = [
  kill("score"),
  kill("ingest"),
  restart("broker"),
  restart("postgres"),
  freeze("score", freezeMs),
  stopDatabase,
  fullDisk,
];
const others: Fault[] = [
  kill("query"),
  kill("gateway"),
  kill("score"),
  kill("ingest"),
  freeze("ingest", 3_000),
  freeze("score", 3_000),
  restart("redis"),
  flush,
  rebalance,
  ...(["devices", "callers", "kafka", "postgres", "redis"] as const).flatMap(hurt),
];

/**
 * A schedule of so many faults: those that every run has, and others, in an order that the random numbers give. With `only`, that
 * one again and again, to look at it closely.
 */
export function schedule(count: number, random: Random, only?: string): Fault[] {
  if (only !== undefined) {
    const wanted = [...always, ...others].find(({ name }) => name === only);
    if (wanted !== undefined) return Array.from({ length: count }, () => wanted);
    const names = [...new Set([...always, ...others].map(({ name }) => name))];
    throw new Error(`FAULTS_ONLY is ${JSON.stringify(only)}, wanted one of: ${names.join(", ")}`);
  }
  const rest = Array.from({ length: Math.max(0, count - always.length) }, () => random.pick(others));
  const all = [...always.slice(0, count), ...rest].map((fault) => (fault.needs === undefined ? fault : instead(fault)));
  for (let i = all.length - 1; i > 0; i--) {
    const j = random.between(0, i);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}

/** So that the number of faults is kept, and that one is missing is read in the table. */
function instead({ name, needs }: Fault): Fault {
  return { ...flush, name: `${flush.name}, instead of: ${name} [${needs}]` };
}
