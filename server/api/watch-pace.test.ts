import { expect, test } from "vitest";
import { WatchPace } from "./watch-pace.ts";

const never = new AbortController().signal;

test("one second's budget is there at once, and what is beyond takes its time", async () => {
  const pace = new WatchPace(1_000);
  const began = performance.now();
  await pace.take("a", 1_000, never);
  await pace.take("a", 200, never);
  expect(performance.now() - began).toBeGreaterThanOrEqual(190);
});

test("a caller who takes much waits behind himself: others come in between", async () => {
  const pace = new WatchPace(10_000);
  await pace.take("much", 10_000, never);
  const order: string[] = [];
  const take = (caller: string, readings: number) => pace.take(caller, readings, never).then(() => order.push(caller));
  await Promise.all([...Array.from({ length: 5 }, () => take("much", 500)), take("little", 10)]);
  expect(order.indexOf("little")).toBeLessThanOrEqual(1);
});

test("a watch that ends while it waits leaves its turn", async () => {
  const pace = new WatchPace(1);
  const leaving = new AbortController();
  await pace.take("a", 1, never);
  const waits = pace.take("a", 100, leaving.signal);
  leaving.abort(new Error("gone"));
  await expect(waits).rejects.toThrow("gone");
});
