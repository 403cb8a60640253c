import { SharedTexts } from "../lib/shared-texts.ts";
import { decodeSeriesKey, encodeSeriesKey } from "../log/record/series-key.ts";
import { isRefusal } from "../postgres/unavailable.ts";
import type { SeriesRow, Store } from "../store/store.ts";
import type { Sensors, Series } from "./sensors.ts";
import type { PartitionSettings } from "./settings.ts";
import type { Shown } from "./shown.ts";

/**
 * Bytes of a key in a record; the longest that an endpoint takes has 1,491, for 370 characters. What is set aside of a record names its
 * series with each reading.
 */
const MAX_KEY_BYTES = 2048;

/** The series of a partition: found by the bytes of their key, as the log's records carry it. */
export class SeriesBook {
  readonly shown: Shown;
  readonly #sensors: Sensors;
  readonly #settings: PartitionSettings;
  readonly #byKey = new Map<string, Series>();
  /** By slot; most sensors have one series, and no list for it. */
  readonly #bySlot: (Series | Series[])[] = [];
  readonly #texts = new SharedTexts();
  /** Numbers of series that the store knows and the saved state does not yet: they are met again in the log. */
  readonly #unmet = new Map<string, number>();
  /** Series met that the store has not numbered yet. */
  #unnamed: Series[] = [];

  constructor(sensors: Sensors, settings: PartitionSettings, shown: Shown) {
    this.shown = shown;
    this.#sensors = sensors;
    this.#settings = settings;
  }

  get(key: string): Series | undefined {
    return this.#byKey.get(key);
  }

  /** All series of a sensor, in the order in which they were met. */
  ofSlot(slot: number): readonly Series[] {
    const found = this.#bySlot[slot] ?? [];
    return Array.isArray(found) ? found : [found];
  }

  /** A series that the store has. */
  known(s: SeriesRow & { readonly id: number }): void {
    const slot = this.#sensors.find(s.sensorId);
    const key = encodeSeriesKey(s);
    if (slot === undefined) this.#unmet.set(key, s.id);
    else this.#add(key, s, s.id, slot);
  }

  /** Takes in all series that the store has, in the order in which they were met, and their sensors with them. */
  adopt(all: readonly (SeriesRow & { readonly id: number })[]): void {
    for (const s of all) {
      if (this.#sensors.find(s.sensorId) === undefined) this.#sensors.add(s.sensorId, s.sensorType, s.unit);
      this.known(s);
    }
  }

  /**
   * A series met in the log for the first time.
   *
   * @throws Error where the bytes are no key, too many, or of one without a sensor: the record is damaged, and is set aside
   */
  meet(key: string): Series {
    if (key.length > MAX_KEY_BYTES) throw new Error(`the key of a series of it has ${key.length} bytes`);
    const fields = decodeSeriesKey(key);
    if (fields.sensorId === "") throw new Error("a series of it names no sensor");
    return this.#meet(key, fields);
  }

  #meet(key: string, fields: SeriesRow): Series {
    const { sensorId, sensorType, unit, location } = fields;
    let slot = this.#sensors.find(sensorId);
    if (slot === undefined) {
      slot = this.#sensors.add(sensorId, sensorType, unit);
      this.#settings.met(slot, sensorId, location, this.#sensors);
    }
    const usual = encodeSeriesKey(fields);
    // The text that the table is asked with, where it is the same: it is kept once.
    const kept = usual === key ? key : usual;
    const number = this.#unmet.get(kept);
    this.#unmet.delete(kept);
    const series = this.#add(kept, fields, number ?? -1, slot);
    if (number === undefined) this.#unnamed.push(series);
    return series;
  }

  /** Takes in the series of these sensors that the store has and that no record has shown. */
  meetStored(sensorIds: ReadonlySet<string>): void {
    for (const key of this.#unmet.keys()) {
      const fields = decodeSeriesKey(key);
      // Former versions stored damaged records without one.
      if (fields.sensorId !== "" && sensorIds.has(fields.sensorId)) this.#meet(key, fields);
    }
  }

  #add(key: string, { sensorType, unit, location }: SeriesRow, id: number, slot: number): Series {
    const series: Series = {
      id,
      slot,
      sensorId: this.#sensors.ids[slot]!,
      sensorType: this.#texts.of(sensorType),
      unit: this.#texts.of(unit),
      location: location === undefined ? undefined : this.#texts.of(location),
    };
    this.#settings.place(slot, series.location);
    this.#byKey.set(key, series);
    const others = this.#bySlot[slot];
    if (others === undefined) this.#bySlot[slot] = series;
    else if (Array.isArray(others)) others.push(series);
    else this.#bySlot[slot] = [others, series];
    return series;
  }

  /**
   * The sensor in the slot is gone. `live`: the store's series of it go with this record; else the store has those of after it, and what was
   * met before is not to be named there.
   */
  forget(slot: number, live: boolean): void {
    for (const s of this.ofSlot(slot)) {
      const key = encodeSeriesKey(s);
      this.#byKey.delete(key);
      if (live) this.#unmet.delete(key);
      else if (s.id >= 0) this.#unmet.set(key, s.id);
    }
    this.#bySlot[slot] = [];
    if (!live) this.#unnamed = this.#unnamed.filter((s) => s.slot !== slot);
  }

  /** Which of the series that the store has not numbered it would refuse, each by itself. */
  async refused(store: Pick<Store, "addSeries">, partition: number): Promise<Set<Series>> {
    const refused = new Set<Series>();
    for (const s of this.#unnamed) {
      await store.addSeries(partition, [s]).catch((error: unknown) => {
        if (!isRefusal(error)) throw error;
        refused.add(s);
      });
    }
    return refused;
  }

  /** Has the store number the series met since the last time; answers with these. */
  async name(store: Store, partition: number): Promise<readonly Series[]> {
    if (this.#unnamed.length === 0) return [];
    const ids = await store.addSeries(partition, this.#unnamed);
    this.#unnamed.forEach((s, i) => {
      s.id = ids[i]!;
    });
    const named = this.#unnamed;
    this.#unnamed = [];
    return named;
  }

  /** The unit that the sensor had before the series, where it is another. */
  unitBefore(series: Series): string | undefined {
    const all = this.ofSlot(series.slot);
    const before = all[all.indexOf(series) - 1];
    return before === undefined || before.unit === series.unit ? undefined : before.unit;
  }
}
