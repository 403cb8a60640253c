import { expect, test } from "vitest";
import { defaultModel, PARTS, parseModel } from "../server/detect/index.ts";
import { Random } from "./random.ts";
import { recallOf, SEARCH_ENSEMBLES, SEARCH_UNITS, search } from "./search.ts";
import { modelFile, type Trained } from "./train.ts";

const random = new Random(9);
const history = Array.from({ length: 2 }, () =>
  Float64Array.from({ length: 2000 }, (_, i) => 20 + Math.sin(i / 20) + 0.2 * random.normal()),
);

/** Stands for a training of minutes: the committed weights, with a loss that depends on the size. */
const trained = (units: number): Trained => ({
  model: { ...defaultModel, units },
  heldOut: { history: { model: units === 4 ? 0.31 : units === 8 ? 0.301 : 0.3, persistence: 0.4 } },
});

test("a search tries the stated sizes and ensembles, keeps the smallest size that is nearly the best, and is the same twice", async () => {
  const tried: string[] = [];
  const run = () =>
    search(
      { seed: 1, steps: 1, history },
      (candidate) => tried.push(JSON.stringify(candidate)),
      // The weights fit 8 units only: of other sizes the search looks at the loss alone.
      async ({ units }) => trained(units),
    );
  const found = await run();
  expect(found.sizes.map((s) => s.units)).toEqual(SEARCH_UNITS);
  expect(found.ensembles.map((e) => e.parts)).toEqual(SEARCH_ENSEMBLES);
  expect(found.options.units).toBe(8);
  const half = tried.length;
  expect(half).toBe(SEARCH_UNITS.length + SEARCH_ENSEMBLES.length);
  expect(await run()).toEqual(found);
  expect(tried.slice(half)).toEqual(tried.slice(0, half));
  expect(parseModel(JSON.parse(modelFile(found.trained, found.options)))).toEqual(found.trained.model);
}, 30_000);

test("an ensemble without the detector that a fault needs finds fewer of them", () => {
  const all = recallOf(defaultModel, PARTS, history);
  expect(all).toBeGreaterThan(0.5);
  expect(recallOf(defaultModel, ["stuck"], history)).toBeLessThan(all);
});
