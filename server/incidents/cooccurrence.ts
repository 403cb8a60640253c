/**
 * Whether two sensors open alerts within the window of each other more often than chance. If each opened at random at its own rate, the
 * number of common openings would be a Poisson variable of mean n_a · n_b · 2w / T (w the window, T the time in which they were counted).
 * They are related where so many or more have a probability below the level divided by the number of pairs (Bonferroni).
 */
import { EPOCH_US, totalAt } from "./counts.ts";
import type { Input } from "./input.ts";
import type { Pair, SensorHistory } from "./model.ts";
import { poissonTail } from "./poisson.ts";
import type { State } from "./state.ts";

/** Of relating any two sensors by chance, for all pairs together. */
const LEVEL = 0.01;
/** Fewer coincidences are anecdotes, whatever their probability. */
const MIN_CO_OPENINGS = 3;
/** What is certain and yet no more than so many times what chance gives is of no use to anybody. */
const MIN_LIFT = 3;

interface Evidence {
  readonly coOpenings: number;
  readonly expected: number;
  readonly pValue: number;
}

/** Related sensors that opened an alert within the window, those with the strongest evidence first. */
export function relatedOpen(
  state: State,
  { sensorId, openedUs }: Input,
  windowUs: number,
): { sensor: SensorHistory; evidence: Evidence }[] {
  const own = state.sensors.get(sensorId);
  const found: { sensor: SensorHistory; evidence: Evidence }[] = [];
  if (own === undefined) return found;
  for (const [otherId, pair] of state.partners.get(sensorId) ?? []) {
    const sensor = state.sensors.get(otherId)!;
    if (Math.abs(openedUs - sensor.openedUs) > windowUs) continue;
    const evidence = evidenceOf(state, { pair, one: own, other: sensor }, windowUs);
    if (evidence !== undefined) found.push({ sensor, evidence });
  }
  return found.sort(
    (x, y) => x.evidence.pValue - y.evidence.pValue || (x.sensor.sensorId < y.sensor.sensorId ? -1 : 1),
  );
}

/** Undefined where it is no more than chance may give. */
function evidenceOf(
  state: State,
  { pair, one, other }: { pair: Pair; one: SensorHistory; other: SensorHistory },
  windowUs: number,
): Evidence | undefined {
  const coOpenings = totalAt(pair, state.epoch);
  if (coOpenings < MIN_CO_OPENINGS) return undefined;
  const sinceUs = Math.max((state.epoch - 1) * EPOCH_US, state.firstUs);
  const timeUs = Math.max(state.newestUs - sinceUs, 2 * windowUs);
  const expected = (totalAt(one, state.epoch) * totalAt(other, state.epoch) * 2 * windowUs) / timeUs;
  if (coOpenings < MIN_LIFT * expected) return undefined;
  const pValue = poissonTail(coOpenings, expected);
  const pairs = (state.sensors.size * (state.sensors.size - 1)) / 2;
  return pValue * pairs < LEVEL ? { coOpenings, expected, pValue } : undefined;
}
