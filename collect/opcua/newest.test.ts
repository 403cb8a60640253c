import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NewestTimes } from "./newest.ts";

/** Nothing is on its way to the spool. */
const STORED = { begun: 0, stored: 0 };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-newest-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Of a collector that listened until then. */
function listenedUntil(us: number): NewestTimes {
  const times = new NewestTimes(folder);
  for (const node of ["a", "b"]) times.saw(node, us);
  times.save(STORED);
  times.save(STORED);
  return times;
}

test("a gap that is read of one sensor begins where it did for the others, until it is closed", () => {
  const times = listenedUntil(1_000);
  const isMissing = (us: number) => ["a", "b"].map((id) => times.isMissing(id, us, 0));
  times.openGap();
  times.fill("a", 5_000);
  // The connection is lost again.
  times.openGap();
  expect([times.gapUs, isMissing(1_000), isMissing(1_001), isMissing(5_001)]).toEqual([
    ...[1_000, [false, false], [false, true], [true, true]],
  ]);
  times.closeGap();
  times.openGap();
  expect(times.gapUs).toBe(5_000);
});

test("what comes before a gap is read is not missing, and what is before it still is", () => {
  const times = listenedUntil(1_000);
  times.openGap();
  for (const us of [7_000, 8_000]) times.saw("a", us);
  expect([1_000, 1_001, 6_999, 7_000].map((us) => times.isMissing("a", us, 0))).toEqual([false, true, true, false]);
  // A loss in the middle: from the beginning of the gap on it is not known what has come.
  times.openGap();
  expect(times.isMissing("a", 8_001, 0)).toBe(true);
});

test("of a sensor that had no value before a gap all of it is missing, from when history is asked for", () => {
  const times = listenedUntil(1_000);
  times.openGap();
  expect([499, 500].map((us) => times.isMissing("new", us, 500))).toEqual([false, true]);
});

test("a start in the middle of a gap begins before it, and one behind it after it", () => {
  const times = listenedUntil(1_000);
  const atStart = () => {
    const next = new NewestTimes(folder);
    next.openGap();
    return next.gapUs;
  };
  times.openGap();
  times.fill("a", 5_000);
  times.save(STORED);
  times.save(STORED);
  expect(atStart()).toBe(1_000);
  times.closeGap();
  times.save(STORED);
  times.save(STORED);
  expect(atStart()).toBe(5_000);
});

test("before the first reading nothing is missing", () => {
  const times = new NewestTimes(folder);
  times.openGap();
  expect(times.gapUs).toBeUndefined();
  times.saw("a", 1_000);
  times.openGap();
  expect(times.gapUs).toBe(1_000);
});
