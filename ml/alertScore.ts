/** What a user of the default settings gets: alerts against labelled events. */
import { DAY_US, HOUR_US } from "../server/lib/time.ts";
import { IGNORED, type LabelledSet } from "./labelled.ts";
import { median } from "./median.ts";
import type { Played } from "./play.ts";

/** Counts of one series, so that several add up. */
interface SeriesAlerts {
  readonly right: number;
  readonly wrong: number;
  readonly days: number;
  /** Of each event met in it: readings from its start to the first abnormal one, hours an alert stays open after its end, alerts. */
  readonly met: ReadonlyMap<number, { readonly delay: number; readonly openHours: number; readonly alerts: number }>;
}

export interface AlertFigures {
  readonly recall: number;
  readonly precision: number;
  readonly falsePerDay: number;
  /** Median readings from an event's start to the first abnormal one. */
  readonly delay: number;
  /** Median hours for which an alert stays open after the event's end. */
  readonly openHours: number;
  readonly alertsPerEvent: number;
}

/** @param played of each series of the set; silence does not count here. */
export function alertsOf(set: LabelledSet, played: readonly Played[]): SeriesAlerts[] {
  return set.series.map((_, k) => alertsOfSeries(set, k, played[k]!));
}

function alertsOfSeries(set: LabelledSet, k: number, { anomaly, alerts }: Played): SeriesAlerts {
  const { owner, timeUs, start } = set.series[k]!;
  const met = new Map<number, { delay: number; openHours: number; alerts: number }>();
  const spans = spansOf(owner);
  let [right, wrong] = [0, 0];
  let i = start;
  for (const alert of alerts.filter((a) => !a.silence && a.openedUs >= timeUs[start]!)) {
    let [hit, ignored] = [false, false];
    while (timeUs[i]! < alert.openedUs) i++;
    const opening = owner[i]!;
    for (; i < owner.length && timeUs[i]! <= alert.lastSeenUs; i++) {
      if (anomaly[i] === 0) continue;
      const event = owner[i]!;
      if (event === IGNORED) ignored = true;
      if (event < 0 || !set.events[event]!.counts) continue;
      hit = true;
      const span = spans.get(event)!;
      const open = Math.max(0, alert.closedUs - timeUs[span.last]!) / HOUR_US;
      const known = met.get(event);
      if (known === undefined) met.set(event, { delay: i - span.first, openHours: open, alerts: 1 });
      else known.openHours = Math.max(known.openHours, open);
      if (known !== undefined && event === opening && timeUs[i] === alert.openedUs) known.alerts++;
    }
    if (hit) right++;
    else if (!ignored) wrong++;
  }
  return { right, wrong, days: (timeUs.at(-1)! - timeUs[start]!) / DAY_US, met };
}

function spansOf(owner: Int32Array): Map<number, { first: number; last: number }> {
  const spans = new Map<number, { first: number; last: number }>();
  owner.forEach((event, i) => {
    if (event < 0) return;
    const span = spans.get(event);
    if (span === undefined) spans.set(event, { first: i, last: i });
    else span.last = i;
  });
  return spans;
}

/** Figures over the series drawn (an index each); all, where none are given. */
export function alertFigures(
  set: LabelledSet,
  series: readonly SeriesAlerts[],
  drawn: readonly number[] = series.map((_, k) => k),
): AlertFigures {
  const weights = weightsOf(set, drawn);
  let [right, wrong, days] = [0, 0, 0];
  const events = new Map<number, { delay: number; openHours: number; alerts: number }>();
  for (const k of drawn) {
    const { met, ...own } = series[k]!;
    right += own.right;
    wrong += own.wrong;
    days += own.days;
    for (const [event, { delay, openHours, alerts }] of met) {
      const known = events.get(event) ?? { delay, openHours: 0, alerts: 0 };
      known.delay = Math.min(known.delay, delay);
      known.openHours = Math.max(known.openHours, openHours);
      known.alerts = Math.max(known.alerts, alerts);
      events.set(event, known);
    }
  }
  const weightOf = (event: number) => weights.get(set.events[event]!.group) ?? 0;
  const found = [...events.values()];
  return {
    recall:
      sumOf([...events.keys()].map(weightOf)) /
      sumOf(set.events.map(({ counts }, event) => (counts ? weightOf(event) : 0))),
    precision: right / (right + wrong),
    falsePerDay: wrong / days,
    delay: median(found.map(({ delay }) => delay)),
    openHours: median(found.map(({ openHours }) => openHours)),
    alertsPerEvent: sumOf(found.map(({ alerts }) => alerts)) / found.length,
  };
}

/** How often each group counts: the share of its series that were drawn, each as often as it was. */
function weightsOf(set: LabelledSet, drawn: readonly number[]): Map<string, number> {
  const sizes = Map.groupBy(set.series, ({ group }) => group);
  const weights = new Map<string, number>();
  for (const k of drawn) {
    const { group } = set.series[k]!;
    weights.set(group, (weights.get(group) ?? 0) + 1 / sizes.get(group)!.length);
  }
  return weights;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0);
}
