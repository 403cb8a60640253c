import { SharedTexts } from "../lib/shared-texts.ts";
import { encodeSeriesKey } from "../log/record/series-key.ts";
import { MAX_CACHED_SENSORS } from "./limits.ts";

/** A series that passed the contract's rules, with everything about it that is worth computing once. */
export interface KnownSeries {
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string | undefined;
  readonly partition: number;
  /** The bytes of a `SeriesKey`, fields in order, one character each: as an array of bytes it would take six times the memory. */
  readonly key: string;
  /** Another series of the same sensor. */
  readonly next: KnownSeries | undefined;
}

const text = new TextEncoder();

/** 32-bit FNV-1a over the UTF-8 bytes of the id: the same in every process and language. */
export function partitionOf(sensorId: string, partitions: number): number {
  let h = 0x811c9dc5;
  for (const byte of text.encode(sensorId)) h = Math.imul(h ^ byte, 0x01000193);
  return (h >>> 0) % partitions;
}

/**
 * What a sender keeps beside a series that it names again and again, so that what is known of it need not be looked for: the texts of an id
 * are in no cache by the time that thousands of others have come.
 */
export interface SeriesHandle {
  known?: { readonly series: KnownSeries; readonly age: object };
}

/** A sensor that changes its unit with every reading must not grow a list without bound. */
const MAX_SERIES_OF_A_SENSOR = 16;

/** Remembers series by what identifies them, so that the strings of a known one are neither checked nor encoded again. */
export class SeriesTable {
  readonly #sensors = new Map<string, KnownSeries>();
  /** Of this table, and another one whenever handles are worth nothing any more: they hold it, and not what was forgotten. */
  #age = {};
  readonly #texts = new SharedTexts();
  readonly #partitions: number;
  readonly #keyOf: (sensorId: string) => string;

  /** `keyOf`: what the log knows a sensor by. Whoever changes what it answers calls `forget` first. */
  constructor(partitions: number, keyOf: (sensorId: string) => string = (sensorId) => sensorId) {
    this.#partitions = partitions;
    this.#keyOf = keyOf;
  }

  /** All are looked at anew: ids may lead to other sensors than before. */
  forget(): void {
    this.#sensors.clear();
    this.#age = {};
  }

  /** What `find` found by the same fields before. */
  known(handle: SeriesHandle): KnownSeries | undefined {
    return handle.known?.age === this.#age ? handle.known.series : undefined;
  }

  keep(handle: SeriesHandle, series: KnownSeries): void {
    handle.known = { series, age: this.#age };
  }

  find(sensorId: string, sensorType: string, unit: string, location: string | undefined): KnownSeries | undefined {
    for (let s = this.#sensors.get(sensorId); s !== undefined; s = s.next) {
      if (s.sensorType === sensorType && s.unit === unit && s.location === location) return s;
    }
    return undefined;
  }

  /** The caller has checked the fields against the contract. */
  add(sensorId: string, sensorType: string, unit: string, location: string | undefined): KnownSeries {
    if (this.#sensors.size >= MAX_CACHED_SENSORS) this.forget();
    const others = this.#sensors.get(sensorId);
    const key = this.#keyOf(sensorId);
    let count = 0;
    for (let s = others; s !== undefined; s = s.next) count++;
    const series: KnownSeries = {
      sensorType: this.#texts.of(sensorType),
      unit: this.#texts.of(unit),
      location: location === undefined ? undefined : this.#texts.of(location),
      partition: partitionOf(key, this.#partitions),
      key: encodeSeriesKey({ sensorId: key, sensorType, unit, location }),
      next: count < MAX_SERIES_OF_A_SENSOR ? others : undefined,
    };
    this.#sensors.set(sensorId, series);
    return series;
  }
}
