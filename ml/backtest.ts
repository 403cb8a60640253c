/** A series from a file as a sensor's history: the backtest of stored histories replays it unchanged. */
import { fromBinary } from "@bufbuild/protobuf";
import { BacktestResponseSchema, type BacktestSummary } from "../gen/es/telltale/v1/detector_pb.ts";
import type { HistorySource, SensorSpan, StoredAlert } from "../server/backtest/history.ts";
import { runRange } from "../server/backtest/range.ts";
import type { Page } from "../server/backtest/rerun.ts";
import type { TickTimes, Timeline } from "../server/backtest/timeline.ts";
import { createDetector } from "../server/detect/index.ts";
import { idOf, tickOfId } from "../server/log/id-clock.ts";
import { createPoints, MARK_LATE, type Points } from "../server/store/points.ts";

const SECOND_US = 1e6;
/** Ticks at the most: of a series over years there is one in a few seconds. */
const MOST_TICKS = 30_000_000;
/** Ids have room for 17 years in these steps. */
const STEP_US = 8;
/** Ids have room for so many partitions; of a file they need not be unique over its sensors. */
const MOST_PARTITIONS = 128;
/** Readings handed on at once. */
const PAGE_READINGS = 100_000;

/** A series replayed as if each reading had arrived at its time, with the log's ticks in between: silence counts. */
export class SeriesSource implements HistorySource {
  readonly unscored = true;
  readonly #sensor: SensorSpan;
  readonly #points: Points;
  /** Readings that are not later than one before them: they are not judged. */
  readonly late: number;

  /** Rows of which the time or the value is NaN are left out. */
  constructor(sensorId: string, unit: string, timeUs: Float64Array, value: Float64Array, partition = 0) {
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
      points.id[k] = idOf(step, partition % MOST_PARTITIONS);
      newest = Math.max(newest, t);
    }
    this.late = late;
    const { length } = points;
    const of = { sensorId, sensorType: "", unit, location: undefined };
    const span = { id: 0, readings: length, anomalies: 0, firstUs: first, lastUs: newest };
    this.#sensor = {
      sensorId,
      partition,
      series: [{ ...of, ...span }],
      readings: length,
      firstUs: first,
      newestUs: newest,
    };
  }

  async sensors(): Promise<SensorSpan[]> {
    return this.#sensor.readings === 0 ? [] : [this.#sensor];
  }

  /** Each reading arrived at its time: its id counts steps from the first. */
  receivedUsOf(readingId: number): number {
    return this.#sensor.firstUs + tickOfId(readingId) * STEP_US;
  }

  async timeline(): Promise<Timeline> {
    return { controls: [], ticks: ticksOver(this.#sensor.firstUs, this.#sensor.newestUs) };
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

/** Several series, each a sensor with a partition of its own. */
export class SeriesSet implements HistorySource {
  readonly unscored = true;
  readonly #columns = new Map<string, { sensorId: string; unit: string; timeUs: number[]; value: number[] }>();
  #sources: SeriesSource[] = [];

  /** In the order of time. */
  add(sensorId: string, unit: string, timeUs: number, value: number): void {
    let columns = this.#columns.get(sensorId);
    if (columns === undefined) {
      columns = { sensorId, unit, timeUs: [], value: [] };
      this.#columns.set(sensorId, columns);
    }
    columns.timeUs.push(timeUs);
    columns.value.push(value);
  }

  /** Once all are added. */
  end(): void {
    this.#sources = [...this.#columns.values()].map(
      ({ sensorId, unit, timeUs, value }, i) =>
        new SeriesSource(sensorId, unit, Float64Array.from(timeUs), Float64Array.from(value), i),
    );
    this.#columns.clear();
  }

  get late(): number {
    return this.#sources.reduce((sum, { late }) => sum + late, 0);
  }

  async sensors(sensorIds: readonly string[], limit: number): Promise<SensorSpan[]> {
    const all = (await Promise.all(this.#sources.map((source) => source.sensors()))).flat();
    return all.filter(({ sensorId }) => sensorIds.length === 0 || sensorIds.includes(sensorId)).slice(0, limit + 1);
  }

  timeline(partition: number): Promise<Timeline> {
    return this.#sources[partition]!.timeline();
  }

  async alerts(): Promise<StoredAlert[]> {
    return [];
  }

  pages(sensor: SensorSpan): AsyncIterable<Page> {
    return this.#sources[sensor.partition]!.pages();
  }
}

/** Ticks between the readings of whole seconds, and none after the last reading. */
function ticksOver(firstUs: number, newestUs: number): TickTimes {
  const everyUs = SECOND_US * Math.max(1, Math.ceil((newestUs - firstUs) / SECOND_US / MOST_TICKS));
  const after = (i: number) => (i + 0.5) * everyUs;
  return {
    length: Math.max(0, Math.floor((newestUs - firstUs) / everyUs + 0.5)),
    unbroken: true,
    receivedUs: (i) => firstUs + after(i),
    tick: (i) => Math.ceil(after(i) / STEP_US),
  };
}

/** A labelled stretch, both ends inclusive, microseconds. */
export interface Label {
  readonly fromUs: number;
  readonly untilUs: number;
}

/** The alerts of a series at the default threshold, against labels. */
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
