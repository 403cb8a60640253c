/**
 * Turns a batch as it came off the wire into fragments for the partitions of the log, and refuses what breaks a rule, reading by
 * reading. Pure: the clock's reading is passed in.
 */
import { create, fromJson, type JsonObject, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { StructSchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import { type Refusal, RefusalReason, RefusalSchema } from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { Reading, SeriesBlock } from "../../gen/es/telltale/v1/reading_pb.ts";
import { encodeFragment } from "../record/encode.ts";
import { checkSeries, checkValue, type Fault, shown } from "./check.ts";
import { MAX_METADATA_BYTES, MAX_REFUSALS_DETAILED, MAX_TIME_US } from "./limits.ts";
import type { KnownSeries, SeriesTable } from "./series.ts";

export interface Batch {
  readonly producer: string;
  readonly epoch: bigint;
  /** 0 where the sender gave none. */
  readonly sequence: bigint;
  readonly traceparent: string;
  readonly readings: readonly Reading[];
  readonly blocks: readonly SeriesBlock[];
  /** Whether the stored readings are wanted back. */
  readonly echo: boolean;
}

export interface AcceptRules {
  /** The server's clock, microseconds since 1970. */
  readonly nowUs: number;
  /** How far ahead of it a reading may be. */
  readonly maxAheadUs: number;
  /** Observed before this: older than what is retained. 0: everything is retained. */
  readonly oldestUs: number;
  /** Whether the caller may write the sensor. */
  readonly mayWrite: (sensorId: string) => boolean;
}

export interface Accepted {
  /** Encoded `Fragment` fields with the readings in each, by partition. */
  readonly fragments: ReadonlyMap<number, { readonly bytes: Uint8Array; readonly readings: number }>;
  readonly refusals: readonly Refusal[];
  readonly rejected: number;
  /** Readings in the batch, refused ones included. */
  readonly total: number;
}

interface OpenRun {
  key: string;
  firstIndex: number;
  times: number[] | undefined;
  values: number[] | Float64Array;
  count: number;
  metadata: { position: number; struct: Uint8Array }[] | undefined;
}

/** Whole microseconds since 1970, or NaN where the timestamp is malformed. */
export function toMicros(t: Timestamp): number {
  if (t.nanos < 0 || t.nanos > 999_999_999) return Number.NaN;
  return Number(t.seconds) * 1e6 + Math.floor(t.nanos / 1000);
}

export class Acceptor {
  readonly #table: SeriesTable;
  constructor(table: SeriesTable) {
    this.#table = table;
  }

  accept(batch: Batch, rules: AcceptRules): Accepted {
    const runs = new Map<number, OpenRun[]>();
    const refusals: Refusal[] = [];
    let rejected = 0;
    const refuse = (index: number, reason: RefusalReason, fault: Fault, points = 1) => {
      rejected += points;
      for (let i = 0; i < points && refusals.length < MAX_REFUSALS_DETAILED; i++) {
        refusals.push(
          create(RefusalSchema, {
            sequence: batch.sequence,
            index: index + i,
            reason,
            field: fault.field,
            message: fault.message,
          }),
        );
      }
    };

    let index = 0;
    let last: OpenRun | undefined;
    let lastSeries: KnownSeries | undefined;
    for (const reading of batch.readings) {
      const at = index++;
      const series = this.#resolve(reading, rules);
      if ("fault" in series) {
        refuse(at, series.reason, series.fault);
        continue;
      }
      const valueFault = checkValue(reading.value);
      if (valueFault !== undefined) {
        refuse(at, RefusalReason.INVALID, valueFault);
        continue;
      }
      let time: number | undefined;
      if (reading.observedAt !== undefined) {
        time = toMicros(reading.observedAt);
        const bad = checkTime(time, rules);
        if (bad !== undefined) {
          refuse(at, bad.reason, bad.fault);
          continue;
        }
      }
      let struct: Uint8Array | undefined;
      if (reading.metadata !== undefined) {
        const checked = checkMetadata(reading.metadata);
        if ("field" in checked) {
          refuse(at, RefusalReason.INVALID, checked);
          continue;
        }
        struct = checked;
      }
      // Neighbours of one series make one run.
      let run = last;
      if (
        run === undefined ||
        lastSeries !== series ||
        run.firstIndex + run.count !== at ||
        (run.times === undefined) !== (time === undefined)
      ) {
        run = {
          key: series.key,
          firstIndex: at,
          times: time === undefined ? undefined : [],
          values: [],
          count: 0,
          metadata: undefined,
        };
        push(runs, series.partition, run);
        last = run;
        lastSeries = series;
      }
      if (time !== undefined) run.times?.push(time);
      (run.values as number[]).push(reading.value as number);
      if (struct !== undefined) {
        run.metadata ??= [];
        run.metadata.push({ position: run.count, struct });
      }
      run.count++;
    }

    for (const block of batch.blocks) {
      const at = index;
      const points = Math.max(block.values.length, block.timeDeltasUs.length);
      index += points;
      const series = this.#resolve(block, rules);
      if ("fault" in series) {
        refuse(at, series.reason, series.fault, Math.max(1, points));
        if (points === 0) index++;
        continue;
      }
      if (block.values.length !== block.timeDeltasUs.length || points === 0) {
        refuse(
          at,
          RefusalReason.INVALID,
          {
            field: "values",
            message: `block of sensor ${shown(block.sensorId)} has ${block.timeDeltasUs.length} times and ${block.values.length} values: give as many of one as of the other, at least 1`,
          },
          Math.max(1, points),
        );
        if (points === 0) index++;
        continue;
      }
      const base = Number(block.baseTimeUs);
      this.#acceptBlock(block, base, at, series, rules, runs, refuse);
    }

    const fragments = new Map<number, { bytes: Uint8Array; readings: number }>();
    for (const [partition, list] of runs) {
      let readings = 0;
      for (const run of list) readings += run.count;
      fragments.set(partition, { bytes: encodeFragment(batch, list), readings });
    }
    return { fragments, refusals, rejected, total: index };
  }

  /** Good stretches of the block become runs; a bad point is refused alone. */
  #acceptBlock(
    block: SeriesBlock,
    base: number,
    firstIndex: number,
    series: KnownSeries,
    rules: AcceptRules,
    runs: Map<number, OpenRun[]>,
    refuse: (index: number, reason: RefusalReason, fault: Fault) => void,
  ): void {
    let time = base;
    let run: OpenRun | undefined;
    const { values, timeDeltasUs } = block;
    for (let i = 0; i < values.length; i++) {
      time += timeDeltasUs[i]!;
      const value = values[i]!;
      const bad = Number.isFinite(value)
        ? checkTime(time, rules)
        : { reason: RefusalReason.INVALID, fault: checkValue(value) as Fault };
      if (bad !== undefined) {
        refuse(firstIndex + i, bad.reason, bad.fault);
        run = undefined;
        continue;
      }
      if (run === undefined) {
        run = { key: series.key, firstIndex: firstIndex + i, times: [], values: [], count: 0, metadata: undefined };
        push(runs, series.partition, run);
      }
      run.times!.push(time);
      (run.values as number[]).push(value);
      run.count++;
    }
  }

  #resolve(
    from: Pick<Reading | SeriesBlock, "sensorId" | "sensorType" | "unit" | "location">,
    rules: AcceptRules,
  ): KnownSeries | { readonly fault: Fault; readonly reason: RefusalReason } {
    let series = this.#table.find(from.sensorId, from.sensorType, from.unit, from.location);
    if (series === undefined) {
      const fault = checkSeries(from.sensorId, from.sensorType, from.unit, from.location);
      if (fault !== undefined) return { fault, reason: RefusalReason.INVALID };
      series = this.#table.add(from.sensorId, from.sensorType, from.unit, from.location);
    }
    if (!rules.mayWrite(from.sensorId)) {
      const message = `sensor_id ${shown(from.sensorId)} may not be written with this token: use one whose sensor prefix fits`;
      return { fault: { field: "sensor_id", message }, reason: RefusalReason.FORBIDDEN };
    }
    return series;
  }
}

