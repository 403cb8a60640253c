/** Labelled series of any kind in one form, so that one table can hold them all. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadNab } from "./nab.ts";
import { parseSeries } from "./series.ts";
import type { Channel } from "./telemetry.ts";

/** Owner of a row that belongs to no event, and of one that is not scored. */
export const NO_EVENT = -1;
export const IGNORED = -2;

export interface LabelledSeries {
  readonly name: string;
  /** Series of one group are one asset: an event counts as met when any of them tells it. */
  readonly group: string;
  readonly timeUs: Float64Array;
  readonly value: Float64Array;
  /** Of each row its event (an index into the set's), NO_EVENT or IGNORED. */
  readonly owner: Int32Array;
  /** Rows before this are not scored. */
  readonly start: number;
}

/** A set of series of one kind, with the events that count. */
export interface LabelledSet {
  readonly name: string;
  readonly series: readonly LabelledSeries[];
  /** Of each event its group and its first row; `counts` where it ends after the rows that are not scored. */
  readonly events: readonly { readonly group: string; readonly first: number; readonly counts: boolean }[];
}

interface FamilyLabels {
  readonly events: readonly (readonly [number, number, (string | number)?])[];
  readonly ignore: readonly (readonly [number, number])[];
  readonly group: string;
  readonly train_readings: number;
  readonly readings: number;
}

/** Families of labelled series: a folder for each, with NAME.csv and labels.json. */
export function loadFamilies(folder: string): LabelledSet[] {
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "labels.json")));
  return names.sort().map((name) => loadFamily(name, join(folder, name)));
}

function loadFamily(name: string, folder: string): LabelledSet {
  const labels: Record<string, FamilyLabels> = JSON.parse(readFileSync(join(folder, "labels.json"), "utf8"));
  const builder = new SetBuilder(name);
  for (const [series, label] of Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { timeUs, value } = parseSeries(readFileSync(join(folder, `${series}.csv`), "utf8"));
    if (value.length !== label.readings)
      throw new Error(`${name}/${series}.csv has ${value.length} readings, its label says ${label.readings}`);
    builder.add({ name: series, group: label.group, timeUs, value, start: label.train_readings }, label);
  }
  return builder.end();
}

/** The Numenta Anomaly Benchmark, its windows as events. */
export function nabSet(folder: string): LabelledSet {
  const builder = new SetBuilder("nab");
  for (const { name, timeUs, value, window, windows, probation } of loadNab(folder))
    builder.add({ name, group: name, timeUs, value, start: Math.ceil(probation) }, { events: spans(window, windows) });
  return builder.end();
}

export function telemetrySet(channels: readonly Channel[]): LabelledSet {
  const builder = new SetBuilder("telemetry");
  for (const { name, timeUs, value, event, events, start } of channels)
    builder.add({ name, group: name, timeUs, value, start }, { events: spans(event, events) });
  return builder.end();
}

/** First and last row of each event that has rows. */
function spans(owner: Int32Array, count: number): [number, number][] {
  return Array.from({ length: count }, (_, k): [number, number] => [owner.indexOf(k), owner.lastIndexOf(k)]).filter(
    ([first]) => first >= 0,
  );
}

class SetBuilder {
  readonly #name: string;
  readonly #series: LabelledSeries[] = [];
  readonly #events: { group: string; first: number; counts: boolean }[] = [];
  readonly #keys = new Map<string, number>();

  constructor(name: string) {
    this.#name = name;
  }

  add(series: Omit<LabelledSeries, "owner">, labels: Pick<FamilyLabels, "events"> & Partial<FamilyLabels>): void {
    const owner = new Int32Array(series.value.length).fill(NO_EVENT);
    const own = (first: number, last: number, key: number) => {
      for (let i = first; i <= last; i++) if (owner[i] === NO_EVENT) owner[i] = key;
    };
    labels.events.forEach(([first, last, id], k) => {
      const key = this.#event(series.group, id ?? k, first);
      if (last >= series.start) this.#events[key]!.counts = true;
      own(first, last, key);
    });
    for (const [first, last] of labels.ignore ?? []) own(first, last, IGNORED);
    this.#series.push({ ...series, owner });
  }

  end(): LabelledSet {
    return { name: this.#name, series: this.#series, events: this.#events };
  }

  /** Number of an event of a group, which its series may share. */
  #event(group: string, id: string | number, first: number): number {
    const name = `${group}\n${id}`;
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    this.#keys.set(name, this.#events.length);
    return this.#events.push({ group, first, counts: false }) - 1;
  }
}
