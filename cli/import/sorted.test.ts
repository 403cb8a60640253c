import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import type { Row } from "./row.ts";
import { sortRows } from "./sorted.ts";

const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("telltale-import-"));

test("rows come out in the order of time, those of equal time in their own, also when they do not fit into memory", async () => {
  const row = (observedAtUs: number, n: number): Row => ({
    where: `line ${n}`,
    reading: { sensorId: "s", sensorType: "t", unit: "C", value: n, observedAtUs },
  });
  const rows = Array.from({ length: 1000 }, (_, n) => row((n * 7919) % 100, n));
  const wanted = [...rows].sort((a, b) => a.reading.observedAtUs - b.reading.observedAtUs);
  const before = folders();
  for (const piece of [10_000, 1000, 64, 1]) {
    const sorted = await sortRows(
      (async function* () {
        yield* rows;
      })(),
      piece,
    );
    expect(sorted.count).toBe(1000);
    // Nothing is left behind where the process ends now.
    expect(folders()).toEqual(before);
    expect(await Array.fromAsync(sorted)).toEqual(wanted);
    await sorted.dispose();
  }
  expect(folders()).toEqual(before);
});
