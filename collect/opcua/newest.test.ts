import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NewestTimes } from "./newest.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-newest-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Of a collector that listened until then. */
function listenedUntil(us: number): NewestTimes {
  const times = new NewestTimes(folder);
  for (const node of ["a", "b"]) times.saw(node, us);
  times.save();
  times.save();
  return times;
}

test("a gap that is read of one node begins where it did for the others, until it is closed", () => {
  const times = listenedUntil(1_000);
  times.openGap();
  times.saw("a", 5_000);
  // The connection is lost again.
  times.openGap();
  expect([times.gapUs, times.of("a"), times.of("b")]).toEqual([1_000, 5_000, 1_000]);
  times.closeGap();
  times.openGap();
  expect(times.gapUs).toBe(5_000);
});

test("a start in the middle of a gap begins before it, and one behind it after it", () => {
  const times = listenedUntil(1_000);
  const atStart = () => {
    const next = new NewestTimes(folder);
    next.openGap();
    return next.gapUs;
  };
  times.openGap();
  times.saw("a", 5_000);
  times.save();
  times.save();
  expect(atStart()).toBe(1_000);
  times.closeGap();
  times.save();
  times.save();
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
