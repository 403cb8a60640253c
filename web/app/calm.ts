/** Settings that may calm a sensor, by the alerts that it had. Each is a guess, which a backtest proves or refutes. */
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import { type DetectorConfig, Direction } from "../../gen/web/telltale/v1/detector_pb.ts";
import { Severity } from "../../gen/web/telltale/v1/reading_pb.ts";
import type { SettingsForm } from "./detector-settings.ts";
import { durationText, msOf, numberText } from "./format.ts";

export interface Candidate {
  /** For example "An alarm budget of 0.02 a day". */
  readonly text: string;
  /** Why it may help. */
  readonly why: string;
  /** What of the form is another. */
  readonly changes: SettingsForm;
}

/** Of the alerts, that a kind has to make before a setting for it is tried. */
const SHARE = 0.3;
const DEFAULT_BUDGET = 0.1;
/** The budget is cut to a fifth: less is seldom seen, more hides what is meant to be seen. */
const CUT = 5;
/** Limits of time are set so much beyond the longest that there was. */
const ROOM = 1.5;
const LEAST_SECONDS = 60;

export function candidatesOf(alerts: readonly Alert[], config: DetectorConfig | undefined): Candidate[] {
  if (alerts.length === 0) return [];
  const silences = alerts.filter(({ alertType }) => alertType === "silence");
  const stuck = alerts.filter(({ detector }) => detector === "stuck value");
  const apart = ["silence", "limit_forecast"];
  const others = alerts.filter(({ alertType, detector }) => !apart.includes(alertType) && detector !== "stuck value");
  const share = (of: readonly Alert[]) => of.length / alerts.length;
  return [
    ...(share(silences) >= SHARE ? [longer("silence_seconds", "Silent", silences, config?.silenceSeconds)] : []),
    ...(share(stuck) >= SHARE ? [longer("stuck_seconds", "Stuck", stuck, config?.stuckSeconds)] : []),
    ...(share(others) >= SHARE ? [...oneSided(others), cheaper(others, config)] : []),
  ];
}

function longer(field: string, name: string, alerts: readonly Alert[], now: number | undefined): Candidate {
  const longest = Math.max(...alerts.map(secondsOf)) + (now ?? 0);
  const seconds = Math.ceil((Math.max(LEAST_SECONDS, longest) * ROOM) / LEAST_SECONDS) * LEAST_SECONDS;
  const much = `${alerts.length === 1 ? "One alert is" : `${alerts.length} alerts are`} of this kind`;
  return {
    text: `${name} only after ${durationText(seconds * 1_000)}`,
    why: `${much}, the longest of ${durationText(longest * 1_000)}.`,
    changes: { [field]: String(seconds) },
  };
}

function secondsOf({ openedAt, closedAt, lastSeenAt }: Alert): number {
  const end = closedAt ?? lastSeenAt;
  return openedAt === undefined || end === undefined ? 0 : (msOf(end) - msOf(openedAt)) / 1_000;
}

/** Where most are on one side and none of these is severe, the other side may be what matters. */
function oneSided(alerts: readonly Alert[]): Candidate[] {
  const sided = alerts.filter(({ expected }) => expected !== undefined);
  const above = sided.filter(({ sensorValue, expected }) => sensorValue > expected!);
  const below = sided.filter(({ sensorValue, expected }) => sensorValue < expected!);
  const [most, side, other, direction] =
    above.length >= below.length
      ? [above, "above", "below", Direction.LOW]
      : ([below, "below", "above", Direction.HIGH] as const);
  const isMild = most.every(({ severity }) => severity < Severity.HIGH);
  if (most.length < alerts.length * (1 - SHARE) || !isMild) return [];
  return [
    {
      text: `Abnormal ${other} only`,
      why: `${most.length} of ${alerts.length} were ${side} what was expected, and none of these was high or critical.`,
      changes: { direction: String(direction) },
    },
  ];
}

function cheaper(alerts: readonly Alert[], config: DetectorConfig | undefined): Candidate {
  const now = config?.alarmsPerSensorDay ?? DEFAULT_BUDGET;
  const budget = Number((now / CUT).toPrecision(2));
  return {
    text: `An alarm budget of ${numberText(budget)} a day`,
    why: `It is ${numberText(now)} a day now, and ${alerts.length === 1 ? "one alert was an excursion" : `${alerts.length} alerts were excursions`}.`,
    changes: { alarms_per_sensor_day: String(budget) },
  };
}
