/** How one stored reading was judged, and what one label changes: short replays of one sensor. */
import { create } from "@bufbuild/protobuf";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { Detector, Explanation } from "../detect/index.ts";
import { REASONS } from "../detect/index.ts";
import { TelltaleError } from "../errors.ts";
import { shown } from "../ingest/check.ts";
import { firstTick, tickOfId } from "../pipeline/ids.ts";
import { MARK_LATE, type Points } from "../store/points.ts";
import type { AlertRow } from "../store/store.ts";
import type { Act, Happenings } from "./happenings.ts";
import type { LongHistorySource, SensorSpan } from "./history.ts";
import {
  EXPLAIN_READINGS,
  type Explained,
  type ExplainJob,
  LABEL_READINGS,
  type LabelEffect,
  type LabelJob,
} from "./jobs.ts";
import { play } from "./play.ts";
import { SensorReplay } from "./replay.ts";
import { besides } from "./summary.ts";

export interface ShortOptions<J> {
  readonly history: LongHistorySource;
  readonly job: J;
  readonly createDetector: () => Detector;
}

/** Of a sensor's first reading. */
const NOTHING = {
  surprise: new Float64Array(REASONS.length),
  weight: new Float64Array(REASONS.length),
  ...{ bar: Number.NaN, total: 0, young: true, prior: undefined, coldness: Number.NaN },
};

/** Plays the sensor's history up to the reading and asks the detector how it judges it. */
export async function runExplain({ history, job, createDetector }: ShortOptions<ExplainJob>): Promise<Explained> {
  const sensor = await only(history, job.sensorId);
  const fromUs = await begin(history, sensor, job.timeUs, EXPLAIN_READINGS);
  const replay = new SensorReplay({ detector: createDetector(), partition: sensor.partition });
  let explanation: Explanation | undefined;
  let stored: { points: Points; i: number } | undefined;
  let readings = 0;
  let firstUs = Number.NaN;
  await play(replay, history.pages(sensor, fromUs, job.timeUs), await history.happenings(sensor.partition), {
    until: (points, i) => {
      if (Number.isNaN(firstUs)) firstUs = points.timeUs[i]!;
      if (points.id[i] !== job.id) {
        readings++;
        return false;
      }
      stored = { points, i };
      explanation = replay.explain(points.timeUs[i]!, points.value[i]!);
      return true;
    },
  });
  const { surprise, weight, bar, total, young, prior, coldness } = explanation ?? NOTHING;
  const reproduced = explanation === undefined || stored === undefined || same(explanation, stored.points, stored.i);
  const judged = explanation !== undefined && !Number.isNaN(explanation.batch.expected[0]!);
  // The first reading of all is no replay of anything: it begins the history.
  const whole = fromUs <= sensor.firstUs && (readings === 0 || firstUs === sensor.firstUs);
  return { surprise, weight, bar, total, young, prior, coldness, reproduced, readings, whole, judged };
}

function same({ batch }: Explanation, p: Points, i: number): boolean {
  return (
    batch.score[0] === p.score[i] &&
    batch.confidence[0] === p.confidence[i] &&
    batch.anomaly[0] === p.anomaly[i] &&
    Object.is(batch.expected[0], p.expected[i]) &&
    Object.is(batch.band[0], p.band[i])
  );
}

/** The alerts since then, with the label in force all that time and without it. */
export async function runLabel({ history, job, createDetector }: ShortOptions<LabelJob>): Promise<LabelEffect> {
  const sensor = await only(history, job.sensorId);
  const fromUs = await begin(history, sensor, sensor.newestUs, LABEL_READINGS);
  const logged = await history.happenings(sensor.partition);
  const without = logged.acts.filter(({ control: { action } }) => {
    return action.case !== "label" || Number(action.value.alertId) !== job.alertId;
  });
  const last = logged.acts.findLast(({ control: { action } }) => {
    return action.case === "label" && Number(action.value.alertId) === job.alertId;
  })?.control.action;
  // To take a label back is to go from having it to not having it.
  const had = last?.case === "label" && !last.value.withdrawn ? last.value.correct : undefined;
  const metTick = await firstTickOf(history, sensor, fromUs);
  let readings = 0;
  const alertsWith = async (correct: boolean | undefined) => {
    const found = new Map<number, AlertRow>();
    readings = 0;
    const replay = new SensorReplay({
      detector: createDetector(),
      partition: sensor.partition,
      onRows: ({ points }) => {
        readings += points.length;
      },
      onAlert: (alert) => {
        if (alert.openedUs >= job.sinceUs) found.set(alert.id, alert);
      },
    });
    const acts = correct === undefined ? without : labelled(without, job, correct, metTick);
    const happenings: Happenings = { acts, ticks: logged.ticks };
    await play(replay, history.pages(sensor, fromUs, sensor.newestUs), happenings);
    return [...found.values()];
  };
  const before = await alertsWith(job.correct === null ? had : undefined);
  const after = await alertsWith(job.correct === null ? undefined : job.correct);
  return { avoided: besides(before, after), added: besides(after, before), readings, whole: fromUs <= sensor.firstUs };
}

/** The acts with the label in force since the beginning of the comparison, or since the sensor is known, where that is later. */
function labelled(acts: readonly Act[], job: LabelJob, correct: boolean, metTick: number): Act[] {
  const { alertId, sensorId, detector, sinceUs } = job;
  const tick = Math.max(firstTick(0, sinceUs), metTick);
  const value = { alertId: BigInt(alertId), sensorId, correct, detector };
  const control = create(ControlSchema, { id: "tried", action: { case: "label", value } });
  const at = acts.findIndex((act) => act.tick > tick);
  const place = at < 0 ? acts.length : at;
  return [...acts.slice(0, place), { tick, receivedUs: sinceUs, control }, ...acts.slice(place)];
}

/** The id clock right after the first reading that is played. */
async function firstTickOf(history: LongHistorySource, sensor: SensorSpan, fromUs: number): Promise<number> {
  for await (const { points } of history.pages(sensor, fromUs, sensor.newestUs)) {
    const first = points.mark.subarray(0, points.length).findIndex((mark) => (mark & MARK_LATE) === 0);
    if (first >= 0) return tickOfId(points.id[first]!) + 1;
  }
  return 0;
}

async function only(history: LongHistorySource, sensorId: string): Promise<SensorSpan> {
  const [sensor] = await history.sensors([sensorId], 1);
  if (sensor === undefined) throw new TelltaleError("invalid", `sensor ${shown(sensorId)} has no reading`);
  return sensor;
}

/** From the first reading, or where these would be too many, from the newest of them. */
async function begin(
  history: LongHistorySource,
  sensor: SensorSpan,
  untilUs: number,
  readings: number,
): Promise<number> {
  return sensor.readings <= readings ? 0 : history.newest(sensor, untilUs, readings);
}
