import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { SeriesKeySchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { SharedTexts } from "../ingest/texts.ts";
import type { SeriesRow, Store } from "../store/store.ts";
import type { Sensors, Series } from "./sensors.ts";
import type { PartitionSettings } from "./settings.ts";

/** The series of a partition: found by the bytes of their key, as the log's records carry it. */
export class SeriesBook {
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

  constructor(sensors: Sensors, settings: PartitionSettings) {
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
    if (slot === undefined) this.#unmet.set(keyText(s), s.id);
    else this.#add(s, s.id, slot);
  }

  /** Takes in all series that the store has, in the order in which they were met, and their sensors with them. */
  adopt(all: readonly (SeriesRow & { readonly id: number })[]): void {
    for (const s of all) {
      if (this.#sensors.find(s.sensorId) === undefined) this.#sensors.add(s.sensorId, s.sensorType, s.unit);
      this.known(s);
    }
  }

  /** A series met in the log for the first time. */
  meet(key: string): Series {
    const fields = fieldsOf(fromBinary(SeriesKeySchema, Buffer.from(key, "latin1")));
    const { sensorId, sensorType, unit, location } = fields;
    let slot = this.#sensors.find(sensorId);
    if (slot === undefined) {
      slot = this.#sensors.add(sensorId, sensorType, unit);
      this.#settings.met(slot, sensorId, location, this.#sensors);
    }
    const number = this.#unmet.get(key);
    const series = this.#add(fields, number ?? -1, slot);
    if (number === undefined) this.#unnamed.push(series);
    return series;
  }

  #add({ sensorType, unit, location }: SeriesRow, id: number, slot: number): Series {
    const series: Series = {
      id,
      slot,
      sensorId: this.#sensors.ids[slot]!,
      sensorType: this.#texts.of(sensorType),
      unit: this.#texts.of(unit),
      location: location === undefined ? undefined : this.#texts.of(location),
    };
    this.#settings.place(slot, series.location);
    this.#byKey.set(keyText(series), series);
    const others = this.#bySlot[slot];
    if (others === undefined) this.#bySlot[slot] = series;
    else if (Array.isArray(others)) others.push(series);
    else this.#bySlot[slot] = [others, series];
    return series;
  }

  /** Has the store number the series met since the last time. */
  async name(store: Store, partition: number): Promise<void> {
    if (this.#unnamed.length === 0) return;
    const ids = await store.addSeries(partition, this.#unnamed);
    this.#unnamed.forEach((s, i) => {
      s.id = ids[i]!;
    });
    this.#unnamed = [];
  }
}

function fieldsOf({
  sensorId,
  sensorType,
  unit,
  location,
}: Omit<SeriesRow, "location"> & { location?: string | undefined }): SeriesRow {
  return { sensorId, sensorType, unit, location };
}

function keyText(s: SeriesRow): string {
  const key = create(SeriesKeySchema, {
    sensorId: s.sensorId,
    sensorType: s.sensorType,
    unit: s.unit,
    ...(s.location === undefined ? {} : { location: s.location }),
  });
  return Buffer.from(toBinary(SeriesKeySchema, key)).toString("latin1");
}
