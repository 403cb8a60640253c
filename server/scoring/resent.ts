/** Batches that came before: their sender gets again which of their readings were not stored. */
import { type LoggedRecord, readInt64 } from "../log/record/decode.ts";
import type { Store } from "../store/store.ts";
import { eachSensor } from "./late.ts";
import { describeConflict, isFull, type OpenOutcome } from "./open-outcome.ts";
import type { Rows } from "./rows.ts";
import type { Series } from "./sensors.ts";
import type { SeriesBook } from "./series.ts";

export interface Resent {
  readonly record: LoggedRecord;
  readonly outcome: OpenOutcome;
}

interface Point {
  readonly series: Series;
  readonly timeUs: number;
  readonly value: number;
  readonly index: number;
}

/**
 * Describes the conflicts of resent batches as the first answer did, by looking at what is stored. Counts are those of the first copy
 * and stay. Everything before this run must be stored, and its late readings placed.
 */
export async function describeResent(
  resent: readonly Resent[],
  rows: Rows,
  store: Pick<Store, "valuesAt">,
  book: SeriesBook,
): Promise<void> {
  for (const { record, outcome } of resent) {
    if (outcome.tally.conflicting === 0) continue;
    await eachSensor(timedPoints(record, outcome, book), { rows, store, book }, (points, known) => {
      for (const { timeUs, value, index } of points) {
        const there = known.get(timeUs);
        if (there === undefined || there === value || isFull(outcome)) continue;
        describeConflict(outcome, index, timeUs, value, there);
      }
    });
  }
}

/** Readings without a time of their own conflict with nothing. */
function timedPoints({ view }: LoggedRecord, { fragment }: OpenOutcome, book: SeriesBook): Point[] {
  return fragment.runs.flatMap((run) => {
    const series = run.timesAt < 0 ? undefined : book.get(run.key);
    if (series === undefined) return [];
    return Array.from({ length: run.count }, (_, i) => ({
      series,
      timeUs: readInt64(view, run.timesAt + 8 * i),
      value: view.getFloat64(run.valuesAt + 8 * i, true),
      index: run.firstIndex + i,
    }));
  });
}
