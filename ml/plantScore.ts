/** Alerts of plant sensors: false ones on clean sensors, faults told while they last or only at their return, legitimate changes apart. */
import { SEVERITY_CRITICAL, SEVERITY_HIGH } from "../server/detect/severity.ts";
import { DAY_US, HOUR_US } from "../server/lib/time.ts";
import { median } from "./median.ts";
import type { PlantFault, PlantSensor } from "./plants.ts";
import type { PlayedAlert } from "./play.ts";

/** An alert so long after a fault's end, or so many readings if that is longer, tells of its return. */
const RETURN_US = 2 * HOUR_US;
const RETURN_READINGS = 5;
/** Faults of so few readings count as caught until so many readings after their end. */
const SHORT_READINGS = 5;
const GRACE_READINGS = 3;
/** The fault word of what the plant meant to do. */
export const NORMAL_CHANGE = "normal-change";

/** A labelled stretch with the alerts that belong to it: opened while it lasted, and at its return. */
interface Told {
  readonly fault: PlantFault;
  readonly returns: boolean;
  readonly during: PlayedAlert[];
  readonly after: PlayedAlert[];
}

/** A sensor's stretches, and the alerts that belong to none. */
export interface PlantOutcome {
  readonly sensor: PlantSensor;
  readonly told: readonly Told[];
  readonly others: readonly PlayedAlert[];
}

export function matchPlant(sensor: PlantSensor, alerts: readonly PlayedAlert[]): PlantOutcome {
  const endUs = sensor.timeUs.at(-1)!;
  const told = sensor.faults.map((fault): Told => ({ fault, returns: fault.untilUs <= endUs, during: [], after: [] }));
  const latestFirst = told.toReversed();
  const others = alerts.filter((alert) => !latestFirst.some((each) => takes(each, alert, sensor.intervalUs)));
  return { sensor, told, others };
}

function takes({ fault, during, after }: Told, alert: PlayedAlert, intervalUs: number): boolean {
  const silences = fault.fault === "silence" || fault.fault === NORMAL_CHANGE;
  if (alert.silence && !silences) return false;
  const short = fault.untilUs - fault.fromUs <= SHORT_READINGS * intervalUs;
  const until = short ? fault.untilUs + GRACE_READINGS * intervalUs : fault.untilUs;
  const { openedUs } = alert;
  if (openedUs >= fault.fromUs - intervalUs && openedUs < until) during.push(alert);
  else if (openedUs >= until && openedUs < fault.untilUs + Math.max(RETURN_US, RETURN_READINGS * intervalUs))
    after.push(alert);
  else return false;
  return true;
}

export interface PlantFigures {
  readonly falseWeek1: number;
  readonly falseLater: number;
  readonly falseHours: number;
  readonly silences: number;
  readonly faults: number;
  readonly caught: number;
  readonly atReturn: number;
  readonly caughtShare: number;
  readonly delayHours: number;
  readonly alertsPerFault: number;
  readonly openHours: number;
  /** Of alerts that tell of faults or of nothing: shares called critical, and high. */
  readonly critical: number;
  readonly high: number;
  readonly changeAlerts: number;
  /** Of legitimate changes: share with an alert called critical. */
  readonly changeCritical: number;
  readonly changeHours: number;
}

/** Figures of a group of sensors; NaN where it can have none. */
export function plantFigures(outcomes: readonly PlantOutcome[]): PlantFigures {
  const clean = outcomes.filter(({ sensor }) => !sensor.faulty);
  const told = outcomes.flatMap((o) => o.told);
  const faults = told.filter(({ fault }) => fault.fault !== NORMAL_CHANGE);
  const changes = told.filter(({ fault }) => fault.fault === NORMAL_CHANGE).map((t) => [...t.during, ...t.after]);
  const caught = faults.filter(({ during }) => during.length > 0);
  const late = faults.filter(({ during, after }) => during.length === 0 && after.length > 0);
  const open = [...caught, ...late].filter(({ returns }) => returns);
  const all = [...outcomes.flatMap((o) => o.others), ...faults.flatMap((t) => [...t.during, ...t.after])].filter(
    ({ silence }) => !silence,
  );
  return {
    ...falseFigures(clean),
    faults: faults.length,
    caught: caught.length,
    atReturn: late.length,
    caughtShare: caught.length / faults.length,
    delayHours: median(
      caught.map(
        ({ fault, during }) => Math.max(0, Math.min(...during.map((a) => a.openedUs)) - fault.fromUs) / HOUR_US,
      ),
    ),
    alertsPerFault: caught.reduce((sum, { during }) => sum + during.length, 0) / caught.length,
    openHours: median(
      open.map(({ fault, during, after }) =>
        Math.max(0, (Math.max(...[...during, ...after].map((a) => a.closedUs)) - fault.untilUs) / HOUR_US),
      ),
    ),
    critical: all.filter(({ severity }) => severity === SEVERITY_CRITICAL).length / all.length,
    high: all.filter(({ severity }) => severity === SEVERITY_HIGH).length / all.length,
    changeAlerts: changes.flat().length / changes.length,
    changeCritical: changes.filter((c) => c.some((a) => a.severity === SEVERITY_CRITICAL)).length / changes.length,
    changeHours: changes.reduce((sum, c) => sum + hoursCovered(c), 0) / changes.length,
  };
}

function falseFigures(clean: readonly PlantOutcome[]) {
  let [week, later, silences, hours, days] = [0, 0, 0, 0, 0];
  for (const { sensor, others } of clean) {
    const from = sensor.timeUs[0]!;
    const values = others.filter(({ silence }) => !silence);
    const young = values.filter(({ openedUs }) => openedUs < from + 7 * DAY_US).length;
    week += young;
    later += values.length - young;
    silences += others.length - values.length;
    hours += hoursCovered(values);
    days += (sensor.timeUs.at(-1)! - from) / DAY_US;
  }
  return {
    falseWeek1: week / (7 * clean.length),
    falseLater: later / (days - 7 * clean.length),
    falseHours: hours / days,
    silences: silences / days,
  };
}

/** Hours in which at least one of the alerts is open. */
function hoursCovered(alerts: readonly PlayedAlert[]): number {
  let total = 0;
  let reached = Number.NEGATIVE_INFINITY;
  for (const { openedUs, closedUs } of alerts.toSorted((a, b) => a.openedUs - b.openedUs)) {
    total += Math.max(0, closedUs - Math.max(openedUs, reached));
    reached = Math.max(reached, closedUs);
  }
  return total / HOUR_US;
}

/** The unweighted mean of the kinds' figures, of those that have each; counts are summed. */
export function meanOfKinds(kinds: readonly PlantFigures[]): PlantFigures {
  const names = Object.keys(kinds[0]!) as (keyof PlantFigures)[];
  return Object.fromEntries(
    names.map((name) => {
      const values = kinds.map((k) => k[name]).filter((x) => !Number.isNaN(x));
      const sum = values.reduce((a, b) => a + b, 0);
      return [name, ["faults", "caught", "atReturn"].includes(name) ? sum : sum / values.length];
    }),
  ) as unknown as PlantFigures;
}
