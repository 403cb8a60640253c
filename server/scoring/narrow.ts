/**
 * Finds what the store refuses in a commit, by trials of parts of it that are taken back: readings first, in the order of the log, then
 * alerts, then what people did. What is found is to be set aside, and its partition opened again without it.
 */

import { copyPoint } from "../store/points.ts";
import type { Commit, RefusedError, Store } from "../store/store.ts";
import { pack, Rows } from "./rows.ts";

export interface Attempt {
  readonly commit: Commit;
  readonly rows: Rows;
  /** Rows from here on are late. */
  readonly firstLate: number;
  readonly model: number;
}

/** What is at fault: rows with the reason of each, or what people did. */
export interface Fault {
  readonly rows: ReadonlyMap<number, RefusedError>;
  readonly controls: RefusedError | undefined;
}

/** Readings of one series that are found one by one in a commit; past it the rest of them is taken for the same. Bounds the trials. */
const FOUND_OF_A_SERIES = 16;
/** Readings found at once; the partition goes on before the next ones are looked for. */
const FOUND_AT_ONCE = 256;

type Try = (commit: Commit) => Promise<RefusedError | undefined>;

/** Answers with nothing where neither readings nor controls are at fault. */
export async function narrow(attempt: Attempt, store: Pick<Store, "tryCommit">): Promise<Fault> {
  const trial: Try = (commit) => store.tryCommit(commit);
  const { alerts, events, settings, labels, deletions, retirements, placements } = attempt.commit;
  const all = Array.from({ length: attempt.rows.points.length }, (_, i) => i);
  const none = { rows: new Map(), controls: undefined };
  if (await trial(partOf(attempt, []))) return none;
  const rows = await refusedRows(attempt, all, trial);
  if (rows.size > 0) return { rows, controls: undefined };
  const readings = partOf(attempt, all);
  const byAlert = await refusedAlert(attempt, readings, trial);
  if (byAlert !== undefined) return byAlert;
  const rest = {
    ...{ ...(labels && { labels }), ...(deletions && { deletions }) },
    ...{ ...(retirements && { retirements }), ...(placements && { placements }) },
  };
  const controls = await trial({ ...readings, alerts, events, settings, ...rest });
  return { rows: new Map(), controls };
}

/** The smallest readings, in the order of the log, without which the others are taken. */
async function refusedRows(attempt: Attempt, all: readonly number[], trial: Try): Promise<Map<number, RefusedError>> {
  const { series } = attempt.rows;
  const found = new Map<number, RefusedError>();
  const ofSeries = new Map<number, number>();
  let good: number[] = [];
  let rest = [...all];
  while (rest.length > 0 && found.size < FOUND_AT_ONCE) {
    const refused = await trial(partOf(attempt, [...good, ...rest]));
    if (refused === undefined) break;
    const { at, why } = await firstRefused(rest, refused, (n) =>
      trial(partOf(attempt, [...good, ...rest.slice(0, n)])),
    );
    const { id } = series[rest[at]!]!;
    found.set(rest[at]!, why);
    good = [...good, ...rest.slice(0, at)];
    rest = rest.slice(at + 1);
    const times = (ofSeries.get(id) ?? 0) + 1;
    ofSeries.set(id, times);
    if (times < FOUND_OF_A_SERIES) continue;
    for (const row of rest) if (series[row]!.id === id) found.set(row, why);
    rest = rest.filter((row) => series[row]!.id !== id);
  }
  return found;
}

/** The place of the first of the list with which it is refused, where all of it is. */
async function firstRefused(
  list: readonly unknown[],
  refused: RefusedError,
  first: (n: number) => Promise<RefusedError | undefined>,
): Promise<{ at: number; why: RefusedError }> {
  let why = refused;
  let [taken, over] = [0, list.length];
  while (over - taken > 1) {
    const middle = Math.floor((taken + over) / 2);
    const result = await first(middle);
    if (result === undefined) taken = middle;
    else [over, why] = [middle, result];
  }
  return { at: over - 1, why };
}

/** The reading that opened or changed an alert that is refused. */
async function refusedAlert(attempt: Attempt, readings: Commit, trial: Try): Promise<Fault | undefined> {
  const { alerts, events } = attempt.commit;
  const first = (n: number) => {
    const some = alerts.slice(0, n);
    const ids = new Set(some.map(({ id }) => id));
    return trial({ ...readings, alerts: some, events: events.filter(({ alertId }) => ids.has(alertId)) });
  };
  const refused = await first(alerts.length);
  if (refused === undefined) return undefined;
  const { at, why } = await firstRefused(alerts, refused, first);
  const { id, sensorId } = alerts[at]!;
  const { points, series } = attempt.rows;
  let row = points.id.subarray(0, points.length).indexOf(id);
  for (let i = 0; row < 0 && i < points.length; i++) {
    if (points.anomaly[i] === 1 && series[i]!.sensorId === sensorId) row = i;
  }
  for (let i = points.length - 1; row < 0 && i >= 0; i--) if (series[i]!.sensorId === sensorId) row = i;
  return row >= 0 ? { rows: new Map([[row, why]]), controls: undefined } : { rows: new Map(), controls: why };
}

/** A commit of some of the readings, in rising order, with nothing beside them. */
function partOf({ commit, rows, firstLate, model }: Attempt, chosen: readonly number[]): Commit {
  const part = new Rows(Math.max(1, chosen.length));
  part.clear(chosen.length);
  let late = 0;
  for (const i of chosen) {
    part.series.push(rows.series[i]!);
    copyPoint(rows.points, i, part.points);
    if (i >= firstLate) late++;
  }
  const packed = pack(part, chosen.length - late, model);
  const metadata = chosen.flatMap((i) => {
    const struct = rows.metadata.get(i);
    return struct === undefined ? [] : [{ series: rows.series[i]!.id, observedUs: rows.points.timeUs[i]!, struct }];
  });
  const { partition, expectedOffset, next } = commit;
  return {
    ...{ partition, expectedOffset, next, metadata, readings: chosen.length, anomalies: packed.anomalies, late },
    ...{
      blocks: packed.blocks,
      changes: packed.changes,
      alerts: [],
      events: [],
      chunks: [],
      settings: [],
      outcomes: [],
    },
  };
}
