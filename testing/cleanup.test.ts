import { afterAll, describe, expect, test } from "vitest";
import { cleanupAfterAll } from "./cleanup.ts";

describe("what comes after the tests that have started it", () => {
  const ended: string[] = [];
  const late = Promise.withResolvers<{ stop(): Promise<unknown> }>();
  const one = (name: string) => ({ stop: async () => void ended.push(name) });
  // Those that are named later run first.
  afterAll(() => expect(ended).toEqual(["second", "first", "late"]));
  const { add, started } = cleanupAfterAll();

  test("is ended too, beside what did not start", async () => {
    await started(Promise.resolve(one("first")));
    add(async () => late.resolve(one("late")));
    await started(Promise.resolve(one("second")));
    const all = Promise.all([started(late.promise), started(Promise.reject(new Error("no room")))]);
    await expect(all).rejects.toThrow("no room");
  });
});
