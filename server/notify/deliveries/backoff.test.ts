import { expect, test } from "vitest";
import { Random } from "../../../testing/random.ts";
import { nextAttemptMs } from "./backoff.ts";

test("waits double up to five minutes, and the last attempt is when the time is over", () => {
  const at = (attempts: number, untilMs = 1e9) => nextAttemptMs(attempts, { untilMs }, 1);
  expect([1, 2, 3, 9, 10, 40].map((attempts) => at(attempts))).toEqual([
    1_000, 2_000, 4_000, 256_000, 300_000, 300_000,
  ]);
  expect(at(8, 45_000)).toBe(45_000);
  expect(at(8, 0)).toBeUndefined();
});

test("what the other side asks for is kept to, and nobody waits for more than there is", () => {
  expect(nextAttemptMs(1, { afterMs: 90_000, untilMs: 100_000 }, 0)).toBe(90_000);
  expect(nextAttemptMs(1, { afterMs: 110_000, untilMs: 100_000 }, 0)).toBeUndefined();
});

test("messages of an outage do not return together, and none is tried after its time", () => {
  const seed = Number(process.env.TELLTALE_SEED ?? Date.now() % 1_000_000);
  const random = new Random(seed);
  for (let round = 0; round < 1_000; round++) {
    let leftMs = 300_000;
    let attempts = 0;
    for (;;) {
      attempts += 1;
      const waitMs = nextAttemptMs(attempts, { untilMs: leftMs }, random.next());
      if (waitMs === undefined) break;
      expect(waitMs, `TELLTALE_SEED=${seed}`).toBeGreaterThan(0);
      leftMs -= waitMs;
      expect(leftMs, `TELLTALE_SEED=${seed}`).toBeGreaterThanOrEqual(0);
    }
    expect(leftMs).toBe(0);
    expect(attempts).toBeLessThan(15);
  }
});
