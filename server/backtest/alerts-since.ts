/** The alerts of one sensor's newest history under a timeline, for whoever compares two of them. */
import type { Detector } from "../detect/index.ts";
import type { AlertRow } from "../store/store.ts";
import type { LongHistorySource, SensorSpan } from "./history.ts";
import { SensorReplay } from "./replay.ts";
import { rerun } from "./rerun.ts";
import type { Timeline } from "./timeline.ts";

export interface SinceOptions {
  readonly history: LongHistorySource;
  readonly createDetector: () => Detector;
  readonly sensor: SensorSpan;
  /** Readings are replayed from here on, microseconds. */
  readonly fromUs: number;
  /** Alerts count that opened at this time or later, microseconds. */
  readonly sinceUs: number;
  /** Called between pages of readings; what it throws ends the replay. */
  readonly onPage?: () => void;
}

export async function alertsSince(
  { history, createDetector, sensor, fromUs, sinceUs, onPage }: SinceOptions,
  timeline: Timeline,
): Promise<{ readonly alerts: readonly AlertRow[]; readonly readings: number }> {
  const found = new Map<number, AlertRow>();
  let readings = 0;
  const replay = new SensorReplay({
    detector: createDetector(),
    ...{ partition: sensor.partition, sensorId: sensor.sensorId },
    onRows: ({ points }) => {
      readings += points.length;
    },
    onAlert: (alert) => {
      if (alert.openedUs >= sinceUs) found.set(alert.id, alert);
    },
  });
  await rerun(replay, history.pages(sensor, fromUs, sensor.newestUs), timeline, { progress: () => onPage?.() });
  return { alerts: [...found.values()], readings };
}

/** From the first reading, or where these would be too many, from the newest of them. */
export async function begin(
  history: LongHistorySource,
  sensor: SensorSpan,
  untilUs: number,
  readings: number,
): Promise<number> {
  return sensor.readings <= readings ? 0 : history.newest(sensor, untilUs, readings);
}
