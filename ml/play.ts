/** A series through the code that judges it live: the detector's scores, and the alerts that a person would have got. */

import { SensorReplay } from "../server/backtest/replay.ts";
import { rerun } from "../server/backtest/rerun.ts";
import { createDetector } from "../server/detect/index.ts";
import type { AlertRow } from "../server/store/store.ts";
import { SeriesSource } from "./backtest.ts";

export interface PlayedAlert {
  readonly openedUs: number;
  readonly lastSeenUs: number;
  /** The series' end where it was still open then. */
  readonly closedUs: number;
  readonly severity: number;
  readonly silence: boolean;
}

export interface Played {
  /** Of each row; 0 where it was not judged. */
  readonly signal: Float32Array;
  readonly anomaly: Uint8Array;
  readonly alerts: readonly PlayedAlert[];
}

/** @param ticks whether the log's time goes on between readings, every second: without it there is no silence, and it is much quicker. */
export async function playSeries(
  series: { readonly timeUs: Float64Array; readonly value: Float64Array },
  ticks: boolean,
): Promise<Played> {
  const { timeUs, value } = series;
  const source = new SeriesSource("series", "", timeUs, value);
  const signal = new Float32Array(timeUs.length);
  const anomaly = new Uint8Array(timeUs.length);
  const alerts = new Map<number, AlertRow>();
  let row = 0;
  const replay = new SensorReplay({
    detector: createDetector(),
    partition: 0,
    receivedUsOf: source.receivedUsOf.bind(source),
    onRows: ({ points, batch }) => {
      for (let i = 0; i < points.length; i++, row++) {
        while (timeUs[row] !== points.timeUs[i]) row++;
        signal[row] = batch.signal[i]!;
        anomaly[row] = batch.anomaly[i]!;
      }
    },
    onAlert: (alert) => alerts.set(alert.id, alert),
  });
  const [sensor] = await source.sensors();
  if (sensor === undefined) return { signal, anomaly, alerts: [] };
  const timeline = await source.timeline();
  const none = { length: 0, receivedUs: () => 0, tick: () => 0 };
  await rerun(replay, source.pages(), ticks ? timeline : { controls: [], ticks: none });
  return { signal, anomaly, alerts: [...alerts.values()].map((alert) => played(alert, sensor.newestUs)) };
}

function played({ openedUs, lastSeenUs, closedUs, severity, alertType }: AlertRow, endUs: number): PlayedAlert {
  const closed = Math.max(openedUs, closedUs ?? endUs);
  return { openedUs, lastSeenUs, closedUs: closed, severity, silence: alertType === "silence" };
}
