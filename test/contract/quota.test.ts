import { afterAll, beforeAll, expect, it } from "vitest";
import { openRedis } from "../../server/cache/redis-client.ts";
import { manualClock } from "../../server/clock.ts";
import { silentLogger } from "../../server/observe/logger.ts";
import { createRedisCounter } from "../../server/security/quota.ts";
import { describeWith } from "../support/needs.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";

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

  it("is one count for all replicas, begins again each second, and leaves nothing behind", async () => {
    const clock = manualClock(5_000_000);
    const [one, other] = [await open(), await open()];
    const counters = [one, other].map((redis) => createRedisCounter(redis, clock, silentLogger()));
    expect(await counters[0]!.add("k", 3)).toBe(3);
    expect(await counters[1]!.add("k", 4)).toBe(7);
    expect(await counters[0]!.add("other", 1)).toBe(1);
    clock.advanceMs(1_000);
    expect(await counters[0]!.add("k", 1)).toBe(1);
    for (const key of await one.keys("*")) expect(await one.pttl(key)).toBeGreaterThan(0);
    one.disconnect();
    other.disconnect();
  });

  it("goes on with what each process sees while Redis is away, and costs no call its answer", async () => {
    const clock = manualClock(9_000_000);
    const redis = await open();
    const counter = createRedisCounter(redis, clock, silentLogger());
    expect(await counter.add("k", 2)).toBe(2);
    await server.kill();
    const started = performance.now();
    expect(await counter.add("k", 2)).toBe(4);
    expect(performance.now() - started).toBeLessThan(2_000);
    redis.disconnect();
    await server.start();
  });
});
