import { afterAll, beforeAll, expect, it } from "vitest";
import { manualClock } from "../../server/clock.ts";
import { openRedis } from "../../server/lib/redis-client.ts";
import { silentLogger } from "../../server/observe/logger.ts";
import { sensorMs } from "../../server/security/usage.ts";
import { createLocalUsage } from "../../server/security/usage-local.ts";
import { createRedisUsage } from "../../server/security/usage-redis.ts";
import { describeWith } from "../../testing/needs.ts";
import { startRedis, type TestRedis } from "../../testing/redis.ts";

/** A lease short enough to see its end. */
const leaseMs = 600;

describeWith(["redis-server"], "usage counted in Redis", () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server?.stop());

  const open = async () => {
    const redis = openRedis({ url: server.url, logger: silentLogger() }, "quota-test");
    await new Promise((resolve) => redis.once("ready", resolve));
    return redis;
  };
  const replica = async (clock = manualClock(5_000_000)) => {
    const redis = await open();
    return { redis, ...createRedisUsage(redis, clock, silentLogger(), { leaseMs }) };
  };

  it("is one count of a rate for all replicas, begins again each second, and leaves nothing behind", async () => {
    const clock = manualClock(5_000_000);
    const [one, other] = [await replica(clock), await replica(clock)];
    expect(await one.add("k", 3)).toBe(3);
    expect(await other.add("k", 4)).toBe(7);
    expect(await one.add("other", 1)).toBe(1);
    clock.advanceMs(1_000);
    expect(await one.add("k", 1)).toBe(1);
    for (const key of await one.redis.keys("*")) expect(await one.redis.pttl(key)).toBeGreaterThan(0);
    one.close();
    other.close();
  });

  it("is one count of streams for all replicas; one that is given back makes room for any", async () => {
    const [one, other] = [await replica(), await replica()];
    const leave = await one.enter("ann", 2);
    expect(await other.enter("ann", 2)).toBeDefined();
    expect(await one.enter("ann", 2)).toBeUndefined();
    expect(await other.enter("ann", 2)).toBeUndefined();
    expect(await one.enter("bob", 2)).toBeDefined();
    leave!();
    expect(await other.enter("ann", 2)).toBeDefined();
    one.close();
    other.close();
  });

  it("keeps a stream's place for as long as its process lives, and frees it soon after the process was killed", async () => {
    const [killed, lives] = [await replica(), await replica()];
    expect(await killed.enter("kim", 1)).toBeDefined();
    // Longer than a lease: the place is held by the beat alone.
    await new Promise((resolve) => setTimeout(resolve, 2 * leaseMs));
    expect(await lives.enter("kim", 1)).toBeUndefined();
    killed.close(); // no word to Redis: what a kill leaves behind
    const began = performance.now();
    while ((await lives.enter("kim", 1)) === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(performance.now() - began).toBeLessThan(3 * leaseMs);
    lives.close();
  });

  it("is one count of sensors for all replicas; those known go on", async () => {
    const [one, other] = [await replica(), await replica()];
    expect(await one.admit("ann", ["a", "b"], 3, "all")).toEqual(new Set());
    expect(await other.admit("ann", ["b", "c"], 3, "all")).toEqual(new Set());
    expect(await one.admit("ann", ["d"], 3, "all")).toEqual(new Set(["d"]));
    expect(await other.admit("ann", ["c", "d"], 3, "all")).toEqual(new Set(["d"]));
    expect(await one.admit("ann", ["a", "b", "c"], 3, "all")).toEqual(new Set());
    expect(await one.admit("bob", ["d"], 3, "all")).toEqual(new Set());
    // Nothing of what is refused as a whole was noted; else as many as there is room for.
    expect(await one.admit("eve", ["a", "b", "c"], 2, "all")).toEqual(new Set(["a", "b", "c"]));
    expect(await other.admit("eve", ["a", "b", "c"], 2, "some")).toEqual(new Set(["c"]));
    expect(await one.admit("eve", ["c", "b", "d", "a"], 2, "some")).toEqual(new Set(["c", "d"]));
    one.close();
    other.close();
  });

  it("goes on with what each process sees while Redis is away, says so, and tells Redis afterwards", async () => {
    const [one, other] = [await replica(), await replica()];
    expect(await one.add("away", 2)).toBe(2);
    await one.ping(1_000);
    await server.kill();
    const started = performance.now();
    expect(await one.add("away", 2)).toBe(4);
    expect(await one.enter("away", 1)).toBeDefined();
    expect(await one.enter("away", 1)).toBeUndefined();
    expect(await one.admit("away", ["a"], 1, "all")).toEqual(new Set());
    expect(await one.admit("away", ["b"], 1, "all")).toEqual(new Set(["b"]));
    expect(performance.now() - started).toBeLessThan(2_000);
    await expect(one.ping(1_000)).rejects.toThrow(/each process counts/);
    const back = Promise.all([one, other].map(({ redis }) => new Promise((resolve) => redis.once("ready", resolve))));
    await server.start();
    await back;
    await one.ping(1_000);
    while ((await other.redis.zcard("telltale:quota:streams:away")) === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await other.enter("away", 1)).toBeUndefined();
    one.close();
    other.close();
  });
});

it("a sensor that was not sent for a day makes room for another", async () => {
  const clock = manualClock(5_000_000);
  const usage = createLocalUsage(clock);
  expect(await usage.admit("ann", ["a"], 1, "all")).toEqual(new Set());
  clock.advanceMs(sensorMs - 1);
  expect(await usage.admit("ann", ["b"], 1, "all")).toEqual(new Set(["b"]));
  clock.advanceMs(1);
  expect(await usage.admit("ann", ["b"], 1, "all")).toEqual(new Set());
  expect(await usage.admit("ann", ["a"], 1, "all")).toEqual(new Set(["a"]));
});

it("where there is room for some of a batch, the known ones and the first new ones are let in", async () => {
  const usage = createLocalUsage(manualClock(5_000_000));
  expect(await usage.admit("ann", ["a", "b", "c"], 2, "all")).toEqual(new Set(["a", "b", "c"]));
  expect(await usage.admit("ann", ["a", "b", "c"], 2, "some")).toEqual(new Set(["c"]));
  expect(await usage.admit("ann", ["c", "b", "d", "a"], 2, "some")).toEqual(new Set(["c", "d"]));
});
