import { expect, test } from "vitest";
import { FairQueue } from "./fair-queue.ts";

const never = new AbortController().signal;

const refusal = (waiting: number) => new Error(`${waiting} wait already`);

function queueOf(atOnce = 1, maxWaiting = 1_000) {
  let now = 0;
  const queue = new FairQueue({ atOnce, maxWaiting, refusal, nowMs: () => now });
  const order: string[] = [];
  const ask = (flow: string, name: string, takesMs: number, cost = takesMs) =>
    queue.run(flow, cost, never, async () => {
      order.push(name);
      await Promise.resolve();
      now += takesMs;
    });
  return { queue, order, ask };
}

test("an honest caller comes next, however much another has waiting", async () => {
  const { order, ask } = queueOf();
  const hostile = Array.from({ length: 200 }, (_, i) => ask("hostile", `hostile ${i}`, 50));
  await ask("honest", "honest", 1);
  expect(order.indexOf("honest")).toBeLessThanOrEqual(2);
  await Promise.all(hostile);
  expect(order).toHaveLength(201);
});

test("ten hostile callers leave an eleventh its share", async () => {
  const { order, ask } = queueOf();
  const hostile = Array.from({ length: 10 }, (_, caller) =>
    Array.from({ length: 20 }, () => ask(`hostile ${caller}`, "hostile", 50)),
  ).flat();
  for (let call = 0; call < 5; call++) await ask("honest", "honest", 1);
  // Each of its calls waits for one round of the others at most.
  expect(order.lastIndexOf("honest")).toBeLessThanOrEqual(5 * 11);
  await Promise.all(hostile);
});

test("what a call took is charged, whatever was expected", async () => {
  const { order, ask } = queueOf();
  const all = [
    ...Array.from({ length: 20 }, () => ask("says little", "slow", 100, 1)),
    ...Array.from({ length: 20 }, () => ask("is small", "quick", 1)),
  ];
  for (let i = 0; i < 20; i++) all.push(ask("says little", "slow", 100, 1));
  await Promise.all(all);
  expect(order.slice(0, 30).filter((name) => name === "quick").length).toBeGreaterThan(10);
});

test("a flow with too much waiting is refused, and others are not", async () => {
  const { queue, ask } = queueOf(1, 3);
  const blocked = Promise.withResolvers<void>();
  const running = queue.run("a", 1, never, () => blocked.promise);
  const waiting = [ask("a", "1", 1), ask("a", "2", 1), ask("a", "3", 1)];
  await expect(ask("a", "4", 1)).rejects.toThrow("wait already");
  const other = ask("b", "b", 1);
  blocked.resolve();
  await Promise.all([running, ...waiting, other]);
});

test("a call that is given up while it waits takes no turn", async () => {
  const { queue, order, ask } = queueOf();
  const blocked = Promise.withResolvers<void>();
  const running = queue.run("a", 1, never, () => blocked.promise);
  const controller = new AbortController();
  const gone = queue.run("a", 1, controller.signal, async () => order.push("gone"));
  const next = ask("a", "next", 1);
  controller.abort(new Error("gone"));
  await expect(gone).rejects.toThrow("gone");
  blocked.resolve();
  await Promise.all([running, next]);
  expect(order).toEqual(["next"]);
});
