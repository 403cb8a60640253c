import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Bus, Cache } from "../../server/live/cache.ts";
import { createEmbeddedBus, createEmbeddedCache } from "../../server/live/embedded.ts";
import { createRedisBus, createRedisCache } from "../../server/live/redis.ts";
import { testLogger as logger } from "../../testing/logger.ts";
import { describeWith } from "../../testing/needs.ts";
import { startRedis, type TestRedis } from "../../testing/redis.ts";

let redis: TestRedis;
/** Of a call that waits for its answer in vain, which the client gives up after 250 ms; the others take microseconds. */
const SLOW_MS = 200;
/** Slow calls until the connection is taken for dead, and what a busy machine may add. */
const FEW = 10;

const embedded = {
  name: "embedded",
  needs: [],
  start: async () => {},
  stop: async () => {},
  cache: createEmbeddedCache,
  bus: () => createEmbeddedBus({ logger }),
};
const real = {
  name: "Redis",
  needs: ["redis-server"],
  start: async () => {
    redis = await startRedis();
  },
  stop: () => redis.stop(),
  cache: () => createRedisCache({ url: redis.url, logger }),
  bus: () => createRedisBus({ url: redis.url, logger }),
};

/** Gaps told to subscribers that must not hear of any. */
let wrongGaps = 0;
const noGap = () => {
  wrongGaps++;
};
const text = (value: string) => Buffer.from(value);
const read = (value: Uint8Array | undefined) => value && Buffer.from(value).toString();

for (const subject of [embedded, real])
  describeWith(subject.needs, `the ${subject.name} cache and bus`, () => {
    const opened: (Cache | Bus)[] = [];
    const track = <T extends Cache | Bus>(part: T): T => {
      opened.push(part);
      return part;
    };
    const newCache = async () => {
      const cache = track(subject.cache());
      await expect.poll(() => isUp(cache)).toBe(true);
      return cache;
    };

    beforeAll(subject.start, 30_000);
    afterAll(subject.stop);
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((part) => part.close()));
      expect(wrongGaps).toBe(0);
    });

    it("gives back the bytes that were set, until they are deleted or replaced", async () => {
      const cache = await newCache();
      const bytes = Uint8Array.from([0, 255, 13, 10, 128]);
      await cache.set("a", bytes, 60_000);
      await cache.set("b", text("1"), 60_000);
      await cache.set("b", text("2"), 60_000);
      expect([...(await cache.get("a"))!]).toEqual([...bytes]);
      expect(read(await cache.get("b"))).toBe("2");
      await cache.delete("a");
      expect(await cache.get("a")).toBeUndefined();
    });

    it("forgets after the stated time", async () => {
      const cache = await newCache();
      await cache.set("short", text("x"), 60);
      await cache.set("long", text("y"), 60_000);
      expect(read(await cache.get("short"))).toBe("x");
      await expect.poll(() => cache.get("short"), { timeout: 2_000 }).toBeUndefined();
      expect(read(await cache.get("long"))).toBe("y");
    });

    it("counts hits and misses", async () => {
      const cache = await newCache();
      const before = cache.stats();
      await cache.set("counted", text("x"), 60_000);
      await cache.get("counted");
      await cache.get("counted");
      await cache.get("never set");
      const { hits, misses } = cache.stats();
      expect([hits - before.hits, misses - before.misses]).toEqual([2, 1]);
    });

    it("brings a message to every subscriber of its channel and to no other, in order", async () => {
      const bus = track(subject.bus());
      const got: Record<string, string[]> = { one: [], two: [], other: [] };
      await bus.subscribe("news", (message) => got.one!.push(read(message)!), noGap);
      await bus.subscribe("news", (message) => got.two!.push(read(message)!), noGap);
      await bus.subscribe("weather", (message) => got.other!.push(read(message)!), noGap);
      await expect.poll(() => bus.audience("news")).toBeGreaterThan(0);
      for (const word of ["a", "b", "c"]) bus.publish("news", text(word));
      bus.publish("weather", text("rain"));
      await expect.poll(() => got).toEqual({ one: ["a", "b", "c"], two: ["a", "b", "c"], other: ["rain"] });
    });

    it("brings nothing after a subscription has ended, and knows its audience", async () => {
      const bus = track(subject.bus());
      const got: string[] = [];
      const stop = await bus.subscribe("news", (message) => got.push(read(message)!), noGap);
      await bus.subscribe("later", (message) => got.push(read(message)!), noGap);
      await expect.poll(() => bus.audience("news")).toBe(1);
      stop();
      await expect.poll(() => bus.audience("news")).toBe(0);
      bus.publish("news", text("unheard"));
      bus.publish("later", text("heard"));
      await expect.poll(() => got).toEqual(["heard"]);
    });

    it("goes on when a listener throws", async () => {
      const bus = track(subject.bus());
      const got: string[] = [];
      const thrower = () => {
        throw new Error("a listener's own trouble");
      };
      await bus.subscribe("news", thrower, noGap);
      await bus.subscribe("news", (message) => got.push(read(message)!), noGap);
      await expect.poll(() => bus.audience("news")).toBeGreaterThan(0);
      bus.publish("news", text("a"));
      await expect.poll(() => got).toEqual(["a"]);
    });
  });

