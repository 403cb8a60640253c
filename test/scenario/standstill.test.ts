/** While the platform is down nobody is silent, wherever a partition's state is read again from. */
import { expect, test } from "vitest";
import { record, type Sent, tick } from "../../testing/owner-bench.ts";
import { alertCounts, appendTorn } from "../../testing/settings-bench.ts";
import { useBenches } from "../../testing/use-benches.ts";

const open = useBenches();

/** Seconds from one reading to the next, by sensor. */
const EVERY = { "every 1": 1, "every 2": 2, "every 15": 15, "every 60": 60, dies: 2, "dies meanwhile": 15 };
const MINUTES = 34;
/** From when to when the platform is down, seconds. */
const DOWN = [
  // Before the rhythm of most is known.
  [130, 190],
  [700, 705],
  [801, 809],
  [900, 914],
  [1011, 1051],
  [1500, 1508],
  [1800, 1930],
] as const;
const DIES = { dies: 1400, "dies meanwhile": 1505 };

/** A log with a time record each second that it runs. What was sent while it did not run is lost, and some senders come back late. */
function plant(): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let second = 0; second < MINUTES * 60; second++) {
    if (DOWN.some(([from, to]) => second >= from && second < to)) continue;
    const isBack = DOWN.every(([, to]) => second < to || second >= to + 4);
    const readings: Sent[] = Object.entries(EVERY)
      .filter(([sensor, every]) => second % every === 0 && second < (DIES[sensor as keyof typeof DIES] ?? Infinity))
      .filter(([, every]) => isBack || every > 2)
      .map(([sensor]) => ({ sensor, at: second, value: 20 + ((second * 7919) % 101) / 100 }));
    if (readings.length > 0) records.push(record(second + 0.2, [{ readings }]));
    records.push(tick(second + 0.5));
  }
  return records;
}

/** The place in the log of the first record after a time record, by its second. */
const behind = (records: readonly Uint8Array[], second: number) =>
  records.findIndex((bytes) => Buffer.compare(bytes, tick(second + 0.5)) === 0) + 1;

test("only what has died is told as silent, and reading the log again from any place gives the same", async () => {
  const records = plant();
  const whole = await open();
  await whole.append(records, 50);
  expect(await alertCounts(whole)).toEqual(
    new Map([
      ["dies silence", 1],
      ["dies meanwhile silence", 1],
    ]),
  );
  const wanted = await whole.everything();
  const torn = await open();
  await appendTorn(torn, records);
  expect((await torn.everything()) === wanted).toBe(true);
  // As the platform is ended each time: it leaves nothing to be read again.
  const ended = await open();
  let done = 0;
  for (const [second] of DOWN) {
    const next = behind(records, second - 1);
    await ended.append(records.slice(done, next), 50);
    await ended.owner.close();
    expect(await ended.restart()).toBe(next);
    // Killed as it goes on.
    await ended.append(records.slice(next, next + 1));
    await ended.resume();
    done = next + 1;
  }
  await ended.append(records.slice(done), 50);
  expect((await ended.everything()) === wanted).toBe(true);
}, 240_000);

test("a partition that a former version has stored does not take the upgrade for silence", async () => {
  const records = plant();
  const bench = await open();
  const next = behind(records, DOWN[2][0] - 1);
  await bench.append(records.slice(0, next), 50);
  await bench.owner.close();
  await bench.sql`update log_partition set replay_ticked_us = null`;
  expect(await bench.restart()).toBe(next);
  await bench.append(records.slice(next, next + 180), 50);
  expect(await alertCounts(bench)).toEqual(new Map());
}, 120_000);
