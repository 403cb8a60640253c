import {
  alertMessage,
  createScoreBatch,
  type DetectorOptions,
  type DetectorSettings,
  Episodes,
  SEVERITY_NAMES,
} from "../server/detect/index.ts";
import { type Played, playSeries } from "./play.ts";

/** An alert that would have been raised. Times are microseconds; `closedAtUs` NaN where it is still open at the end. */
export interface BacktestAlert {
  readonly openedAtUs: number;
  readonly closedAtUs: number;
  readonly lastSeenAtUs: number;
  readonly severity: string;
  readonly readings: number;
  readonly message: string;
}

/** A labelled event, both ends inclusive. */
export interface Label {
  readonly fromUs: number;
  readonly untilUs: number;
}

export interface Backtest {
  readonly played: Played;
  readonly alerts: readonly BacktestAlert[];
  /** Openings and rises of severity: what somebody would have been told. */
  readonly notifications: number;
  readonly alertSeconds: number;
  readonly alertsPerDay: number;
  /** Labels during which an alert was open. */
  readonly labelsMet: number;
  readonly alertsOutsideLabels: number;
}

/** Plays a series through the detector and the alert episodes as the live path would. */
export function backtest(
  timeUs: Float64Array,
  value: Float64Array,
  unit: string,
  labels: readonly Label[],
  options: DetectorOptions,
  settings: DetectorSettings,
): Backtest {
  const played = playSeries(timeUs, value, options, undefined, settings);
  const episodes = new Episodes();
  const slot = episodes.addSensor();
  const row = createScoreBatch(1);
  row.length = 1;
  row.slot[0] = slot;
  const alerts: BacktestAlert[] = [];
  let notifications = 0;
  const close = () => {
    const e = episodes.get(slot)!;
    const { peakScore: score, peakValue, expected, band, openingReason: reason } = e;
    alerts.push({
      openedAtUs: e.openedAtUs,
      closedAtUs: e.closedAtUs,
      lastSeenAtUs: e.lastSeenAtUs,
      severity: SEVERITY_NAMES[e.severity]!,
      readings: e.count,
      message: alertMessage({ score, value: peakValue, unit, expected, band, reason }),
    });
  };
  for (let i = 0; i < timeUs.length; i++) {
    if (played.taken[i] === 0) continue;
    row.timeUs[0] = timeUs[i]!;
    row.value[0] = value[i]!;
    row.anomaly[0] = played.anomaly[i]!;
    row.score[0] = played.score[i]!;
    row.confidence[0] = played.confidence[i]!;
    row.reason[0] = played.reason[i]!;
    row.expected[0] = played.expected[i]!;
    row.band[0] = played.band[i]!;
    const transition = episodes.observe(row, 0, i + 1);
    if (transition === "opened" || transition === "raised") notifications++;
    if (transition === "recovered") close();
  }
  if (episodes.isOpen(slot)) close();
  return summarise(played, alerts, notifications, timeUs, labels);
}

function summarise(
  played: Played,
  alerts: readonly BacktestAlert[],
  notifications: number,
  timeUs: Float64Array,
  labels: readonly Label[],
): Backtest {
  const times = timeUs.filter((t) => !Number.isNaN(t));
  const end = times.at(-1) ?? 0;
  const days = Math.max((end - (times[0] ?? 0)) / 86_400e6, 1e-9);
  const until = (a: BacktestAlert) => (Number.isNaN(a.closedAtUs) ? end : a.closedAtUs);
  const meets = (a: BacktestAlert, l: Label) => a.openedAtUs <= l.untilUs && a.lastSeenAtUs >= l.fromUs;
  return {
    played,
    alerts,
    notifications,
    alertSeconds: alerts.reduce((sum, a) => sum + (until(a) - a.openedAtUs) / 1e6, 0),
    alertsPerDay: alerts.length / days,
    labelsMet: labels.filter((l) => alerts.some((a) => meets(a, l))).length,
    alertsOutsideLabels: alerts.filter((a) => !labels.some((l) => meets(a, l))).length,
  };
}
