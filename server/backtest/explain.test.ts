import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { SeriesSource } from "../../ml/backtest.ts";
import { createDetector, REASONS } from "../detect/index.ts";
import { idOf } from "../log/id-clock.ts";
import { runExplain, runLabel } from "./explain.ts";
import type { ControlEvent, Timeline } from "./timeline.ts";

const START = Date.UTC(2020, 0, 6) * 1000;
const MINUTE = 60e6;
const READINGS = 4000;

/** Noise with a spike in each 250 readings, larger and smaller ones. */
function history(controls: readonly ControlEvent[] = []) {
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  const value = Float64Array.from({ length: READINGS }, (_, n) => {
    const spike = n > 500 && n % 250 === 0 ? 2 + 8 * random() : 0;
    return 20 + random() + random() + random() + spike;
  });
  const timeUs = Float64Array.from(value, (_, n) => START + n * MINUTE);
  const source = new SeriesSource("s", "C", timeUs, value);
  const timeline = async (): Promise<Timeline> => ({ controls, ticks: (await source.timeline()).ticks });
  return {
    sensors: () => source.sensors(),
    alerts: () => source.alerts(),
    pages: () => source.pages(),
    timeline,
    newest: async () => 0,
  };
}

/** As `SeriesSource` numbers readings a minute apart. */
const idAt = (n: number) => idOf((n * MINUTE) / 8, 0);
const explain = (n: number) =>
  runExplain({
    history: history(),
    createDetector,
    job: { kind: "explain", sensorId: "s", id: idAt(n), timeUs: START + n * MINUTE },
  });

test("an explanation counts the readings before, and its votes come to more than the threshold where the reading is flagged", async () => {
  const quiet = await explain(1100);
  expect(quiet).toMatchObject({ readings: 1100, whole: true, judged: true, coldStart: false });
  expect(quiet.total).toBeLessThan(quiet.threshold);
  // What comes behind the last detector that votes is none.
  expect(quiet.rawScore).toHaveLength(REASONS.indexOf("rare level") + 1);
  const spikes = await Promise.all([750, 1000, 1250, 1500, 1750].map(explain));
  expect(spikes.some((e) => e.total >= e.threshold)).toBe(true);
  expect(Math.max(...spikes.map((e) => Math.max(...e.rawScore)))).toBeGreaterThan(Math.max(...quiet.rawScore));
  expect(await explain(40)).toMatchObject({ readings: 40, coldStart: true, judged: true });
  expect(await explain(5)).toMatchObject({ readings: 5, judged: false });
});

test("labels that call alerts wrong avoid alerts, and taking one back is told as going without it", async () => {
  const label = (alertId: number, correct: boolean): ControlEvent => {
    const value = { alertId: BigInt(alertId), sensorId: "s", correct };
    return { tick: 1, receivedUs: START, control: create(ControlSchema, { action: { case: "label", value } }) };
  };
  const effect = (controls: readonly ControlEvent[], correct: boolean | null, nowUs = START + 86_400e6) =>
    runLabel({
      history: history(controls),
      createDetector,
      job: { kind: "label", sensorId: "s", alertId: 1, detector: "", correct, nowUs },
    });
  // Three that were wrong before, and a fourth: thresholds move within bounds.
  const before = [2, 3, 4].map((id) => label(id, false));
  const wrong = await effect([], false);
  const right = await effect([], true);
  expect(wrong).toMatchObject({ whole: true, readings: READINGS });
  expect(wrong.avoided.length + right.added.length).toBeGreaterThan(0);
  // One alert more may be why a later one is not told again; never does a label that asks for more bring fewer.
  expect(right.added.length).toBeGreaterThanOrEqual(right.avoided.length);
  expect(wrong.avoided.length).toBeGreaterThanOrEqual(wrong.added.length);
  // Of history: the 30 days end with its newest reading, not with today.
  const late = await effect([], false, START + 900 * 86_400e6);
  expect(late.avoided.map((a) => a.id)).toEqual(wrong.avoided.map((a) => a.id));
  expect(late.untilUs).toBeLessThan(START + 90 * 86_400e6);
  const taken = await effect([...before, label(1, false)], null);
  const given = await effect(before, false);
  expect(taken.added.map((a) => a.id)).toEqual(given.avoided.map((a) => a.id));
  expect(taken.avoided.map((a) => a.id)).toEqual(given.added.map((a) => a.id));
});
