import { describe, expect, test } from "vitest";
import { SharedLook } from "./shared-look.ts";

/** Looks that end when the test says so. */
function held() {
  const ends: PromiseWithResolvers<number>[] = [];
  const look = new SharedLook(() => {
    const end = Promise.withResolvers<number>();
    ends.push(end);
    return end.promise;
  });
  return { ends, look };
}

describe("a shared look", () => {
  test("gives whoever asks while one runs the next one, and all of them the same", async () => {
    const { ends, look } = held();
    const first = look.fresh();
    const second = look.fresh();
    const third = look.fresh();
    expect(ends.length).toBe(1);
    ends[0]!.resolve(1);
    expect(await first).toBe(1);
    await expect.poll(() => ends.length).toBe(2);
    ends[1]!.resolve(2);
    expect(await Promise.all([second, third])).toEqual([2, 2]);
    expect(ends.length).toBe(2);
    expect(look.isRunning).toBe(false);
  });

  test("that fails, fails for those who asked for it and no one else", async () => {
    const { ends, look } = held();
    const first = look.fresh();
    const second = look.fresh();
    ends[0]!.reject(new Error("no connection"));
    await expect(first).rejects.toThrow("no connection");
    await expect.poll(() => ends.length).toBe(2);
    ends[1]!.resolve(2);
    expect(await second).toBe(2);
  });

  test("that has ended begins anew", async () => {
    const { ends, look } = held();
    const first = look.fresh();
    ends[0]!.resolve(1);
    await first;
    await look.ended();
    const second = look.fresh();
    expect(ends.length).toBe(2);
    ends[1]!.resolve(2);
    expect(await second).toBe(2);
  });
});
