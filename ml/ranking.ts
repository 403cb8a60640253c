/** How well the signal ranks: recall of events at fixed numbers of false alarms. */
import { IGNORED, type LabelledSet } from "./labelled.ts";

/** False alarms per 10,000 readings at which recall is reported. */
export const BUDGETS: readonly number[] = [1, 2, 5];

/** What a set's signals say: each row that speaks outside what is ignored, highest first. */
export interface Ranked {
  readonly set: LabelledSet;
  readonly alarms: readonly { readonly signal: number; readonly event: number; readonly series: number }[];
  /** Rows of each series that are scored. */
  readonly scored: readonly number[];
}

/** @param signals of each series of the set. */
export function rank(set: LabelledSet, signals: readonly ArrayLike<number>[]): Ranked {
  const alarms: { signal: number; event: number; series: number }[] = [];
  const scored = set.series.map(({ owner, start }, k) => {
    let rows = 0;
    for (let i = start; i < owner.length; i++) {
      if (owner[i] === IGNORED) continue;
      rows++;
      const signal = signals[k]![i]!;
      if (signal > 0) alarms.push({ signal, event: owner[i]!, series: k });
    }
    return rows;
  });
  alarms.sort((a, b) => b.signal - a.signal);
  return { set, alarms, scored };
}

/** How often each series counts: all once, or as drawn for an interval. */
type Times = (series: number) => number;
const ONCE: Times = () => 1;

/** The lowest threshold at which a set keeps to so many false alarms per 10,000 readings. */
export function ownThreshold({ alarms, scored }: Ranked, budget: number, times: Times = ONCE): number {
  const limit = (budget * scored.reduce((sum, rows, k) => sum + rows * times(k), 0)) / 10_000;
  let falseAlarms = 0;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < alarms.length; i++) {
    const { signal, event, series } = alarms[i]!;
    if (event < 0) falseAlarms += times(series);
    if (falseAlarms > limit) return best;
    if (alarms[i + 1]?.signal !== signal) best = signal;
  }
  return best;
}

/** The lowest threshold at which the mean rate of false alarms over all sets keeps to the budget: each set weighs the same. */
export function commonThreshold(all: readonly Ranked[], budget: number): number {
  const alarms = all.flatMap(({ alarms: own, scored }) => {
    const share = 10_000 / scored.reduce((sum, rows) => sum + rows, 0) / all.length;
    return own.map(({ signal, event }) => ({ signal, rate: event < 0 ? share : 0 }));
  });
  alarms.sort((a, b) => b.signal - a.signal);
  let rate = 0;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < alarms.length; i++) {
    rate += alarms[i]!.rate;
    if (rate > budget * (1 + 1e-9)) return best;
    if (alarms[i + 1]?.signal !== alarms[i]!.signal) best = alarms[i]!.signal;
  }
  return best;
}

/** Events that count and are met at a threshold. */
function metAt({ set, alarms }: Ranked, threshold: number): Set<number> {
  const met = new Set<number>();
  for (const { signal, event } of alarms) {
    if (signal < threshold) break;
    if (event >= 0 && set.events[event]!.counts) met.add(event);
  }
  return met;
}

/** Share of a set's events that are met; with `times` each counts as often as its group's first series. */
function recallOf({ set }: Ranked, met: ReadonlySet<number>, times: Times = ONCE): number {
  const first = new Map<string, number>();
  set.series.forEach(({ group }, k) => {
    if (!first.has(group)) first.set(group, k);
  });
  let all = 0;
  let hit = 0;
  set.events.forEach(({ group, counts }, k) => {
    if (!counts) return;
    const weight = times(first.get(group)!);
    all += weight;
    if (met.has(k)) hit += weight;
  });
  return all === 0 ? Number.NaN : hit / all;
}

/** Recall at a set's own threshold, of series drawn (an index each); all, where none are given. */
export function ownRecall(ranked: Ranked, budget: number, drawn?: readonly number[]): number {
  const times = drawn === undefined ? ONCE : countsOf(drawn);
  return recallOf(ranked, metAt(ranked, ownThreshold(ranked, budget, times)), times);
}

function countsOf(drawn: readonly number[]): Times {
  const counts = new Map<number, number>();
  for (const k of drawn) counts.set(k, (counts.get(k) ?? 0) + 1);
  return (k) => counts.get(k) ?? 0;
}

export interface Ranking {
  /** Recall at each of BUDGETS at the set's own threshold, and at the one given for it. */
  readonly own: readonly number[];
  readonly common: readonly number[];
  /** At two false alarms per 10,000: recall of the first event of each group, and of those that follow one that was met. */
  readonly first: number;
  readonly repeated: number;
}

/** @param common the threshold of each of BUDGETS that all sets share. */
export function rankingOf(ranked: Ranked, common: readonly number[]): Ranking {
  const met = BUDGETS.map((budget) => metAt(ranked, ownThreshold(ranked, budget)));
  return {
    own: met.map((events) => recallOf(ranked, events)),
    common: common.map((threshold) => recallOf(ranked, metAt(ranked, threshold))),
    ...inTurn(ranked.set, met[BUDGETS.indexOf(2)]!),
  };
}

/** First events and later ones apart. */
function inTurn(set: LabelledSet, met: ReadonlySet<number>): { first: number; repeated: number } {
  const groups = Map.groupBy(
    set.events.map((event, k) => ({ ...event, k })).filter(({ counts }) => counts),
    ({ group }) => group,
  );
  let [firstMet, after, again] = [0, 0, 0];
  for (const events of groups.values()) {
    events.sort((a, b) => a.first - b.first);
    if (met.has(events[0]!.k)) firstMet++;
    let before = false;
    for (const { k } of events) {
      if (before) {
        after++;
        if (met.has(k)) again++;
      }
      before ||= met.has(k);
    }
  }
  return { first: firstMet / groups.size, repeated: again / after };
}
