/** Alerts of plant sensors by kind, as a table. */
import {
  matchPlant,
  meanOfKinds,
  NORMAL_CHANGE,
  type PlantFigures,
  type PlantOutcome,
  plantFigures,
} from "./plantScore.ts";
import type { PlantSensor } from "./plants.ts";
import { playSeries } from "./play.ts";
import { share } from "./wholeTable.ts";

/** @param ticks whether silence counts, as in a real log. */
export async function playPlants(sensors: readonly PlantSensor[], ticks: boolean): Promise<PlantOutcome[]> {
  const outcomes: PlantOutcome[] = [];
  for (const sensor of sensors) outcomes.push(matchPlant(sensor, (await playSeries(sensor, ticks)).alerts));
  return outcomes;
}

export function plantTable(
  outcomes: readonly PlantOutcome[],
  interval: (figure: keyof PlantFigures) => string,
): string[] {
  const kinds = Map.groupBy(outcomes, ({ sensor }) => sensor.kind);
  const rows = [...kinds].map(([kind, own]) => ({ kind, figures: plantFigures(own) }));
  const mean = meanOfKinds(rows.map(({ figures }) => figures));
  return [
    `## Plant sensors, ${outcomes.length} of ${kinds.size} kinds`,
    "",
    "False alerts per sensor and day on clean sensors, in the first week and later, and hours a day with one open; silence apart. Faults told while they",
    "last, or only at their return; median hours to the alert, alerts a fault that was told, median hours open after its end; shares of the alerts that tell of",
    "faults or of nothing that are critical and high. Legitimate changes: alerts each, share with a critical one, and hours with one open. In brackets the 90 % bootstrap interval of the mean over sensors.",
    "",
    "| Kind | week 1 | later | hours | silence | told | only at return | delay | alerts | open after | critical | high | change: alerts | critical | hours |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ...rows.map(({ kind, figures }) => row(kind, figures)),
    row("mean", mean),
    "",
    `Mean false alerts later ${share(mean.falseLater)} (${interval("falseLater")}), hours ${share(mean.falseHours)} (${interval("falseHours")}), told ${share(mean.caughtShare)} (${interval("caughtShare")}).`,
    "",
    `By fault: ${byFault(outcomes)}.`,
    "",
  ];
}

function row(kind: string, f: PlantFigures): string {
  const cells = [
    ...[share(f.falseWeek1), share(f.falseLater), share(f.falseHours), share(f.silences)],
    ...[`${f.caught} of ${f.faults} (${share(f.caughtShare)})`, String(f.atReturn), share(f.delayHours)],
    ...[share(f.alertsPerFault), share(f.openHours), share(f.critical), share(f.high)],
    ...[share(f.changeAlerts), share(f.changeCritical), share(f.changeHours)],
  ];
  return `| ${[kind, ...cells].join(" | ")} |`;
}

/** A figure's mean over the kinds of the sensors drawn (an index each). */
export function meanFigure(
  outcomes: readonly PlantOutcome[],
  drawn: readonly number[],
  figure: keyof PlantFigures,
): number {
  const kinds = Map.groupBy(
    drawn.map((k) => outcomes[k]!),
    ({ sensor }) => sensor.kind,
  );
  return meanOfKinds([...kinds.values()].map(plantFigures))[figure];
}

function byFault(outcomes: readonly PlantOutcome[]): string {
  const told = outcomes.flatMap((o) => o.told).filter(({ fault }) => fault.fault !== NORMAL_CHANGE);
  return [...Map.groupBy(told, ({ fault }) => fault.fault)]
    .map(([fault, all]) => `${fault} ${all.filter(({ during }) => during.length > 0).length} of ${all.length}`)
    .join(", ");
}
