/**
 * Turns a batch as it came off the wire into fragments for the partitions of the log, and refuses what breaks a rule, reading by
 * reading. Pure: the clock's reading is passed in.
 */

import { create, fromJson, type JsonObject, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { MAX_TIME_US } from "../../formats/time.ts";
import { type Refusal, RefusalReason, RefusalSchema } from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { Reading, SeriesBlock } from "../../gen/es/telltale/v1/reading_pb.ts";
import { quoted } from "../lib/quoted.ts";
import { toMicros } from "../lib/time.ts";
import { encodeFragment, type Run } from "../log/record/encode.ts";
import type { SensorsOverLimit } from "../security/quota.ts";
import { BatchAttributes, KnownAttributes } from "./attributes.ts";
import { checkAttributes, checkSeries, checkValue, type Fault } from "./check.ts";
import { MAX_METADATA_BYTES, MAX_METADATA_DEPTH, MAX_METADATA_VALUES, MAX_REFUSALS_DETAILED } from "./limits.ts";
import type { KnownSeries, SeriesHandle, SeriesTable } from "./series.ts";

export interface Batch {
  readonly producer: string;
  readonly epoch: bigint;
  /** 0 where the sender gave none. */
  readonly sequence: bigint;
  readonly traceparent: string;
  readonly readings: readonly Reading[];
  readonly blocks: readonly BatchBlock[];
  /** Whether the stored readings are wanted back. */
  readonly echo: boolean;
}

/** With what its sender keeps of the series, where it does. */
export type BatchBlock = SeriesBlock & { handle?: SeriesHandle };

export interface AcceptRules {
  /** The server's clock, microseconds since 1970. */
  readonly nowUs: number;
  /** How far ahead of it a reading may be. */
  readonly maxAheadUs: number;
  /** Observed before this: older than what is retained. 0: everything is retained. */
  readonly oldestUs: number;
  /** Whether the caller may write the sensor. */
  readonly mayWrite: (sensorId: string) => boolean;
  /** Where the number of sensors is limited. Asked for series that this process has not met, not for each reading. */
  readonly census?: Census | undefined;
  /** Sensors that the sender may not send beside those that it has. */
  readonly overLimit?: SensorsOverLimit | undefined;
}

/** The sensors of the installation, of which there may be so many. */
export interface Census {
  readonly limit: number;
  mayBegin(sensorId: string): boolean;
  begin(sensorId: string): void;
}

export interface Accepted {
  /** Encoded `Fragment` fields with the readings in each, by partition. */
  readonly fragments: ReadonlyMap<number, { readonly bytes: Uint8Array; readonly readings: number }>;
  readonly refusals: readonly Refusal[];
  readonly rejected: number;
  /** Readings in the batch, refused ones included. */
  readonly total: number;
  /** To be called once the fragments are in the log. */
  readonly logged: () => void;
}

/** Of single readings, while neighbours may join it. */
interface OpenRun extends Run {
  readonly times: number[] | undefined;
  readonly values: number[];
  metadata: { position: number; struct: Uint8Array }[] | undefined;
}

/** Room for the times of a batch's blocks, until its fragments are encoded: lists that grow with each block are its garbage. */
class TimeColumns {
  #times = new Float64Array(4096);
  #used = 0;

  clear(): void {
    this.#used = 0;
  }

  take(count: number): Float64Array {
    // Columns that were taken before keep what they are in.
    if (this.#used + count > this.#times.length) {
      this.#times = new Float64Array(Math.max(count, 2 * this.#times.length));
      this.#used = 0;
    }
    this.#used += count;
    return this.#times.subarray(this.#used - count, this.#used);
  }
}

export class Acceptor {
  readonly #table: SeriesTable;
  readonly #attributes = new KnownAttributes();
  readonly #times = new TimeColumns();
  constructor(table: SeriesTable) {
    this.#table = table;
  }

  accept(batch: Batch, rules: AcceptRules): Accepted {
    const runs = new Map<number, Run[]>();
    this.#times.clear();
    const refusals: Refusal[] = [];
    const known = new BatchAttributes(this.#attributes, rules.nowUs);
    let rejected = 0;
    const { sequence } = batch;
    const refuse: Refuse = (first, faults, points = 1) => {
      rejected += points;
      for (let index = first; index < first + points; index++) {
        for (const { reason, field, message } of faults) {
          if (refusals.length >= MAX_REFUSALS_DETAILED) return;
          refusals.push(create(RefusalSchema, { sequence, index, reason, field, message }));
        }
      }
    };

    let index = 0;
    let last: OpenRun | undefined;
    let lastSeries: KnownSeries | undefined;
    for (const reading of batch.readings) {
      const at = index++;
      const series = this.#resolve(reading, rules);
      const time = reading.observedAt === undefined ? undefined : toMicros(reading.observedAt);
      const struct = reading.metadata === undefined ? undefined : checkMetadata(reading.metadata);
      if (
        series === undefined ||
        checkValue(reading.value) !== undefined ||
        (time !== undefined && checkTime(time, rules) !== undefined) ||
        (struct !== undefined && "field" in struct) ||
        checkAttributes(reading.attributes) !== undefined
      ) {
        refuse(at, faultsOf(reading, rules));
        continue;
      }
      const attributes = known.toLog(reading.sensorId, reading.attributes);
      // Neighbours of one series make one run.
      let run = last;
      if (
        run === undefined ||
        attributes !== undefined ||
        lastSeries !== series ||
        run.firstIndex + run.values.length !== at ||
        (run.times === undefined) !== (time === undefined)
      ) {
        run = openRun(series, at, time, reading.value as number, attributes);
        push(runs, series.partition, run);
        last = run;
        lastSeries = series;
      } else {
        if (time !== undefined) run.times?.push(time);
        run.values.push(reading.value as number);
      }
      if (struct !== undefined) {
        run.metadata ??= [];
        run.metadata.push({ position: run.values.length - 1, struct });
      }
    }

    for (const block of batch.blocks) {
      const at = index;
      const points = Math.max(block.values.length, block.timeDeltasUs.length);
      index += points;
      const series = this.#resolve(block, rules);
      const ofColumns = columnFaults(block);
      if (series === undefined || ofColumns.length > 0) {
        const faults = [...(series === undefined ? seriesFaults(block, rules) : []), ...ofColumns];
        refuse(at, faults, Math.max(1, points));
        if (points === 0) index++;
        continue;
      }
      const base = Number(block.baseTimeUs);
      this.#acceptBlock(block, base, at, { series, known }, rules, runs, refuse);
    }

    const fragments = new Map<number, { bytes: Uint8Array; readings: number }>();
    for (const [partition, list] of runs) {
      let readings = 0;
      for (const run of list) readings += run.values.length;
      fragments.set(partition, { bytes: encodeFragment(batch, list), readings });
    }
    return { fragments, refusals, rejected, total: index, logged: () => known.logged() };
  }

  /** Good stretches of the block become runs; a bad point is refused alone. */
  #acceptBlock(
    block: SeriesBlock,
    base: number,
    firstIndex: number,
    { series, known }: { readonly series: KnownSeries; readonly known: BatchAttributes },
    rules: AcceptRules,
    runs: Map<number, Run[]>,
    refuse: Refuse,
  ): void {
    const { values, timeDeltasUs } = block;
    const first = base + timeDeltasUs[0]!;
    // A block of one, as of a scrape: the view and the function below would be most of what it costs.
    if (values.length === 1 && Number.isFinite(values[0]) && checkTime(first, rules) === undefined) {
      const attributes = known.toLog(block.sensorId, block.attributes);
      const run = { key: series.key, firstIndex, times: [first], values, metadata: undefined, attributes };
      push(runs, series.partition, run);
      return;
    }
    const times = this.#times.take(values.length);
    const close = (from: number, to: number) => {
      if (from === to) return;
      const whole = to - from === values.length;
      // With the first good point: once they are known to go along, there are no news in them.
      const attributes = known.toLog(block.sensorId, block.attributes);
      push(runs, series.partition, {
        key: series.key,
        firstIndex: firstIndex + from,
        times: whole ? times : times.subarray(from, to),
        values: whole ? values : values.slice(from, to),
        metadata: undefined,
        attributes,
      });
    };
    let time = base;
    let from = 0;
    for (let i = 0; i < values.length; i++) {
      time += timeDeltasUs[i]!;
      times[i] = time;
      const value = values[i]!;
      const badTime = checkTime(time, rules);
      if (Number.isFinite(value) && badTime === undefined) continue;
      const badValue = checkValue(value);
      refuse(
        firstIndex + i,
        [badValue && invalid(badValue), badTime].filter((fault) => fault !== undefined),
      );
      close(from, i);
      from = i + 1;
    }
    close(from, values.length);
  }

  /** Undefined where a rule is broken; `seriesFaults` says which. */
  #resolve(from: SeriesFields, rules: AcceptRules): KnownSeries | undefined {
    const { sensorId, sensorType, unit, location, handle } = from;
    let known = handle === undefined ? undefined : this.#table.known(handle);
    if (known === undefined) {
      known = this.#table.find(sensorId, sensorType, unit, location);
      if (known !== undefined && handle !== undefined) this.#table.keep(handle, known);
    }
    if (known === undefined && checkSeries(sensorId, sensorType, unit, location).length > 0) return undefined;
    if (!rules.mayWrite(sensorId) || rules.overLimit?.refused.has(sensorId)) return undefined;
    if (known !== undefined) return known;
    if (rules.census?.mayBegin(sensorId) === false) return undefined;
    rules.census?.begin(sensorId);
    return this.#table.add(sensorId, sensorType, unit, location);
  }
}