describe("the embedded cache", () => {
  it("keeps within its bytes by dropping what was not used for longest", async () => {
    const cache = createEmbeddedCache({ maxBytes: 10_000 });
    for (let i = 0; i < 8; i++) await cache.set(`k${i}`, new Uint8Array(1_000), 60_000);
    await cache.get("k0");
    for (let i = 8; i < 12; i++) await cache.set(`k${i}`, new Uint8Array(1_000), 60_000);
    expect(await cache.get("k0")).toBeDefined();
    expect(await cache.get("k1")).toBeUndefined();
    expect(await cache.get("k11")).toBeDefined();
    await cache.set("huge", new Uint8Array(20_000), 60_000);
    expect(await cache.get("huge")).toBeUndefined();
  });
});

describeWith(["redis-server"], "Redis in trouble", () => {
  let cache: Cache;
  let bus: Bus;
  const gaps: string[] = [];
  const got: string[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    cache = createRedisCache({ url: redis.url, logger });
    bus = createRedisBus({ url: redis.url, logger });
    await bus.subscribe(
      "news",
      (message) => got.push(read(message)!),
      () => gaps.push("gap"),
    );
    await vi.waitFor(() => cache.ping(500), { timeout: 10_000 });
  }, 30_000);
  afterAll(async () => {
    await Promise.all([cache.close(), bus.close()]);
    await redis.stop();
  });

  it("is a miss when everything was flushed", async () => {
    await cache.set("a", text("x"), 60_000);
    await redis.flush();
    expect(await cache.get("a")).toBeUndefined();
    await cache.set("a", text("y"), 60_000);
    expect(read(await cache.get("a"))).toBe("y");
  });

  it("costs milliseconds, not seconds, when Redis is gone; and heals by itself, with the gap told", async () => {
    await redis.kill();
    await expect.poll(() => isUp(cache)).toBe(false);
    expect(await slowCalls(() => cache.get("a"))).toBeLessThanOrEqual(FEW);
    expect(await cache.get("a")).toBeUndefined();
    for (let i = 0; i < 1_000; i++) bus.publish("news", text("lost"));
    // A message may be on its way to a connection that is just found dead: it counts when that is known.
    await expect.poll(() => bus.stats().dropped).toBeGreaterThanOrEqual(1_000);
    expect(await bus.audience("news")).toBe(0);
    const gapsBefore = gaps.length;
    await redis.start();
    await expect.poll(() => gaps.length).toBeGreaterThan(gapsBefore);
    await expect.poll(() => isUp(cache)).toBe(true);
    await cache.set("a", text("again"), 60_000);
    expect(read(await cache.get("a"))).toBe("again");
    await expect.poll(() => bus.audience("news")).toBe(1);
    bus.publish("news", text("back"));
    await expect.poll(() => got.at(-1)).toBe("back");
  });

  it("slows no more than a few calls when Redis hangs, and is used again afterwards", async () => {
    redis.pause();
    expect(await slowCalls(() => cache.get("a"))).toBeLessThanOrEqual(FEW);
    await expect(cache.ping(200)).rejects.toThrow();
    redis.resume();
    await expect.poll(() => isUp(cache)).toBe(true);
    const used = async () => {
      await cache.set("b", text("z"), 60_000);
      return read(await cache.get("b"));
    };
    await expect.poll(used).toBe("z");
  });

  it("lets a subscription begin while Redis is gone, and tells of the gap when it is back", async () => {
    await redis.kill();
    await expect.poll(() => isUp(cache)).toBe(false);
    const heard: string[] = [];
    const told: string[] = [];
    await bus.subscribe(
      "late",
      (message) => heard.push(read(message)!),
      () => told.push("gap"),
    );
    expect(told).toEqual([]);
    await redis.start();
    await expect.poll(() => told).toEqual(["gap"]);
    await expect.poll(() => bus.audience("late")).toBe(1);
    bus.publish("late", text("hello"));
    await expect.poll(() => heard).toEqual(["hello"]);
  });
});

/** Of many calls, one after another: those that waited for an answer, which none comes for. */
async function slowCalls(call: () => Promise<unknown>): Promise<number> {
  let slow = 0;
  for (let i = 0; i < 200; i++) {
    const beganMs = performance.now();
    await call();
    if (performance.now() - beganMs >= SLOW_MS) slow++;
  }
  return slow;
}

async function isUp(cache: Cache): Promise<boolean> {
  return await cache.ping(500).then(
    () => true,
    () => false,
  );
}
