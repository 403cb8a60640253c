/**
 * The same replay as a plain filter: readings in by lines, verdicts out by lines, so that any system that groups by sensor and keeps
 * each sensor's order (Spark's TRANSFORM, a shell) can run it on many machines.
 *
 *   in    sensor_id, id, observed_us, value, sensor_type, unit, location, mark        a sensor's lines together, by observed_us
 *   out   R, sensor_id, id, observed_us, value, confidence, score, anomaly, reason, expected, band
 *         A, sensor_id, id, opened_us, value, confidence, score, severity, detector, closed_us, message
 *
 * Fields are separated by tabs; \N stands for nothing; doubles are written so that they are read back bit-identical. Confidence and
 * score are in steps of 1e-4. Late readings (bit 0 of `mark`) may be among the lines and are passed over.
 */

import type { Detector } from "../detect/index.ts";
import { REASONS } from "../detect/index.ts";
import { partitionOfId } from "../log/id-clock.ts";
import type { Rows } from "../scoring/rows.ts";
import { createPoints, type Points } from "../store/points.ts";
import type { AlertRow, SeriesRow } from "../store/store.ts";
import { SensorReplay } from "./replay.ts";
import { type Page, rerun } from "./rerun.ts";
import { Ticks, type Timeline } from "./timeline.ts";

const COLUMNS = 8;
const NOTHING = "\\N";
/** Lines of one sensor taken at once. */
const PAGE_LINES = 50_000;

export interface LineReplayOptions {
  /** A fresh detector for each sensor. */
  readonly createDetector: () => Detector;
  /** Control events and ticks of a partition; absent: none. */
  readonly timeline?: (partition: number) => Timeline | Promise<Timeline>;
  /** Writes a piece of text; the promise is the backpressure. */
  readonly write: (text: string) => void | Promise<void>;
  /** Which lines are wanted. Default: both. */
  readonly only?: "readings" | "alerts";
}

/** Replays all sensors of the lines, one after another. Throws with the line's number where a line is no reading. */
export async function replayLines(lines: AsyncIterable<string>, o: LineReplayOptions): Promise<void> {
  const input = new Lines(lines);
  for (let first = await input.peek(); first !== undefined; first = await input.peek()) {
    const partition = partitionOfId(first.id);
    let text = "";
    const alerts = new Map<number, AlertRow>();
    const replay = new SensorReplay({
      detector: o.createDetector(),
      partition,
      ...(o.only === "alerts" ? {} : { onRows: (rows: Rows) => (text += readingLines(rows)) }),
      onAlert: (alert) => alerts.set(alert.id, alert),
    });
    const flush = async () => {
      const ready = text;
      text = "";
      if (ready !== "") await o.write(ready);
    };
    const timeline = (await o.timeline?.(partition)) ?? { controls: [], ticks: new Ticks() };
    await rerun(replay, input.sensor(first.sensorId), timeline, { progress: flush });
    if (o.only !== "readings") text += [...alerts.values()].map(alertLine).join("");
    await flush();
  }
}

interface Line extends SeriesRow {
  readonly id: number;
  readonly timeUs: number;
  readonly value: number;
  readonly mark: number;
}

/** Lines with one to look at before it is taken. */
class Lines {
  readonly #lines: AsyncIterator<string>;
  #next: Line | undefined;
  #number = 0;

  constructor(lines: AsyncIterable<string>) {
    this.#lines = lines[Symbol.asyncIterator]();
  }

  async peek(): Promise<Line | undefined> {
    while (this.#next === undefined) {
      const { value, done } = await this.#lines.next();
      if (done) return undefined;
      this.#number++;
      if (value !== "") this.#next = readLine(value, this.#number);
    }
    return this.#next;
  }

  /** The lines of the sensor that come now, in pages. */
  async *sensor(sensorId: string): AsyncGenerator<Page> {
    const known = new Map<string, SeriesRow>();
    for (let more = true; more; ) {
      const points = createPoints(PAGE_LINES);
      const series: SeriesRow[] = [];
      while (points.length < PAGE_LINES) {
        const line = await this.peek();
        if (line?.sensorId !== sensorId) {
          more = false;
          break;
        }
        this.#next = undefined;
        add(points, line);
        series.push(same(known, line));
      }
      yield { points, series };
    }
  }
}

function add(points: Points, line: Line): void {
  const i = points.length++;
  points.timeUs[i] = line.timeUs;
  points.id[i] = line.id;
  points.value[i] = line.value;
  points.mark[i] = line.mark;
}

/** The replay distinguishes series by object identity. */
function same(known: Map<string, SeriesRow>, { sensorId, sensorType, unit, location }: Line): SeriesRow {
  const key = JSON.stringify([sensorType, unit, location]);
  const before = known.get(key);
  if (before !== undefined) return before;
  const series = { sensorId, sensorType, unit, location };
  known.set(key, series);
  return series;
}

function readLine(text: string, number: number): Line {
  const cells = text.split("\t");
  const [sensorId = "", id, timeUs, value, sensorType = "", unit = "", location = NOTHING, mark = "0"] = cells;
  const line = {
    sensorId,
    id: Number(id),
    timeUs: Number(timeUs),
    value: Number(value),
    sensorType,
    unit,
    location: location === NOTHING ? undefined : location,
    mark: Number(mark),
  };
  const whole = Number.isSafeInteger(line.id) && Number.isSafeInteger(line.timeUs) && Number.isInteger(line.mark);
  if (cells.length > COLUMNS || sensorId === "" || !whole || !Number.isFinite(line.value)) {
    throw new Error(
      `line ${number} is "${text.slice(0, 80)}"; wanted sensor_id, id, observed_us, value, sensor_type, unit, location, mark, by tabs`,
    );
  }
  return line;
}

function readingLines({ points: p, series }: Rows): string {
  let text = "";
  for (let i = 0; i < p.length; i++) {
    const cells = [
      ...["R", series[i]!.sensorId, p.id[i], p.timeUs[i], p.value[i], p.confidence[i], p.score[i], p.anomaly[i]],
      ...[p.anomaly[i] === 1 ? REASONS[p.reason[i]!] : NOTHING, number(p.expected[i]!), number(p.band[i]!)],
    ];
    text += `${cells.join("\t")}\n`;
  }
  return text;
}

function alertLine(a: AlertRow): string {
  const score = Math.round(a.score * 10_000);
  const confidence = Math.round(a.confidence * 10_000);
  const cells = ["A", a.sensorId, a.id, a.openedUs, a.value, confidence, score, a.severity, a.detector];
  return `${[...cells, a.closedUs ?? NOTHING, a.message.replaceAll(/[\t\n]/g, " ")].join("\t")}\n`;
}

const number = (x: number) => (Number.isNaN(x) ? NOTHING : x);
