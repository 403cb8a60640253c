/** What is learnt from the alert history: how often sensors open alerts, and how often two of them within the window of each other. */
import { count, epochOf, totalAt } from "./counts.ts";
import type { Input } from "./input.ts";
import { MAX_CROWD, MAX_PARTNERS } from "./limits.ts";
import type { Pair, SensorHistory } from "./model.ts";
import type { State } from "./state.ts";

/** Sensors remembered as recent: one more than a crowd, and the one that opens. */
export const KEPT_RECENT: number = MAX_CROWD + 2;
/** Of the pairs, what is forgotten at once where there are too many. */
const FORGOTTEN_SHARE = 0.1;

/** Counts an opening. */
export function learn(state: State, input: Input, windowUs: number): void {
  const { openedUs, seq } = input;
  const epoch = epochOf(openedUs);
  if (epoch > state.epoch) begin(state, epoch);
  // Older than what is counted.
  if (epoch < state.epoch - 1) return;
  const sensor = touch(state, input);
  // Those that follow within the window are one with it: a sensor that flutters would count its coincidences many times.
  if (sensor.countedUs >= 0 && Math.abs(openedUs - sensor.countedUs) < windowUs) return;
  count(sensor, epoch, state.epoch);
  sensor.countedUs = Math.max(sensor.countedUs, openedUs);
  sensor.countedSeq = seq;
  const others = state.recent.filter((each) => each !== sensor);
  state.recent = [...others, sensor].slice(-KEPT_RECENT);
  const near = others.filter((each) => Math.abs(openedUs - each.countedUs) <= windowUs);
  if (near.length > MAX_CROWD) return;
  for (const other of near) {
    const pair = pairOf(state, sensor.sensorId, other.sensorId);
    count(pair, epoch, state.epoch);
    pair.seq = seq;
    state.changes.pair(pair);
  }
  if (state.pairs > state.bounds.pairs) forgetRarePairs(state);
}

/** The sensor's history with its newest opening; it is the last to be forgotten then. */
function touch(state: State, { sensorId, openedUs, seq, alertId }: Input): SensorHistory {
  const sensor = state.sensors.get(sensorId) ?? {
    ...{ sensorId, epoch: state.epoch, current: 0, previous: 0, countedUs: -1, countedSeq: -1 },
    ...{ openedUs: -1, openedSeq: seq, alertId },
  };
  if (openedUs >= sensor.openedUs) {
    sensor.openedUs = openedUs;
    sensor.alertId = alertId;
  }
  sensor.openedSeq = seq;
  state.sensors.delete(sensorId);
  state.sensors.set(sensorId, sensor);
  state.changes.sensors.set(sensorId, sensor);
  if (state.sensors.size > state.bounds.sensors) forget(state, state.sensors.keys().next().value!);
  return sensor;
}

/** A new epoch: what has no opening in the two that count is forgotten. */
function begin(state: State, epoch: number): void {
  state.epoch = epoch;
  for (const pairs of state.partners.values())
    for (const pair of pairs.values()) if (totalAt(pair, epoch) === 0) removePair(state, pair);
  const recent = new Set(state.recent);
  for (const sensor of state.sensors.values())
    if (totalAt(sensor, epoch) === 0 && !recent.has(sensor)) forget(state, sensor.sensorId);
}

function forget(state: State, sensorId: string): void {
  for (const pair of [...(state.partners.get(sensorId)?.values() ?? [])]) removePair(state, pair);
  state.sensors.delete(sensorId);
  state.changes.sensors.set(sensorId, undefined);
}

function pairOf(state: State, one: string, other: string): Pair {
  const known = state.partners.get(one)?.get(other);
  if (known !== undefined) return known;
  const [a, b] = one < other ? [one, other] : [other, one];
  for (const sensorId of [a, b]) {
    const pairs = state.partners.get(sensorId);
    if (pairs !== undefined && pairs.size >= MAX_PARTNERS)
      removePair(state, [...pairs.values()].sort(rarest(state))[0]!);
  }
  const pair = { a, b, epoch: state.epoch, current: 0, previous: 0, seq: state.seq };
  addPair(state, pair);
  return pair;
}

export function addPair(state: State, pair: Pair): void {
  for (const [sensorId, other] of [
    [pair.a, pair.b],
    [pair.b, pair.a],
  ] as const) {
    let pairs = state.partners.get(sensorId);
    if (pairs === undefined) {
      pairs = new Map();
      state.partners.set(sensorId, pairs);
    }
    pairs.set(other, pair);
  }
  state.pairs++;
}

function removePair(state: State, pair: Pair): void {
  for (const [sensorId, other] of [
    [pair.a, pair.b],
    [pair.b, pair.a],
  ] as const) {
    const pairs = state.partners.get(sensorId)!;
    pairs.delete(other);
    if (pairs.size === 0) state.partners.delete(sensorId);
  }
  state.pairs--;
  state.changes.pairGone(pair);
}

function forgetRarePairs(state: State): void {
  const all = [...state.partners].flatMap(([sensorId, pairs]) => [...pairs.values()].filter(({ a }) => a === sensorId));
  all.sort(rarest(state));
  for (const pair of all.slice(0, Math.ceil(all.length * FORGOTTEN_SHARE))) removePair(state, pair);
}

/** The same order on every replica: by how often, how recently, and then by name. */
function rarest({ epoch }: State): (x: Pair, y: Pair) => number {
  return (x, y) => totalAt(x, epoch) - totalAt(y, epoch) || x.seq - y.seq || byText(x.a, y.a) || byText(x.b, y.b);
}

function byText(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
