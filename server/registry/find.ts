/** Finds a page of sensors in the fleet. */
import type { Matcher } from "../../formats/matchers.ts";
import { Turns } from "../lib/turns.ts";
import { matcherFilter, type SensorTest, searchFilter } from "./filter.ts";
import type { Fleet } from "./fleet.ts";
import { countState, noCounts, type StateCounts } from "./state.ts";

export type Sort = "id" | "name" | "last_reading" | "severity";

/** What a sensor is sorted by; of the id it is its place in the list. */
type SortValue = number | string;

/** The sensor behind which a page goes on, as it was when it was shown. */
export interface Cursor {
  readonly value: SortValue;
  readonly sensorId: string;
}

/** What sensors are searched for by. */
export interface Searched {
  readonly search: string;
  readonly matchers: readonly Matcher[];
  readonly nowUs: number;
}

export interface Wanted extends Searched {
  /** Only sensors whose id begins so. */
  readonly sensorPrefix: string;
  readonly sort: Sort;
  readonly descending: boolean;
  readonly limit: number;
  readonly after: Cursor | undefined;
  readonly withCounts: boolean;
}

export interface Found {
  /** One more than `limit` where there are more. */
  readonly page: readonly Cursor[];
  readonly counts: StateCounts | undefined;
}

export async function findSensors(fleet: Fleet, wanted: Wanted): Promise<Found> {
  const { sort, descending, limit, after, nowUs } = wanted;
  const { order } = fleet;
  const counts = wanted.withCounts ? noCounts() : undefined;
  const tests = await testsOf(fleet, wanted);
  const sortedBy = sortValue(fleet, sort);
  const page = new Page(limit === 0 ? 0 : limit + 1, descending && sort !== "id");
  const isBehind = behind(fleet, order, wanted);
  const [from, to] = rangeOf(fleet, order, wanted);
  const turns = new Turns();
  for (let step = 0; step < to - from; step++) {
    const place = descending && sort === "id" ? to - 1 - step : from + step;
    // A test may be an expression that takes milliseconds.
    if (tests.length > 0 ? turns.isLong() : turns.isDue(step)) await turns.take();
    const slot = order[place]!;
    if (!fleet.isRegistered(slot) || !passes(tests, slot)) continue;
    if (counts !== undefined) countState(counts, fleet.stateOf(slot, nowUs));
    const value = sortedBy(slot);
    if (page.takes(value) && (after === undefined || isBehind(value, place))) page.add(value, fleet.ids[slot]!);
    // In the list's own order the first ones are the page.
    if (sort === "id" && counts === undefined && page.isFull) break;
  }
  return { page: page.sorted(), counts };
}

/** Goes through a caller's sensors in byte order of their ids, until it answers false. */
export async function visitSensors(
  fleet: Fleet,
  { sensorPrefix, tests }: { readonly sensorPrefix: string; readonly tests: readonly SensorTest[] },
  visit: (slot: number) => boolean,
): Promise<void> {
  const { order } = fleet;
  const from = fleet.place(order, sensorPrefix);
  const to = endOfPrefix(fleet, order, sensorPrefix);
  const turns = new Turns();
  for (let place = from; place < to; place++) {
    // A test may be an expression that takes milliseconds.
    if (turns.isLong()) await turns.take();
    const slot = order[place]!;
    if (fleet.isRegistered(slot) && passes(tests, slot) && !visit(slot)) return;
  }
}

/** Whether a sensor is among those searched for. */
export async function sensorTest(fleet: Fleet, searched: Searched): Promise<(sensorId: string) => boolean> {
  const tests = await testsOf(fleet, searched);
  return (sensorId) => {
    const slot = fleet.slotOf(sensorId);
    return slot !== undefined && fleet.isRegistered(slot) && passes(tests, slot);
  };
}

async function testsOf(fleet: Fleet, { search, matchers, nowUs }: Searched): Promise<SensorTest[]> {
  const tests = matchers.map((matcher) => matcherFilter(fleet, matcher, nowUs));
  if (search !== "") tests.push(await searchFilter(fleet, search));
  return tests;
}

function passes(tests: readonly SensorTest[], slot: number): boolean {
  for (const test of tests) if (!test(slot)) return false;
  return true;
}

function sortValue(fleet: Fleet, sort: Sort): (slot: number) => SortValue {
  switch (sort) {
    case "id":
      return () => 0;
    case "name":
      return (slot) => fleet.sortNames[slot]!;
    case "last_reading":
      return (slot) => fleet.lastUs[slot]!;
    case "severity":
      return (slot) => fleet.worst[slot]!;
  }
}

/** Where to look: the caller's sensors, and in the list's own order what comes behind the cursor, unless all are counted. */
function rangeOf(fleet: Fleet, order: Uint32Array, w: Wanted): readonly [from: number, to: number] {
  const from = fleet.place(order, w.sensorPrefix);
  const to = endOfPrefix(fleet, order, w.sensorPrefix);
  if (w.sort !== "id" || w.after === undefined || w.withCounts) return [from, to];
  const place = fleet.place(order, w.after.sensorId);
  if (w.descending) return [from, Math.min(to, place)];
  return [Math.max(from, isAt(fleet, order, place, w.after) ? place + 1 : place), to];
}

/** The place behind the last id that begins so. */
function endOfPrefix(fleet: Fleet, order: Uint32Array, prefix: string): number {
  // No text of Unicode begins behind it.
  return prefix === "" ? order.length : fleet.place(order, `${prefix}\u{10ffff}`);
}

function isAt(fleet: Fleet, order: Uint32Array, place: number, { sensorId }: Cursor): boolean {
  return place < order.length && fleet.ids[order[place]!] === sensorId;
}

/** Whether a sensor with this value at this place comes behind the cursor. Equal values are in the order of the ids. */
function behind(fleet: Fleet, order: Uint32Array, { after, sort, descending }: Wanted) {
  if (after === undefined) return () => true;
  const cursor = after.value;
  const place = fleet.place(order, after.sensorId);
  const next = isAt(fleet, order, place, after) ? place + 1 : place;
  return (value: SortValue, at: number): boolean => {
    if (sort === "id") return descending ? at < place : at >= next;
    if (value !== cursor) return descending ? value < cursor : value > cursor;
    return at >= next;
  };
}

/** The first few of what is added, by their values; of equal ones those that were added first. */
class Page {
  readonly #most: number;
  readonly #descending: boolean;
  #items: Cursor[] = [];
  /** The last value that is on the page; undefined until it is full. */
  #last: SortValue | undefined;

  constructor(most: number, descending: boolean) {
    this.#most = most;
    this.#descending = descending;
  }

  get isFull(): boolean {
    return this.#items.length >= this.#most;
  }

  /** Whether one with this value may be on the page yet. */
  takes(value: SortValue): boolean {
    return this.#most > 0 && (this.#last === undefined || this.#compare(value, this.#last) < 0);
  }

  add(value: SortValue, sensorId: string): void {
    this.#items.push({ value, sensorId });
    if (this.#items.length >= 2 * this.#most) this.#cut();
  }

  sorted(): readonly Cursor[] {
    this.#cut();
    return this.#items;
  }

  #cut(): void {
    // Sorting is stable.
    this.#items = this.#items.sort((a, b) => this.#compare(a.value, b.value)).slice(0, this.#most);
    if (this.isFull) this.#last = this.#items.at(-1)?.value;
  }

  #compare(a: SortValue, b: SortValue): number {
    const order = a < b ? -1 : a > b ? 1 : 0;
    return this.#descending ? -order : order;
  }
}
