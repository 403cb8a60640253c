/** A series from a file as a sensor's history: the backtest of stored histories plays it as it is. */
import { fromBinary } from "@bufbuild/protobuf";
import { BacktestResponseSchema, type BacktestSummary } from "../gen/es/telltale/v1/detector_pb.ts";

import type { Happenings, TickTimes } from "../server/backtest/happenings.ts";
import type { HistorySource, SensorSpan, StoredAlert } from "../server/backtest/history.ts";
import type { Page } from "../server/backtest/play.ts";
import { runRange } from "../server/backtest/range.ts";
import { createDetector } from "../server/detect/index.ts";
import { idOf } from "../server/pipeline/ids.ts";
import { createPoints, MARK_LATE, type Points } from "../server/store/points.ts";

const SECOND_US = 1e6;
/** Ticks at the most: of a series over years there is one in so many seconds. */
const MOST_TICKS = 10_000_000;
/** Ids have room for 17 years in these steps. */
const STEP_US = 8;
/** Readings handed on at once. */
const PAGE_READINGS = 100_000;

/** A series played as if each reading had arrived at its time, with the log's ticks in between: silence counts. */
export class SeriesSource implements HistorySource {
  readonly unscored = true;
  readonly #sensor: SensorSpan;
  readonly #points: Points;
  /** Readings that are not later than one before them: they are not judged. */
  readonly late: number;

  /** Rows of which the time or the value is NaN are left out. */
  constructor(sensorId: string, unit: string, timeUs: Float64Array, value: Float64Array) {
    const points = createPoints(timeUs.length);
    this.#points = points;
    let newest = Number.NEGATIVE_INFINITY;
    let first = Number.NaN;
    let step = 0;
    let late = 0;
    for (let i = 0; i < timeUs.length; i++) {
      const t = timeUs[i]!;
      if (Number.isNaN(t) || Number.isNaN(value[i]!)) continue;
      if (Number.isNaN(first)) first = t;
      const k = points.length++;
      points.timeUs[k] = t;
      points.value[k] = value[i]!;
      points.expected[k] = Number.NaN;
      points.band[k] = Number.NaN;
      if (t > newest) step = Math.max(step + 1, Math.ceil((t - first) / STEP_US));
      else {
        points.mark[k] = MARK_LATE;
        late++;
      }
      points.id[k] = idOf(step, 0);
      newest = Math.max(newest, t);
    }
    this.late = late;
    const { length } = points;
    const of = { sensorId, sensorType: "", unit, location: undefined };
    const span = { id: 0, readings: length, anomalies: 0, firstUs: first, lastUs: newest };
    this.#sensor = {
      sensorId,
      partition: 0,
      series: [{ ...of, ...span }],
      readings: length,
      firstUs: first,
      newestUs: newest,
    };
  }

  async sensors(): Promise<SensorSpan[]> {
    return this.#sensor.readings === 0 ? [] : [this.#sensor];
  }

  async happenings(): Promise<Happenings> {
    return { acts: [], ticks: ticksOver(this.#sensor.firstUs, this.#sensor.newestUs) };
  }

  /** No alert of it is stored. */
  async alerts(): Promise<StoredAlert[]> {
    return [];
  }

  async *pages(): AsyncGenerator<Page> {
    const { length, ...columns } = this.#points;
    for (let from = 0; from < length; from += PAGE_READINGS) {
      const to = Math.min(length, from + PAGE_READINGS);
      const cut = Object.entries(columns).map(([name, column]) => [name, column.subarray(from, to)]);
      const points = { length: to - from, ...Object.fromEntries(cut) } as Points;
      yield { points, series: new Array(to - from).fill(this.#sensor.series[0]) };
    }
  }
}

/** Ticks between the readings of whole seconds, and none after the last reading. */
function ticksOver(firstUs: number, newestUs: number): TickTimes {
  const everyUs = SECOND_US * Math.max(1, Math.ceil((newestUs - firstUs) / SECOND_US / MOST_TICKS));
  const after = (i: number) => (i + 0.5) * everyUs;
  return {
    length: Math.max(0, Math.floor((newestUs - firstUs) / everyUs + 0.5)),
    receivedUs: (i) => firstUs + after(i),
    tick: (i) => Math.ceil(after(i) / STEP_US),
  };
}

/** A labelled stretch, both ends inclusive, microseconds. */
export interface Label {
  readonly fromUs: number;
  readonly untilUs: number;
}

/** The alerts of a series at the default bar, against labels. */
export async function backtestSeries(
  timeUs: Float64Array,
  value: Float64Array,
  labels: readonly Label[],
): Promise<BacktestSummary> {
  let last: Uint8Array = new Uint8Array();
  await runRange({
    history: new SeriesSource("series", "", timeUs, value),
    createDetector,
    job: {
      kind: "range",
      ...{ sensorIds: [], fromUs: 0, toUs: Number.POSITIVE_INFINITY, config: undefined, threshold: undefined },
      events: labels.map((each) => ({ sensorId: "series", ...each })),
      ...{ includeReadings: false, pictureColumns: 0 },
    },
    respond: async (bytes) => {
      last = bytes;
    },
  });
  return fromBinary(BacktestResponseSchema, last).summary!;
}
