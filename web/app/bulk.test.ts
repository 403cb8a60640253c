import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { forEach } from "./bulk.ts";

test("what fails is named in order and does not stop the rest, and few calls are under way at once", async () => {
  const done: number[] = [];
  let [underWay, most] = [0, 0];
  const items = Array.from({ length: 20 }, (_, i) => i);
  const failures = await forEach(items, "Resolve", async (item) => {
    most = Math.max(most, ++underWay);
    await Promise.resolve();
    underWay--;
    if (item % 7 === 3) throw new ConnectError(`no ${item}`, Code.NotFound);
    done.push(item);
  });
  expect(failures.map(({ of, problem }) => `${of}: ${problem.title}, ${problem.text}`)).toEqual([
    "3: Resolve: not found, no 3.",
    "10: Resolve: not found, no 10.",
    "17: Resolve: not found, no 17.",
  ]);
  expect(done).toHaveLength(17);
  expect(most).toBe(3);
});

test("what is left begins at once where there is no later", async () => {
  const begun: number[] = [];
  const { promise: end, resolve } = Promise.withResolvers<void>();
  const hurry = new AbortController();
  const act = (item: number) => {
    begun.push(item);
    return end;
  };
  const all = forEach([1, 2, 3, 4, 5, 6], "It", act, hurry.signal);
  expect(begun).toEqual([1, 2, 3]);
  hurry.abort();
  expect(begun).toEqual([1, 2, 3, 4, 5, 6]);
  resolve();
  expect(await all).toEqual([]);
});