type SeriesFields = Pick<Reading | SeriesBlock, "sensorId" | "sensorType" | "unit" | "location"> & {
  readonly handle?: SeriesHandle;
};

/** A broken rule, with the kind of refusal that it makes. */
interface Refused extends Fault {
  readonly reason: RefusalReason;
}

/** Refuses `points` readings from `first` on, each for all of the faults. */
type Refuse = (first: number, faults: readonly Refused[], points?: number) => void;

function invalid({ field, message }: Fault): Refused {
  return { reason: RefusalReason.INVALID, field, message };
}

/** Everything that is wrong with a reading, not only what was found first: who mends it need not come back for each. */
function faultsOf(reading: Reading, rules: AcceptRules): Refused[] {
  const value = checkValue(reading.value);
  const time = reading.observedAt === undefined ? undefined : checkTime(toMicros(reading.observedAt), rules);
  const metadata = reading.metadata === undefined ? undefined : checkMetadata(reading.metadata);
  const attributes = checkAttributes(reading.attributes);
  return [
    ...seriesFaults(reading, rules),
    ...(value === undefined ? [] : [invalid(value)]),
    ...(time === undefined ? [] : [time]),
    ...(metadata !== undefined && "field" in metadata ? [invalid(metadata)] : []),
    ...(attributes === undefined ? [] : [invalid(attributes)]),
  ];
}