function push(runs: Map<number, OpenRun[]>, partition: number, run: OpenRun): void {
  const list = runs.get(partition);
  if (list === undefined) runs.set(partition, [run]);
  else list.push(run);
}

function checkTime(us: number, rules: AcceptRules): { reason: RefusalReason; fault: Fault } | undefined {
  if (us >= rules.oldestUs && us <= rules.nowUs + rules.maxAheadUs) return undefined;
  const field = "observed_at";
  if (!(us >= 0 && us <= MAX_TIME_US)) {
    const message = "observed_at is not a time between 1970 and 9999: give a valid one";
    return { reason: RefusalReason.INVALID, fault: { field, message } };
  }
  const at = new Date(us / 1000).toISOString();
  if (us > rules.nowUs) {
    const message = `observed_at ${at} is more than ${rules.maxAheadUs / 1e6} s ahead of the server's clock (${new Date(rules.nowUs / 1000).toISOString()}): set the device's clock`;
    return { reason: RefusalReason.FUTURE, fault: { field, message } };
  }
  const message = `observed_at ${at} is older than what is retained (from ${new Date(rules.oldestUs / 1000).toISOString()}): it was not stored`;
  return { reason: RefusalReason.TOO_OLD, fault: { field, message } };
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
function unstorable(value: JsonValue): string | undefined {
  if (typeof value === "number" && !Number.isFinite(value)) return `holds ${value}: give finite numbers`;
  if (typeof value === "string" && value.includes("\0"))
    return `holds ${shown(value)} with a NUL character: leave it out`;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const wrong = unstorable(key) ?? unstorable(inner);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
