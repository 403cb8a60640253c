import { describe, expect, it } from "vitest";
import { manualClock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { Attempts } from "./attempts.ts";

/** Attempts on a clock that a wait moves on. */
function setup() {
  const clock = manualClock(1_000_000_000);
  const waits: number[] = [];
  const attempts = new Attempts(clock, async (milliseconds) => {
    waits.push(milliseconds);
    clock.advanceMs(milliseconds);
  });
  const good = new Set(["Bearer good", "Bearer new"]);
  const ask = (authorization: string | null, address = "192.0.2.1") =>
    attempts
      .check({ address, authorization }, async () => {
        if (authorization !== null && good.has(authorization)) return "in";
        throw new TelltaleError("unauthenticated", "no");
      })
      .catch((error: TelltaleError) => error.kind);
  const refuse = async (times: number, address?: string) => {
    for (let i = 0; i < times; i++) await ask(`Bearer ${i}`, address);
  };
  return { clock, waits, ask, refuse, attempts };
}

describe("credentials that are refused", () => {
  it("are refused at once for a while, then at twenty a second", async () => {
    const { clock, waits, refuse } = setup();
    await refuse(100);
    expect(waits).toEqual([]);
    const began = clock.monotonicMs();
    await refuse(101);
    expect(clock.monotonicMs() - began).toBeGreaterThan(4_500);
    expect(Math.max(...waits)).toBeLessThanOrEqual(3_000);
  });

  it("hold up none that was accepted before from the same address, and a new one only for its turn", async () => {
    const { waits, ask, refuse } = setup();
    expect(await ask("Bearer good")).toBe("in");
    await refuse(150);
    const before = waits.length;
    expect(await ask("Bearer good")).toBe("in");
    expect(waits.length).toBe(before);
    expect(await ask("Bearer new")).toBe("in");
    expect(await ask("Bearer new")).toBe("in");
    expect(waits.length).toBeLessThanOrEqual(before + 1);
  });

  it("of one address are nothing to another; of one IPv6 network they are one caller's", async () => {
    const { waits, ask, refuse } = setup();
    await refuse(120, "2001:db8::1");
    const before = waits.length;
    await ask("Bearer x", "192.0.2.9");
    await ask("Bearer x", "2001:db8:0:1::1");
    expect(waits.length).toBe(before);
    await ask("Bearer x", "2001:db8::ffff");
    expect(waits.length).toBe(before + 1);
  });

  it("are forgotten when they are paid for", async () => {
    const { clock, waits, refuse } = setup();
    await refuse(100);
    clock.advanceMs(10_000);
    await refuse(100);
    expect(waits).toEqual([]);
  });

  it("wait in a number that is bounded, and are refused unread beyond it and beyond three seconds", async () => {
    const clock = manualClock(1_000_000_000);
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const attempts = new Attempts(clock, () => gate);
    let read = 0;
    const ask = (i: number) =>
      attempts
        .check({ address: "192.0.2.1", authorization: `Bearer ${i}` }, async () => {
          read++;
          throw new TelltaleError("unauthenticated", "no");
        })
        .catch((error: TelltaleError) => [error.kind, error.retryAfterMs]);
    for (let i = 0; i < 101; i++) await ask(i);
    const crowd = Array.from({ length: 1_500 }, (_, i) => ask(1_000 + i));
    // Beyond the bound nobody waits.
    expect(await crowd[1_499]).toEqual(["exhausted", 3_000]);
    release();
    await Promise.all(crowd);
    // Sixty turns of 50 ms in three seconds, and who came before.
    expect(read).toBeLessThanOrEqual(101 + 62);
  });

  it("are counted for callers that do not say who they are, too", async () => {
    const { waits, ask } = setup();
    for (let i = 0; i < 101; i++) await ask(null);
    await ask(null);
    expect(waits.length).toBeGreaterThan(0);
  });

  it("count for nothing where the check itself failed", async () => {
    const { attempts, waits } = setup();
    for (let i = 0; i < 200; i++)
      await attempts
        .check({ address: "192.0.2.1", authorization: "Bearer x" }, async () => {
          throw new TelltaleError("unavailable", "later");
        })
        .catch(() => undefined); // what is asked is whether it counts
    expect(waits).toEqual([]);
  });
});
