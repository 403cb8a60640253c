import { expect, test } from "vitest";
import { faultKinds, type Label, Plant } from "./plant.ts";

const minuteUs = 60e6;
const startUs = 1_704_067_200e6;

function run(seed: number, faultRate = 0.002) {
  const plant = new Plant({ seed, sensors: 10, intervalUs: minuteUs, faultRate });
  const steps = Array.from({ length: 3000 }, (_, n) => plant.step(startUs + n * minuteUs));
  return { readings: steps.flatMap((step) => step.readings), labels: steps.flatMap((step) => step.began) };
}

test("the same seed gives the same plant, another seed another", () => {
  expect(run(7)).toEqual(run(7));
  expect(run(8).readings).not.toEqual(run(7).readings);
});

test("every kind of fault comes and is labelled: a dropped-out sensor is silent, a stuck one does not move", () => {
  const faulty = run(7);
  const kinds = new Set(faulty.labels.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual([...faultKinds].sort());
  const inside = (label: Label, at: number) => at >= label.startUs && at <= label.endUs;
  for (const label of faulty.labels.filter(({ kind }) => kind === "dropout")) {
    const during = faulty.readings.filter(
      (each) => each.sensorId === label.sensorId && inside(label, each.observedAtUs),
    );
    expect(during).toEqual([]);
  }
  const stuck = faulty.labels.find(({ kind }) => kind === "stuck")!;
  const values = faulty.readings
    .filter((each) => each.sensorId === stuck.sensorId && inside(stuck, each.observedAtUs))
    .map(({ value }) => value);
  expect(new Set(values).size).toBe(1);
  expect(values.length).toBeGreaterThanOrEqual(20);
});
