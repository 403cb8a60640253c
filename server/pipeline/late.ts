import { MARK_LATE } from "../store/points.ts";
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
}

/**
 * Late readings: those that the sensor does not have yet become rows, flagged and unscored; the others change nothing. Everything
 * before this run must be stored.
 */
export async function placeLate(
  late: readonly LateReading[],
  rows: Rows,
  store: Pick<Store, "valuesAt">,
  series: SeriesBook,
): Promise<void> {
  const firstLate = rows.points.length;
  const bySlot = new Map<number, LateReading[]>();
  for (const l of late) {
    const list = bySlot.get(l.series.slot);
    if (list === undefined) bySlot.set(l.series.slot, [l]);
    else list.push(l);
  }
  for (const [slot, list] of bySlot) {
    const wanted = list.map((l) => l.timeUs);
    const known = await store.valuesAt(
      series.ofSlot(slot).map((s) => s.id),
      wanted,
    );
    // Rows of this very batch are not stored yet.
    for (let i = 0; i < firstLate; i++) {
      if (rows.batch.slot[i] === slot) known.set(rows.points.timeUs[i]!, rows.points.value[i]!);
    }
    for (const l of list) place(l, known, rows);
  }
}

function place(l: LateReading, known: Map<number, number>, rows: Rows): void {
  const there = known.get(l.timeUs);
  if (there !== undefined) {
    compare(l.outcome, l.index, l.series.sensorId, l.timeUs, l.value, there);
    return;
  }
  known.set(l.timeUs, l.value);
  const row = rows.add(l.series, l.timeUs, l.value, l.id, MARK_LATE);
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
