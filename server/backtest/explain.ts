/** How one stored reading was judged, and what one label changes: short replays of one sensor. */

import { create } from "@bufbuild/protobuf";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { Detector, Explanation } from "../detect/index.ts";
import { REASONS, SignalStatistics } from "../detect/index.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { firstTick, tickOfId } from "../log/id-clock.ts";
import { MARK_LATE, type Points } from "../store/points.ts";
import { alertsSince, begin } from "./alerts-since.ts";
import type { LongHistorySource, SensorSpan } from "./history.ts";
import {
  EXPLAIN_READINGS,
  type Explained,
  type ExplainJob,
  LABEL_READINGS,
  LABEL_US,
  type LabelEffect,
  type LabelJob,
} from "./jobs.ts";
import { SensorReplay } from "./replay.ts";
import { rerun } from "./rerun.ts";
import { besides } from "./summary.ts";
import type { ControlEvent, Timeline } from "./timeline.ts";

export interface ShortOptions<J> {
  readonly history: LongHistorySource;
  readonly job: J;
  readonly createDetector: () => Detector;
}

/** Of a sensor's first reading. */
const NOTHING = {
  rawScore: new Float64Array(REASONS.length),
  weight: new Float64Array(REASONS.length),
  threshold: Number.NaN,
  total: 0,
  muted: false,
  wakes: false,
  coldStart: true,
  prior: undefined,
  coldStartFactor: Number.NaN,
  steadyReadings: 0,
};

/** Replays the sensor's history up to the reading and asks the detector how it judges it. */
export async function runExplain({ history, job, createDetector }: ShortOptions<ExplainJob>): Promise<Explained> {
  const sensor = await only(history, job.sensorId);
  const fromUs = await begin(history, sensor, job.timeUs, EXPLAIN_READINGS);
  const detector = createDetector();
  const replay = new SensorReplay({ detector, partition: sensor.partition });
  const signal = new SignalStatistics();
  let explanation: Explanation | undefined;
  let stored: { points: Points; i: number } | undefined;
  let readings = 0;
  let firstUs = Number.NaN;
  await rerun(replay, history.pages(sensor, fromUs, job.timeUs), await history.timeline(sensor.partition), {
    until: (points, i) => {
      if (Number.isNaN(firstUs)) firstUs = points.timeUs[i]!;
      signal.add(points.timeUs[i]!, points.value[i]!);
      if (points.id[i] !== job.id) {
        readings++;
        return false;
      }
      stored = { points, i };
      explanation = replay.explain(points.timeUs[i]!, points.value[i]!);
      return true;
    },
  });
  const { rawScore, weight, threshold, total, muted, wakes, coldStart, prior, coldStartFactor, steadyReadings } =
    explanation ?? NOTHING;
  const said = { rawScore, weight, threshold, total, muted, wakes, coldStart, prior, coldStartFactor, steadyReadings };
  const reproduced = explanation === undefined || stored === undefined || same(explanation, stored.points, stored.i);
  const judged = explanation !== undefined && !Number.isNaN(explanation.batch.expected[0]!);
  // The first reading of all is no replay of anything: it begins the history.
  const whole = fromUs <= sensor.firstUs && (readings === 0 || firstUs === sensor.firstUs);
  const spanUs = readings === 0 ? 0 : job.timeUs - firstUs;
  const judgesRate = detector.sensors > 0 && detector.judgesRate(0);
  const inStateSinceUs = detector.sensors > 0 ? detector.inStateSince(0) : Number.NaN;
  const facts = { readings, whole, judged, spanUs, judgesRate, inStateSinceUs };
  return { ...said, ...facts, reproduced, signal: signal.recognise() };
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
  const logged = await history.timeline(sensor.partition);
  const without = logged.controls.filter(({ control: { action } }) => {
    return action.case !== "label" || Number(action.value.alertId) !== job.alertId;
  });
  const last = logged.controls.findLast(({ control: { action } }) => {
    return action.case === "label" && Number(action.value.alertId) === job.alertId;
  })?.control.action;
  // To take a label back is to go from having it to not having it.
  const had = last?.case === "label" && !last.value.withdrawn ? last.value.correct : undefined;
  const untilUs = Math.min(job.nowUs, sensor.newestUs);
  const sinceUs = untilUs - LABEL_US;
  const metTick = await firstTickOf(history, sensor, fromUs);
  let readings = 0;
  const alertsWith = async (correct: boolean | undefined) => {
    const controls = correct === undefined ? without : labelled(without, { ...job, sinceUs }, correct, metTick);
    const timeline: Timeline = { controls, ticks: logged.ticks };
    const found = await alertsSince({ history, createDetector, sensor, fromUs, sinceUs }, timeline);
    readings = found.readings;
    return found.alerts;
  };
  const before = await alertsWith(job.correct === null ? had : undefined);
  const after = await alertsWith(job.correct === null ? undefined : job.correct);
  return {
    avoided: besides(before, after),
    added: besides(after, before),
    readings,
    whole: fromUs <= sensor.firstUs,
    untilUs,
  };
}

/** The controls with the label in force since the beginning of the comparison, or since the sensor is known, where that is later. */
function labelled(
  controls: readonly ControlEvent[],
  job: LabelJob & { sinceUs: number },
  correct: boolean,
  metTick: number,
): ControlEvent[] {
  const { alertId, sensorId, detector, sinceUs } = job;
  const tick = Math.max(firstTick(0, sinceUs), metTick);
  const value = { alertId: BigInt(alertId), sensorId, correct, detector };
  const control = create(ControlSchema, { id: "tried", action: { case: "label", value } });
  const at = controls.findIndex((event) => event.tick > tick);
  const place = at < 0 ? controls.length : at;
  return [...controls.slice(0, place), { tick, receivedUs: sinceUs, control }, ...controls.slice(place)];
}

/** The id clock right after the first reading that is replayed. */
async function firstTickOf(history: LongHistorySource, sensor: SensorSpan, fromUs: number): Promise<number> {
  for await (const { points } of history.pages(sensor, fromUs, sensor.newestUs)) {
    const first = points.mark.subarray(0, points.length).findIndex((mark) => (mark & MARK_LATE) === 0);
    if (first >= 0) return tickOfId(points.id[first]!) + 1;
  }
  return 0;
}

export async function only(history: LongHistorySource, sensorId: string): Promise<SensorSpan> {
  const [sensor] = await history.sensors([sensorId], 1);
  if (sensor === undefined) throw new TelltaleError("invalid", `sensor ${quoted(sensorId)} has no reading`);
  return sensor;
}
