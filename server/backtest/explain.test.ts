import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { SeriesSource } from "../../ml/backtest.ts";
import { createDetector, REASONS } from "../detect/index.ts";
import { idOf } from "../pipeline/ids.ts";
import { runExplain, runLabel } from "./explain.ts";
import type { Act, Happenings } from "./happenings.ts";

const START = Date.UTC(2020, 0, 6) * 1000;
const MINUTE = 60e6;
const READINGS = 4000;

/** Noise with a spike in each 250 readings, larger and smaller ones. */
function history(acts: readonly Act[] = []) {
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
  const happenings = async (): Promise<Happenings> => ({ acts, ticks: (await source.happenings()).ticks });
  return {
    sensors: () => source.sensors(),
    alerts: () => source.alerts(),
    pages: () => source.pages(),
    happenings,
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

test("an explanation counts the readings before, and its votes come to more than the bar where the reading is flagged", async () => {
  const quiet = await explain(1100);
  expect(quiet).toMatchObject({ readings: 1100, whole: true, judged: true, young: false });
  expect(quiet.total).toBeLessThan(quiet.bar);
  expect(quiet.surprise).toHaveLength(REASONS.length);
  const spikes = await Promise.all([750, 1000, 1250, 1500, 1750].map(explain));
  expect(spikes.some((e) => e.total >= e.bar)).toBe(true);
  expect(Math.max(...spikes.map((e) => Math.max(...e.surprise)))).toBeGreaterThan(Math.max(...quiet.surprise));
  expect(await explain(40)).toMatchObject({ readings: 40, young: true, judged: true });
  expect(await explain(5)).toMatchObject({ readings: 5, judged: false });
});

test("labels that call alerts wrong avoid alerts, and taking one back is told as going without it", async () => {
  const label = (alertId: number, correct: boolean): Act => {
    const value = { alertId: BigInt(alertId), sensorId: "s", correct };
    return { tick: 1, receivedUs: START, control: create(ControlSchema, { action: { case: "label", value } }) };
  };
  const effect = (acts: readonly Act[], correct: boolean | null) =>
    runLabel({
      history: history(acts),
      createDetector,
      job: { kind: "label", sensorId: "s", alertId: 1, detector: "", correct, sinceUs: START },
    });
  // Three that were wrong before, and a fourth: bars move within bounds.
  const before = [2, 3, 4].map((id) => label(id, false));
  const wrong = await effect([], false);
  const right = await effect([], true);
  expect(wrong).toMatchObject({ whole: true, readings: READINGS });
  expect(wrong.avoided.length + right.added.length).toBeGreaterThan(0);
  expect(right.avoided).toEqual([]);
  expect(wrong.added).toEqual([]);
  const taken = await effect([...before, label(1, false)], null);
  const given = await effect(before, false);
  expect(taken.added.map((a) => a.id)).toEqual(given.avoided.map((a) => a.id));
  expect(taken.avoided.map((a) => a.id)).toEqual(given.added.map((a) => a.id));
});
