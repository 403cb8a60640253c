/** All labelled sets in one table: how well the signal ranks, and what alerts a user gets by default. */
import { type AlertFigures, alertFigures, alertsOf } from "./alertScore.ts";
import type { LabelledSet } from "./labelled.ts";
import type { Played } from "./play.ts";
import { BUDGETS, commonThreshold, ownRecall, type Ranking, rank, rankingOf } from "./ranking.ts";

/** Sets that span less than so many sensor-days say nothing about alerts a day. */
const LEAST_DAYS = 30;
/** False alarms per 10,000 readings of the interval that is shown. */
const BUDGET = 2;

/** A set, and its series as they were played. */
export interface PlayedSet {
  readonly set: LabelledSet;
  readonly played: readonly Played[];
  /** Whether it takes part in the common threshold and in the mean. */
  readonly family: boolean;
}

interface SetFigures {
  readonly ranking: Ranking;
  readonly alerts: AlertFigures;
  readonly days: number;
}

/** Draws of so many assets. */
type Bootstrap = (assets: number, figure: (drawn: readonly number[]) => number) => string;

/** Sections of Markdown: the sets one by one, and the mean over the families. */
export function wholeTable(sets: readonly PlayedSet[], bootstrap: Bootstrap): string[] {
  const ranked = sets.map(({ set, played }) =>
    rank(
      set,
      played.map((p) => p.signal),
    ),
  );
  const families = ranked.filter((_, k) => sets[k]!.family);
  const shared = families.length > 0 ? families : ranked;
  const common = BUDGETS.map((budget) => commonThreshold(shared, budget));
  const rows = sets.map(({ set, played }, k): Row => {
    const series = alertsOf(set, played);
    const days = series.reduce((sum, each) => sum + each.days, 0);
    const figures = { ranking: rankingOf(ranked[k]!, common), alerts: alertFigures(set, series), days };
    // Of an asset all series or none: an event is met when any of them tells it.
    const assets = [...Map.groupBy(set.series.keys(), (i) => set.series[i]!.group).values()];
    const over = (figure: (drawn: readonly number[]) => number) =>
      bootstrap(assets.length, (drawn) => figure(drawn.flatMap((i) => assets[i]!)));
    const own = over((drawn) => ownRecall(ranked[k]!, BUDGET, drawn));
    const of = (figure: keyof AlertFigures) => over((drawn) => alertFigures(set, series, drawn)[figure]);
    return { name: set.name, ...figures, intervals: [own, of("recall"), of("precision")] };
  });
  const own = rows.filter((_, k) => sets[k]!.family);
  const mean = own.length === 0 ? [] : [{ name: "mean of the families", ...meanOf(own), intervals: ["–", "–", "–"] }];
  return [...rankingRows([...rows, ...mean], common), ...alertRows([...rows, ...mean])];
}

type Row = SetFigures & { readonly name: string; readonly intervals: readonly string[] };

function rankingRows(rows: readonly Row[], common: readonly number[]): string[] {
  return [
    "Recall of events at 1, 2 and 5 false alarms per 10,000 readings by the signal: at the set's own threshold (of 2 with its interval), and at one",
    `threshold for all families (${common.map((x) => x.toFixed(2)).join(", ")}; each weighs the same); and at 2, own threshold, of the first event of a series and of those that follow one that was met.`,
    "",
    "| Set | own 1 | own 2 | own 5 | common 1 | common 2 | common 5 | first | repeated |",
    "|---|---|---|---|---|---|---|---|---|",
    ...rows.map(({ name, ranking: r, intervals }) => {
      const own = r.own.map((x, b) => (BUDGETS[b] === BUDGET ? `${share(x)} (${intervals[0]})` : share(x)));
      return `| ${[name, ...own, ...r.common.map(share), share(r.first), share(r.repeated)].join(" | ")} |`;
    }),
    "",
  ];
}

function alertRows(rows: readonly Row[]): string[] {
  return [
    "Alerts at the default threshold, silence left out: events told, alerts that tell of one, false alerts per sensor and day, median readings to the first",
    "abnormal one, median hours for which an alert stays open after the event, alerts an event.",
    "",
    "| Set | recall | precision | false alerts | delay | open after | alerts |",
    "|---|---|---|---|---|---|---|",
    ...rows.map(({ name, alerts: a, days, intervals }) => {
      const perDay = days < LEAST_DAYS ? "–" : share(a.falsePerDay);
      const shares = [`${share(a.recall)} (${intervals[1]})`, `${share(a.precision)} (${intervals[2]})`];
      return `| ${[name, ...shares, perDay, a.delay.toFixed(0), share(a.openHours), share(a.alertsPerEvent)].join(" | ")} |`;
    }),
    "",
  ];
}

/** A share with two digits; a dash where there is none. */
export function share(x: number): string {
  return Number.isNaN(x) ? "–" : x.toFixed(2);
}

/** Unweighted means over the sets that have each figure. */
function meanOf(all: readonly SetFigures[]): SetFigures {
  const mean = (figure: (f: SetFigures) => number) => {
    const values = all.map(figure).filter((x) => !Number.isNaN(x));
    return values.reduce((sum, x) => sum + x, 0) / values.length;
  };
  const alert = (name: keyof AlertFigures) => mean((f) => f.alerts[name]);
  return {
    ranking: {
      own: BUDGETS.map((_, b) => mean((f) => f.ranking.own[b]!)),
      common: BUDGETS.map((_, b) => mean((f) => f.ranking.common[b]!)),
      first: mean((f) => f.ranking.first),
      repeated: mean((f) => f.ranking.repeated),
    },
    alerts: {
      recall: alert("recall"),
      precision: alert("precision"),
      falsePerDay: mean((f) => (f.days < LEAST_DAYS ? Number.NaN : f.alerts.falsePerDay)),
      delay: alert("delay"),
      openHours: alert("openHours"),
      alertsPerEvent: alert("alertsPerEvent"),
    },
    days: Number.POSITIVE_INFINITY,
  };
}
