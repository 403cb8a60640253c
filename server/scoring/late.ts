import type { Store } from "../store/store.ts";
import { compare, type OpenOutcome } from "./open-outcome.ts";
import type { Rows } from "./rows.ts";
import type { Series } from "./sensors.ts";
import type { SeriesBook } from "./series.ts";

/** A reading behind its sensor's newest. */
export interface LateReading {
  readonly struct: Uint8Array | undefined;
  readonly series: Series;
  readonly timeUs: number;
  readonly value: number;
  readonly id: number;
  readonly index: number;
  readonly outcome: OpenOutcome;
  /** MARK_LATE, with MARK_SERVER_TIME where the time is the server's. */
  readonly mark: number;
}

/**
 * Late readings: those that the sensor does not have yet become rows, flagged and unscored; the others change nothing. Everything
 * before this run must be stored.
 */
export async function placeLate(
  late: readonly LateReading[],
  rows: Rows,
  store: Pick<Store, "valuesAt">,
  book: SeriesBook,
): Promise<void> {
  await eachSensor(late, { rows, store, book }, (readings, known) => {
    for (const l of readings) place(l, known, rows);
  });
}

/** Where values are: rows of this very run are not stored yet. */
export interface Places {
  readonly rows: Rows;
  readonly store: Pick<Store, "valuesAt">;
  readonly book: SeriesBook;
}

/** Visits the points sensor by sensor, with the values that the sensor has at their times. */
export async function eachSensor<T extends { readonly series: Series; readonly timeUs: number }>(
  points: readonly T[],
  { rows, store, book }: Places,
  visit: (points: readonly T[], known: Map<number, number>) => void,
): Promise<void> {
  const unsaved = rows.points.length;
  for (const [slot, list] of Map.groupBy(points, ({ series }) => series.slot)) {
    const known = await store.valuesAt(
      book.ofSlot(slot).map((s) => s.id),
      list.map(({ timeUs }) => timeUs),
    );
    for (let i = 0; i < unsaved; i++) {
      if (rows.batch.slot[i] === slot) known.set(rows.points.timeUs[i]!, rows.points.value[i]!);
    }
    visit(list, known);
  }
}

function place(l: LateReading, known: Map<number, number>, rows: Rows): void {
  const there = known.get(l.timeUs);
  if (there !== undefined) {
    compare(l.outcome, l.index, l.timeUs, l.value, there);
    return;
  }
  known.set(l.timeUs, l.value);
  const row = rows.add(l.series, l.timeUs, l.value, l.id, l.mark);
  rows.from(row, l.outcome, l.index);
  unscored(rows, row);
  if (l.struct !== undefined) rows.metadata.set(row, l.struct);
  l.outcome.tally.accepted++;
  l.outcome.tally.late++;
  if (l.outcome.fragment.echo) l.outcome.echo.push({ row, index: l.index });
}

function unscored({ points: p }: Rows, i: number): void {
  p.confidence[i] = 0;
  p.score[i] = 0;
  p.anomaly[i] = 0;
  p.reason[i] = 0;
  p.expected[i] = Number.NaN;
  p.band[i] = Number.NaN;
}
