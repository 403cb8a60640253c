/** Settings that hold wherever a partition is opened again: what tests of them have in common. */
import { expect } from "vitest";
import { fsck } from "../server/store/fsck.ts";
import type { Bench } from "./owner-bench.ts";

/** How many alerts there are, by "<sensor> <detector>". */
export async function alertCounts({ sql }: Bench): Promise<Map<string, number>> {
  const rows = await sql`select sensor_id, detector, count(*)::int as n from alert group by 1, 2 order by 1, 2`;
  return new Map(rows.map((r) => [`${r.sensor_id} ${r.detector}`, r.n as number]));
}

/** Those of one sensor. */
export function ofSensor(found: Map<string, number>, sensor: string): string[] {
  return [...found.keys()].filter((key) => key.startsWith(`${sensor} `));
}

/** Appends all of them in pieces, behind each of which the log loses what is stored and another owner goes on from saved state. */
export async function appendTorn(bench: Bench, records: readonly Uint8Array[]): Promise<void> {
  for (let i = 0; i < records.length; i += 33) {
    await bench.append(records.slice(i, i + 33), 7);
    bench.oldest = await bench.released();
    await bench.resume();
    expect(bench.recovery).toBe("loaded");
  }
  expect(bench.oldest).toBeGreaterThan(4);
  expect((await fsck(bench.url)).problems).toEqual([]);
}

/** Appends all of them; from the record at `turn` on another model goes on, with the `whole` log or where that has lost what is stored. */
export async function appendToOtherModel(
  bench: Bench,
  records: readonly Uint8Array[],
  { turn, whole }: { turn: number; whole: boolean },
): Promise<void> {
  await bench.append(records.slice(0, turn), 20);
  if (!whole) bench.oldest = await bench.released();
  bench.model = "other";
  await bench.resume();
  expect(bench.recovery).toBe(whole ? "rebuilt" : "warmed");
  await bench.append(records.slice(turn), 20);
}
