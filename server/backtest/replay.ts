/**
 * One sensor's history, judged again by the code that judges it live: the same state, settings, detector and alerts as a
 * partition's owner, fed with what the store kept of the log. The result is bit-identical to what was stored, where
 * settings, threshold and model are the original ones; with others it is what they would have given.
 *
 * Pure: no clock, no I/O. Other sensors never change a score, so that each is replayed alone.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { type Control, SeriesKeySchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import type { Detector, Explanation } from "../detect/index.ts";
import { AlertChanges, Alerts } from "../scoring/alerts.ts";
import { handleControl } from "../scoring/controls.ts";
import { Rows } from "../scoring/rows.ts";
import type { Series } from "../scoring/sensors.ts";
import { PartitionState } from "../scoring/state.ts";
import { placedBut } from "../store/control-sensor.ts";
import type { AlertRow, SeriesRow } from "../store/store.ts";
import type { ControlEvent } from "./timeline.ts";

/** Readings judged at once; the results do not depend on it. */
const BATCH = 4096;

export interface ReplayOptions {
  /** A fresh one, with the settings in force from the beginning. */
  readonly detector: Detector;
  /** When the reading with an id arrived; by default as ids of stored readings say. */
  readonly receivedUsOf?: ((readingId: number) => number) | undefined;
  /** Of the sensor: part of the ids. */
  readonly partition: number;
  /** The sensor, where it is known: what is said of the places of others is left out, who may be many. */
  readonly sensorId?: string;
  /** Readings as they were judged, in order. The columns are used again afterwards. */
  readonly onRows?: (rows: Rows) => void;
  /** An alert as it is after a change; `transition` is undefined where no event would have been sent. */
  readonly onAlert?: (alert: AlertRow, transition: AlertEventType | undefined) => void;
}

export class SensorReplay {
  readonly #o: ReplayOptions;
  readonly #state: PartitionState;
  readonly #alerts: Alerts;
  readonly #changes: AlertChanges;
  readonly #rows = new Rows(BATCH);
  readonly #series = new Map<SeriesRow, Series>();

  constructor(options: ReplayOptions) {
    this.#o = options;
    this.#state = new PartitionState(options.detector, undefined, options.receivedUsOf);
    this.#alerts = new Alerts(this.#state);
    this.#changes = new ReportedChanges(options.partition, options.onAlert ?? (() => {}));
    this.#rows.clear(BATCH);
  }

  get modelVersion(): string {
    return this.#o.detector.modelVersion;
  }

  /** A reading that was not late: later than all before. */
  reading(series: SeriesRow, timeUs: number, value: number, id: number, mark: number): void {
    const rows = this.#rows;
    rows.add(this.#meet(series), timeUs, value, id, mark);
    const { sensors } = this.#state;
    sensors.lastUs[0] = timeUs;
    sensors.lastValue[0] = value;
    sensors.lastId[0] = id;
    if (rows.points.length === BATCH) this.flush();
  }

  /** Time has passed in the log: it is `receivedUs`, microseconds. `unbroken`: whenever the tick before was, nothing stood still since. */
  tick(receivedUs: number, unbroken = false): void {
    this.flush();
    const state = this.#state;
    state.receivedUs = receivedUs;
    if (unbroken) state.sensors.detector.resume(receivedUs);
    if (state.sensors.ids.length > 0) this.#alerts.passed(0, this.#changes);
  }

  /** Somebody did something. */
  async control({ control, receivedUs, tick }: ControlEvent): Promise<void> {
    this.flush();
    const state = this.#state;
    state.receivedUs = receivedUs;
    state.tick = tick;
    const to = { alerts: this.#alerts, changes: this.#changes, stored: notStored };
    await handleControl(this.#own(control), { state, offset: 0 }, to);
  }

  #own(control: Control): Control {
    const { sensorId } = this.#o;
    const { action } = control;
    if (sensorId === undefined || action.case !== "placeSensors") return control;
    const placed = placedBut(action.value, (other) => other !== sensorId);
    return { ...control, action: { ...action, value: { ...action.value, placed } } };
  }

  /** Judges the readings that wait for it. */
  flush(): void {
    const rows = this.#rows;
    if (rows.points.length === 0) return;
    rows.batch.length = rows.points.length;
    this.#state.sensors.detector.score(rows.batch);
    this.#alerts.observe(rows, this.#changes);
    this.#o.onRows?.(rows);
    rows.clear(BATCH);
  }

  /** How a reading would be judged if it came next; changes nothing. Undefined where the sensor has had none. */
  explain(timeUs: number, value: number): Explanation | undefined {
    this.flush();
    return this.#state.sensors.ids.length === 0 ? undefined : this.#o.detector.explain(0, timeUs, value);
  }

  #meet(series: SeriesRow): Series {
    const known = this.#series.get(series);
    if (known !== undefined) return known;
    // The detector's settings must be those of before the sensor's new readings, its place those of after.
    this.flush();
    const key = keyOf(series);
    const met = this.#state.series.get(key) ?? this.#state.series.meet(key);
    this.#series.set(series, met);
    return met;
  }
}

/** Reports changes as they come, instead of gathering them for the store. */
class ReportedChanges extends AlertChanges {
  readonly #onAlert: NonNullable<ReplayOptions["onAlert"]>;

  constructor(partition: number, onAlert: NonNullable<ReplayOptions["onAlert"]>) {
    super(partition, 0);
    this.#onAlert = onAlert;
  }

  override change(alert: AlertRow, transition?: AlertEventType): void {
    this.#onAlert(alert, transition);
  }
}

/** An acknowledgement of an alert that is over changes nothing here. */
async function notStored(): Promise<undefined> {}

function keyOf({ sensorId, sensorType, unit, location }: SeriesRow): string {
  const key = create(SeriesKeySchema, { sensorId, sensorType, unit, ...(location === undefined ? {} : { location }) });
  return Buffer.from(toBinary(SeriesKeySchema, key)).toString("latin1");
}
