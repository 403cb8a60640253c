/** A log gives the same however it is read. */
import fc from "fast-check";
import { Bench } from "./owner-bench.ts";

/**
 * Checks a bench of its own after each way to take the records: cut into runs, by owners that die at some of the records.
 *
 * @param runs how often, and ways to begin with: a cut, and the places of deaths
 */
export async function forAnyCut(
  records: readonly Uint8Array[],
  { url, check }: { readonly url: string; readonly check: (bench: Bench) => Promise<void> },
  runs: { readonly numRuns: number; readonly examples?: [number, number[]][] },
): Promise<void> {
  const cuts = fc.integer({ min: 1, max: 40 });
  const places = fc.array(fc.nat(records.length), { maxLength: 6 });
  const way = fc.asyncProperty(cuts, places, async (cut, deaths) => {
    const bench = await Bench.open(url);
    try {
      await bench.appendThroughDeaths(records, cut, deaths);
      await check(bench);
    } finally {
      await bench.close();
    }
  });
  await fc.assert(way, runs);
}