function seriesFaults({ sensorId, sensorType, unit, location }: SeriesFields, rules: AcceptRules): Refused[] {
  const faults = checkSeries(sensorId, sensorType, unit, location).map(invalid);
  if (rules.overLimit?.refused.has(sensorId)) return [...faults, senderHasTooMany(sensorId, rules.overLimit.limit)];
  if (rules.mayWrite(sensorId)) return [...faults, ...censusFaults(sensorId, rules.census)];
  const message = `sensor_id ${quoted(sensorId)} may not be written with this token: use one whose sensor prefix fits`;
  return [...faults, { reason: RefusalReason.FORBIDDEN, field: "sensor_id", message }];
}

function censusFaults(sensorId: string, census: Census | undefined): Refused[] {
  if (census === undefined || census.mayBegin(sensorId)) return [];
  const message =
    `sensor_id ${quoted(sensorId)} is new, and there are ${census.limit} sensors already, which is the limit of this installation ` +
    "(LIMIT_SENSORS_TOTAL): delete sensors that are not needed any more, or raise the limit";
  return [{ reason: RefusalReason.TOO_MANY_SENSORS, field: "sensor_id", message }];
}

function senderHasTooMany(sensorId: string, limit: number): Refused {
  const message =
    `sensor_id ${quoted(sensorId)} is beyond the ${limit} sensors that its sender may have in a day (LIMIT_SENSORS): ` +
    "send fewer, or raise the limit";
  return { reason: RefusalReason.TOO_MANY_SENSORS, field: "sensor_id", message };
}

