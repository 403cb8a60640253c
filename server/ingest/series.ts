import { MAX_CACHED_SENSORS } from "./limits.ts";

/** A series that passed the contract's rules, with everything about it that is worth computing once. */
export interface KnownSeries {
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string | undefined;
  readonly partition: number;
  /** A `SeriesKey` in binary form, fields in order. */
  readonly key: Uint8Array;
}

const text = new TextEncoder();

/** 32-bit FNV-1a over the UTF-8 bytes of the id: the same in every process and language. */
export function partitionOf(sensorId: string, partitions: number): number {
  let h = 0x811c9dc5;
  for (const byte of text.encode(sensorId)) h = Math.imul(h ^ byte, 0x01000193);
  return (h >>> 0) % partitions;
}

function encodeKey(parts: readonly (string | undefined)[]): Uint8Array {
  const fields = parts.map((part) => (part === undefined ? undefined : text.encode(part)));
  const out: number[] = [];
  fields.forEach((bytes, i) => {
    // An absent location differs from an empty one; the other fields are never empty.
    if (bytes === undefined) return;
    out.push(((i + 1) << 3) | 2);
    for (let rest = bytes.length; ; rest >>= 7) {
      if (rest < 128) {
        out.push(rest);
        break;
      }
      out.push((rest & 127) | 128);
    }
    out.push(...bytes);
  });
  return Uint8Array.from(out);
}

/** Remembers series by what identifies them, so that the strings of a known one are neither checked nor encoded again. */
export class SeriesTable {
  readonly #sensors = new Map<string, KnownSeries[]>();
  readonly #partitions: number;

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  find(sensorId: string, sensorType: string, unit: string, location: string | undefined): KnownSeries | undefined {
    const variants = this.#sensors.get(sensorId);
    if (variants === undefined) return undefined;
    for (const s of variants) {
      if (s.sensorType === sensorType && s.unit === unit && s.location === location) return s;
    }
    return undefined;
  }

  /** The caller has checked the fields against the contract. */
  add(sensorId: string, sensorType: string, unit: string, location: string | undefined): KnownSeries {
    if (this.#sensors.size >= MAX_CACHED_SENSORS) this.#sensors.clear();
    const series: KnownSeries = {
      sensorType,
      unit,
      location,
      partition: partitionOf(sensorId, this.#partitions),
      key: encodeKey([sensorId, sensorType, unit, location]),
    };
    const variants = this.#sensors.get(sensorId);
    // A sensor that changes its unit with every reading must not grow a list without bound.
    if (variants === undefined || variants.length >= 16) this.#sensors.set(sensorId, [series]);
    else variants.push(series);
    return series;
  }
}
