import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { toTimestamp } from "../lib/time.ts";
import type { LoggedRecord } from "../log/record/decode.ts";
import { CONTROL_PLACE, type QuarantinedKey, type QuarantinedRow, RECORD_PLACE } from "../store/store.ts";
import { metadataOf } from "./scored.ts";
import type { Series } from "./sensors.ts";

/** What is set aside of one record. */
export interface SetAside {
  has(fragment: number, index: number): boolean;
}

/**
 * What of a partition's records is left out. What the store has of it decides what a record means: reading the log again gives the same
 * states, whoever does it. What was found here and is not stored yet comes with the commit of its record.
 */
export class Quarantine {
  /** By offset, the keys of what is set aside there. */
  readonly #known = new Map<number, Set<string>>();
  #pending: QuarantinedRow[] = [];
  /** Of these, those that a commit under way stores. */
  readonly #taken = new Set<QuarantinedRow>();

  /** Takes in what the store has. */
  load(keys: readonly QuarantinedKey[]): void {
    for (const key of keys) this.#remember(key);
  }

  add(row: QuarantinedRow): void {
    if (this.#known.get(row.offset)?.has(keyOf(row.fragment, row.index))) return;
    this.#remember(row);
    this.#pending.push(row);
  }

  /** A record as a whole, in place of what was found of it one by one and is not stored yet. */
  addRecord(row: QuarantinedRow): void {
    this.#pending = this.#pending.filter(({ offset }) => offset !== row.offset);
    this.add(row);
  }

  #remember({ offset, fragment, index }: QuarantinedKey): void {
    const keys = this.#known.get(offset) ?? new Set();
    this.#known.set(offset, keys.add(keyOf(fragment, index)));
  }

  /** Undefined where nothing of the record is set aside, as of nearly every one. */
  of(offset: number): SetAside | undefined {
    const keys = this.#known.size === 0 ? undefined : this.#known.get(offset);
    return keys && { has: (fragment, index) => keys.has(keyOf(fragment, index)) };
  }

  isWhole(offset: number): boolean {
    return this.of(offset)?.has(RECORD_PLACE, 0) ?? false;
  }

  /** Whether anything of the records from one offset to before the other is set aside. */
  hasBetween(from: number, to: number): boolean {
    return [...this.#known.keys()].some((offset) => offset >= from && offset < to);
  }

  /** What a commit of the records before `nextOffset` has to store, and no other one does meanwhile. */
  takeBefore(nextOffset: number): QuarantinedRow[] {
    if (this.#pending.length === 0) return [];
    const rows = this.#pending.filter((row) => row.offset < nextOffset && !this.#taken.has(row));
    for (const row of rows) this.#taken.add(row);
    return rows;
  }

  /** Records that are to be taken each by itself, since one of them could not be scored, with the readings found to be at fault. */
  readonly suspects = new Map<number, number>();

  /** Whether something of the record is found and not stored yet. */
  isPending(offset: number): boolean {
    return this.#pending.some((row) => row.offset === offset);
  }

  /** They are in the store. */
  stored(rows: readonly QuarantinedRow[]): void {
    if (rows.length === 0) return;
    this.#pending = this.#pending.filter((row) => !rows.includes(row));
    for (const row of rows) this.#taken.delete(row);
  }

  /** No commit is under way: what is not stored yet has to be by another one. */
  begin(): void {
    this.#taken.clear();
  }
}

const keyOf = (fragment: number, index: number) => `${fragment}/${index}`;

/** A reading that was taken from the log, as it would have to be resent. */
export interface TakenReading {
  readonly series: Series;
  readonly timeUs: number;
  readonly value: number;
  readonly struct: Uint8Array | undefined;
}

export function readingPayload({ series, timeUs, value, struct }: TakenReading): Uint8Array {
  const reading = create(ReadingSchema, {
    sensorId: series.sensorId,
    sensorType: series.sensorType,
    unit: series.unit,
    value,
    observedAt: toTimestamp(timeUs),
    ...(series.location === undefined ? {} : { location: series.location }),
    ...metadataField(struct),
  });
  return toBinary(ReadingSchema, reading);
}

/** Metadata may be the very thing that cannot be read. */
function metadataField(struct: Uint8Array | undefined) {
  if (struct === undefined) return {};
  try {
    fromBinary(StructSchema, struct);
    return { metadata: metadataOf(struct) };
  } catch (error) {
    if (error instanceof Error) return {};
    throw error;
  }
}

export function controlRow(offset: number, index: number, control: Control, why: Why): QuarantinedRow {
  const payload = toBinary(ControlSchema, control);
  return { offset, fragment: CONTROL_PLACE, index, readings: 0, sensorId: "", ...why, payload };
}

/** `record`: undefined where the bytes are none that can be read. */
export function recordRow(
  offset: number,
  bytes: Uint8Array,
  record: LoggedRecord | undefined,
  why: Why,
): QuarantinedRow {
  const readings = record?.readings ?? 0;
  return { offset, fragment: RECORD_PLACE, index: 0, readings, sensorId: "", ...why, payload: bytes };
}

/** What is reported about something that is set aside. */
export interface Why {
  readonly reason: string;
  readonly sqlstate: string;
  readonly receivedUs: number;
}
