import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

test("what is used comes back at the rate, up to a second's worth, and a debt takes its time", () => {
  let now = 5_000;
  const bucket = new TokenBucket(100, () => now);
  expect(bucket.left).toBe(100);
  bucket.use(75);
  expect(bucket.left).toBe(25);
  now += 500;
  expect(bucket.left).toBe(75);
  now += 60_000;
  expect(bucket.left).toBe(100);
  expect(bucket.owedMs).toBe(0);
  bucket.use(150);
  expect(bucket.owedMs).toBe(500);
  now += 500;
  expect(bucket.owedMs).toBe(0);
  expect(bucket.left).toBe(0);
});