const NO_FAULTS: readonly Refused[] = [];

function columnFaults({ sensorId, values, timeDeltasUs, attributes }: SeriesBlock): readonly Refused[] {
  const wrong = checkAttributes(attributes);
  const faults = wrong === undefined ? NO_FAULTS : [invalid(wrong)];
  if (values.length === timeDeltasUs.length && values.length > 0) return faults;
  const message = `block of sensor ${quoted(sensorId)} has ${timeDeltasUs.length} times and ${values.length} values: give as many of one as of the other, at least 1`;
  return [...faults, { reason: RefusalReason.INVALID, field: "values", message }];
}

/** With its first reading in lists of one: an empty list that one thing is put into has room for sixteen more. */
function openRun(
  { key }: KnownSeries,
  firstIndex: number,
  time: number | undefined,
  value: number,
  attributes: Uint8Array | undefined,
): OpenRun {
  return {
    key,
    firstIndex,
    times: time === undefined ? undefined : [time],
    values: [value],
    metadata: undefined,
    attributes,
  };
}

function push(runs: Map<number, Run[]>, partition: number, run: Run): void {
  const list = runs.get(partition);
  if (list === undefined) runs.set(partition, [run]);
  else list.push(run);
}

function checkTime(us: number, rules: AcceptRules): Refused | undefined {
  if (us >= rules.oldestUs && us <= rules.nowUs + rules.maxAheadUs) return undefined;
  const field = "observed_at";
  if (!(us >= 0 && us <= MAX_TIME_US)) {
    const message = "observed_at is not a time between 1970 and 9999: give a valid one";
    return { reason: RefusalReason.INVALID, field, message };
  }
  const at = new Date(us / 1000).toISOString();
  if (us > rules.nowUs) {
    const message = `observed_at ${at} is more than ${rules.maxAheadUs / 1e6} s ahead of the server's clock (${new Date(rules.nowUs / 1000).toISOString()}): set the device's clock`;
    return { reason: RefusalReason.FUTURE, field, message };
  }
  const message = `observed_at ${at} is older than what is retained (from ${new Date(rules.oldestUs / 1000).toISOString()}): it was not stored`;
  return { reason: RefusalReason.TOO_OLD, field, message };
}

function checkMetadata(metadata: JsonObject): Uint8Array | Fault {
  const wrong = unstorable(metadata);
  if (wrong !== undefined) return { field: "metadata", message: `metadata ${wrong}` };
  const struct = toBinary(StructSchema, fromJson(StructSchema, metadata));
  if (struct.length <= MAX_METADATA_BYTES) return struct;
  return {
    field: "metadata",
    message: `metadata has ${struct.length} bytes: give at most ${MAX_METADATA_BYTES}`,
  };
}

/** What JSON, in which metadata is given back, has no word for, or a database no room. */
function unstorable(value: JsonValue, depth = 0, seen = { values: 0 }): string | undefined {
  if (++seen.values > MAX_METADATA_VALUES)
    return `holds more than ${MAX_METADATA_VALUES} names and values: give at most ${MAX_METADATA_BYTES} bytes`;
  if (depth > MAX_METADATA_DEPTH) return `is nested deeper than ${MAX_METADATA_DEPTH} levels: flatten it`;
  if (typeof value === "number" && !Number.isFinite(value)) return `holds ${value}: give finite numbers`;
  if (typeof value === "string" && value.includes("\0"))
    return `holds ${quoted(value)} with a NUL character: leave it out`;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const wrong = unstorable(key, depth, seen) ?? unstorable(inner, depth + 1, seen);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
