/** What a change of the detector's settings would have done to the alerts of the last 30 days. */
import { fromBinary } from "@bufbuild/protobuf";
import { type DetectorConfig, DetectorConfigSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { firstTick } from "../log/id-clock.ts";
import type { AlertRow } from "../store/store.ts";
import { alertsSince, begin } from "./alerts-since.ts";
import type { ShortOptions } from "./explain.ts";
import type { LongHistorySource, SensorSpan } from "./history.ts";
import { LABEL_US, NAMED_ALERTS, PREVIEW_READINGS, PREVIEW_SENSORS, type Preview, type PreviewJob } from "./jobs.ts";
import { besides } from "./summary.ts";
import type { Timeline } from "./timeline.ts";
import { type Places, withChange } from "./tried.ts";

/** Sensors that settings concern. */
export interface Concerned {
  /** Those with the newest readings. */
  readonly sensorIds: readonly string[];
  readonly total: number;
}

export interface PreviewSource extends LongHistorySource {
  concerned(scope: Pick<DetectorConfig, "sensorId" | "asset" | "sensorType">, limit: number): Promise<Concerned>;
}

export interface PreviewOptions extends ShortOptions<PreviewJob> {
  readonly history: PreviewSource;
  /** The wall clock, milliseconds since 1970: how long it may take, which no alert depends on. */
  readonly now: () => number;
  /** Hears what has been found so far: at first that there is nothing yet, then after each sensor. */
  readonly onProgress: (soFar: Preview) => void;
}

/** The time is up. */
class OutOfTime extends Error {}

/** Replays each sensor's newest history twice: with the settings that are in force now, and with others in their place. */
export async function runPreview(o: PreviewOptions): Promise<Preview> {
  const { history, job } = o;
  const config = fromBinary(DetectorConfigSchema, job.config);
  const { sensorIds, total } = await history.concerned(config, PREVIEW_SENSORS);
  const sums = new Sums(total);
  o.onProgress(sums.preview(true));
  const sensors = sensorIds.length === 0 ? [] : await history.sensors(sensorIds, sensorIds.length);
  const places = config.asset === "" ? undefined : await history.places?.(sensors);
  let partition = -1;
  let timeline: Timeline | undefined;
  for (const sensor of sensors) {
    if (isOver(o)) return sums.preview(true);
    // Sensors come by partition: the timeline of one is in memory at a time.
    if (sensor.partition !== partition) timeline = await history.timeline(sensor.partition);
    partition = sensor.partition;
    const effect = await compare(o, { sensor, logged: timeline!, config, places });
    if (effect === undefined) return sums.preview(true);
    sums.add(effect);
    o.onProgress(sums.preview(true));
  }
  return sums.preview(false);
}

const isOver = ({ job, now }: PreviewOptions) => now() >= job.untilMs;

interface Effect {
  readonly avoided: readonly AlertRow[];
  readonly added: readonly AlertRow[];
  readonly readings: number;
  readonly shortened: boolean;
}

/** Of one sensor; undefined where the time ran out. */
async function compare(
  o: PreviewOptions,
  tried: {
    readonly sensor: SensorSpan;
    readonly logged: Timeline;
    readonly config: DetectorConfig;
    readonly places: Places | undefined;
  },
): Promise<Effect | undefined> {
  const { sensor, logged, config, places } = tried;
  const { history, createDetector, job } = o;
  const fromUs = await begin(history, sensor, sensor.newestUs, PREVIEW_READINGS);
  const sinceUs = Math.min(job.nowUs, sensor.newestUs) - LABEL_US;
  const since = { tick: firstTick(0, sinceUs), receivedUs: sinceUs };
  const onPage = () => {
    if (isOver(o)) throw new OutOfTime();
  };
  const alertsWith = (change: DetectorConfig | undefined) =>
    alertsSince(
      { history, createDetector, sensor, fromUs, sinceUs, onPage },
      withChange(logged, config, since, { change, places }),
    );
  try {
    const before = await alertsWith(undefined);
    const after = await alertsWith(config);
    return {
      avoided: besides(before.alerts, after.alerts),
      added: besides(after.alerts, before.alerts),
      readings: after.readings,
      shortened: fromUs > sensor.firstUs,
    };
  } catch (error) {
    if (error instanceof OutOfTime) return undefined;
    throw error;
  }
}

/** Counts over all sensors, and the newest alerts. */
class Sums {
  readonly #concerned: number;
  #avoidedCount = 0;
  #addedCount = 0;
  #avoided: AlertRow[] = [];
  #added: AlertRow[] = [];
  #sensors = 0;
  #readings = 0;
  #shortened = 0;

  constructor(concerned: number) {
    this.#concerned = concerned;
  }

  add({ avoided, added, readings, shortened }: Effect): void {
    this.#sensors++;
    this.#readings += readings;
    if (shortened) this.#shortened++;
    this.#avoidedCount += avoided.length;
    this.#addedCount += added.length;
    this.#avoided = newestOf([...this.#avoided, ...avoided]);
    this.#added = newestOf([...this.#added, ...added]);
  }

  preview(outOfTime: boolean): Preview {
    return {
      ...{ avoidedCount: this.#avoidedCount, addedCount: this.#addedCount },
      ...{ avoided: this.#avoided, added: this.#added, readings: this.#readings },
      ...{ sensors: this.#sensors, concerned: this.#concerned, shortened: this.#shortened, outOfTime },
    };
  }
}

function newestOf(alerts: AlertRow[]): AlertRow[] {
  return alerts.sort((a, b) => b.openedUs - a.openedUs).slice(0, NAMED_ALERTS);
}
