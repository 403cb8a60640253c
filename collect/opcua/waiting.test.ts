import { expect, test } from "vitest";
import type { NodeSettings } from "./config.ts";
import type { Found } from "./values.ts";
import { Waiting } from "./waiting.ts";

const NODE = { nodeId: "ns=2;s=a", sensorId: "a" } as NodeSettings;
const PUBLISHING_MS = 100;

/** @param ms its time, and its value where that is not given */
function reading(ms: number, value = ms): Found {
  return { sensorId: "a", sensorType: "t", unit: "C", value, observedAtUs: ms * 1_000 };
}
const bad = (ms: number): Found => ({ reason: "bad_status", why: "bad", observedAtUs: ms * 1_000 });

function waitingFor(...values: readonly Found[]): Waiting {
  const waiting = new Waiting(PUBLISHING_MS);
  for (const value of values) waiting.add(NODE, value);
  return waiting;
}

const msOf = (values: Iterable<Found>) => Array.from(values, ({ observedAtUs }) => observedAtUs / 1_000);
const rest = (waiting: Waiting) => msOf(Array.from(waiting.rest(), ({ found }) => found));

test("what history lacks of what waits goes in between, and what is newer waits on", () => {
  const waiting = waitingFor(reading(10), reading(11), reading(12), reading(13), reading(14));
  const merged = waiting.merge(NODE, [reading(5), reading(10), reading(13)]);
  expect([msOf(merged), rest(waiting), waiting.count]).toEqual([[5, 10, 11, 12, 13], [14], 1]);
});

test("what comes behind history and is older is kept, but for what history has brought", () => {
  const waiting = waitingFor();
  waiting.merge(NODE, [reading(10), bad(12), reading(20)]);
  for (const value of [reading(10), reading(11), bad(12), bad(13), reading(20), reading(21)]) waiting.add(NODE, value);
  expect(rest(waiting)).toEqual([11, 13, 21]);
});

test("what history has behind the newest that has come is left to the server, unless nobody listened since", () => {
  const history = [reading(5), reading(10), reading(20)];
  const waiting = waitingFor(reading(8), reading(12));
  expect([msOf(waiting.merge(NODE, history)), rest(waiting)]).toEqual([[5, 8, 10], [12]]);
  const interrupted = waitingFor(reading(8), reading(12));
  interrupted.interrupt();
  expect([msOf(interrupted.merge(NODE, history)), rest(interrupted)]).toEqual([[5, 8, 10, 12, 20], []]);
});

test("a value of the same millisecond is the same where history keeps no more of a time", () => {
  const waiting = waitingFor(reading(10.25, 7), reading(10.5, 8), reading(12));
  expect(msOf(waiting.merge(NODE, [reading(10, 7), reading(11)]))).toEqual([10, 10.5, 11]);
});

test("nothing is left out where history has nothing", () => {
  const waiting = waitingFor(reading(10), bad(11));
  expect([waiting.merge(NODE, []), rest(waiting), waiting.count]).toEqual([[], [10, 11], 2]);
});
