import { expect, test } from "vitest";
import { parseModel } from "../server/detect/index.ts";
import { DEFAULT_TRAINING, modelFile, SHORTEST_HISTORY, trainTrunk } from "./train.ts";

/** A training takes seconds at this size; the default's takes minutes. */
const SMALL = { seed: 3, units: 3, steps: 12 };
const TIMEOUT_MS = 240_000;

test(
  "the same seed trains the same weights to the bit, another seed others, and the card tells them apart",
  async () => {
    const first = await trainTrunk(SMALL);
    const second = await trainTrunk(SMALL);
    expect(second).toEqual(first);
    const other = await trainTrunk({ ...SMALL, seed: 4 });
    expect(other.model.kernel).not.toEqual(first.model.kernel);
    expect(other.model.name).not.toBe(first.model.name);
    const content = JSON.parse(modelFile(first, SMALL));
    expect(content.card).toMatchObject(SMALL);
    expect(parseModel(content)).toEqual(first.model);
  },
  TIMEOUT_MS,
);

test(
  "one's own history is trained on and held out",
  async () => {
    const history = [Float64Array.from({ length: SHORTEST_HISTORY }, (_, i) => Math.sin(i / 3))];
    const trained = await trainTrunk({ ...SMALL, history });
    expect(trained.heldOut.history!.model).toBeGreaterThan(0);
    expect(trained.model.name).toMatch(/^own-/);
  },
  TIMEOUT_MS,
);

test("the committed model says how it was trained", async () => {
  const { default: committed } = await import("./model/forecaster.json", { with: { type: "json" } });
  expect(committed.card).toMatchObject(DEFAULT_TRAINING);
  for (const kind of Object.values(committed.card.heldOut)) expect(kind.model).toBeLessThan(kind.persistence * 1.05);
});
