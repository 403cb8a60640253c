/** Points of many sensors on their way to the ingestor: in columns, in batches of a bounded size. */
import type { Reading } from "../../../gen/es/telltale/v1/reading_pb.ts";
import { sensorAt } from "../../lib/batch-size.ts";
import { quoted } from "../../lib/quoted.ts";
import { toTimestamp } from "../../lib/time.ts";
import type { BatchBlock } from "../accept.ts";
import type { ProtocolRequest } from "../protocol.ts";
import type { Identity } from "./identity.ts";
import { MAX_REQUEST_POINTS, POINT_BYTES, tooMany } from "./limits.ts";

/** Points of a batch. */
const MAX_BATCH_POINTS = 10_000;
/** Points of a block, as the contract says. */
const MAX_BLOCK_POINTS = 8_192;
/** Of the time between two points of a block, microseconds. */
const MAX_DELTA_US = 2 ** 32 - 1;
/** What was refused is told up to so many times in an answer. */
export const MAX_TOLD = 20;

/** Of texts and metadata in a batch, characters: with those of the greatest length still no larger a record than a broker takes. */
const MAX_BATCH_CHARACTERS = 512 * 1024;

export interface PointBatch {
  /** Points without a time, which get the server's, and those that are more than a number. */
  readonly readings: Reading[];
  readonly blocks: BatchBlock[];
}

/** What points are of. */
export interface Series extends Identity {
  readonly location?: string;
}

interface OpenBlock {
  readonly series: Series;
  readonly block: BatchBlock;
  readonly index: number;
  lastUs: number;
}

/** One batch after the other. */
export class PointBatchBuilder {
  #batch: PointBatch = { readings: [], blocks: [] };
  #points = 0;
  #characters = 0;
  /** The newest block of each sensor: a point of another series of it begins another, which keeps their order. */
  readonly #open = new Map<string, OpenBlock>();
  /** Sensors with readings of their own, now or in batches before: those in blocks come behind them in a batch. */
  readonly #alone = new Set<string>();

  get isEmpty(): boolean {
    return this.#points === 0;
  }

  /** Whether it has to be taken before a reading of its own is added, or a point. */
  isFullFor(series: Series, isReading: boolean): boolean {
    if (this.#points >= MAX_BATCH_POINTS || this.#characters >= MAX_BATCH_CHARACTERS) return true;
    return isReading && this.#open.has(series.sensorId);
  }

  /**
   * @param timeUs undefined: the server's
   * @returns the block that has it, by its index; -1 where it is a reading of its own
   */
  add(series: Series, timeUs: number | undefined, value: number): number {
    if (timeUs === undefined || this.#alone.has(series.sensorId)) {
      this.addReading(series, { value, ...(timeUs === undefined ? {} : { observedAt: toTimestamp(timeUs) }) }, 0);
      return -1;
    }
    this.#points++;
    const open = this.#open.get(series.sensorId);
    const deltaUs = open === undefined ? -1 : timeUs - open.lastUs;
    const isNext = deltaUs >= 0 && deltaUs <= MAX_DELTA_US;
    if (open !== undefined && open.series === series && isNext && open.block.values.length < MAX_BLOCK_POINTS) {
      open.block.timeDeltasUs.push(deltaUs);
      open.block.values.push(value);
      open.lastUs = timeUs;
      return open.index;
    }
    const block = blockOf(series, timeUs, value);
    const index = this.#batch.blocks.push(block) - 1;
    this.#characters += lengthOf(series);
    this.#open.set(series.sensorId, { series, block, index, lastUs: timeUs });
    return index;
  }

  /** @param characters of what it has beside its number */
  addReading(series: Series, more: Pick<Reading, "value" | "observedAt" | "metadata">, characters: number): void {
    this.#points++;
    this.#alone.add(series.sensorId);
    this.#characters += characters + lengthOf(series);
    this.#batch.readings.push({ ...readingOf(series, more.value ?? 0), ...more });
  }

  /** The batch; the next one begins. */
  take(): PointBatch {
    const batch = this.#batch;
    this.#batch = { readings: [], blocks: [] };
    this.#points = 0;
    this.#characters = 0;
    this.#open.clear();
    return batch;
  }
}

function lengthOf({ sensorId, sensorType, unit, location = "" }: Series): number {
  return sensorId.length + sensorType.length + unit.length + location.length;
}

/** All points of one request. */
export class Points {
  readonly #batches: PointBatch[] = [];
  readonly #builder = new PointBatchBuilder();
  #total = 0;

  /** @param timeUs undefined: the server's @throws HttpRefusal past the most of a request */
  add(identity: Identity, timeUs: number | undefined, value: number): void {
    if (++this.#total > MAX_REQUEST_POINTS) throw tooMany();
    if (this.#builder.isFullFor(identity, timeUs === undefined)) this.#batches.push(this.#builder.take());
    this.#builder.add(identity, timeUs, value);
  }

  get size(): number {
    return this.#total;
  }

  batches(): readonly PointBatch[] {
    if (!this.#builder.isEmpty) this.#batches.push(this.#builder.take());
    return this.#batches;
  }
}

/** Without `create`, which takes longer than all the rest of a point. */
function blockOf(
  { sensorId, sensorType, unit, location, attributes, handle }: Series,
  timeUs: number,
  value: number,
): BatchBlock {
  const block: BatchBlock = {
    $typeName: "telltale.v1.SeriesBlock",
    sensorId,
    sensorType,
    unit,
    baseTimeUs: BigInt(timeUs),
    timeDeltasUs: [0],
    values: [value],
    attributes: attributes as Record<string, string>,
  };
  if (handle !== undefined) block.handle = handle;
  if (location !== undefined) block.location = location;
  return block;
}

function readingOf({ sensorId, sensorType, unit, location, attributes }: Series, value: number): Reading {
  const place = location === undefined ? {} : { location };
  const series = { sensorId, sensorType, unit, ...place, attributes: attributes as Record<string, string> };
  return { $typeName: "telltale.v1.Reading", ...series, value };
}

/** What became of the points of a request. */
export interface Stored {
  /** In the store now, or before. */
  readonly written: number;
  readonly refused: number;
  /** Which were refused and why, up to a limit; empty where none was. */
  readonly why: string;
}

/** What readings are stored by. */
export type Storing = Pick<ProtocolRequest, "submit" | "hold">;

/** Resolves when all that can be is saved and scored. @throws TelltaleError where nothing more is taken now */
export async function storePoints(points: Points, { submit, hold }: Storing): Promise<Stored> {
  hold(points.size * POINT_BYTES);
  const parts = [];
  for (const batch of points.batches()) parts.push({ batch, submission: await submit(batch) });
  let written = 0;
  let refused = 0;
  const told: string[] = [];
  for (const { batch, submission } of parts) {
    const { counts, refusals } = await submission.settled;
    written += counts.accepted + counts.duplicate;
    refused += counts.conflicting + counts.rejected;
    for (const { index, message } of refusals.slice(0, MAX_TOLD - told.length))
      told.push(`${quoted(sensorAt(batch, index))}: ${message}`);
  }
  return { written, refused, why: whyRefused(refused, told) };
}

/** What is refused before it is a point: counted, and named up to a limit. */
export class Faults {
  count = 0;
  readonly told: string[] = [];

  add(name: string, why: string): void {
    this.count++;
    if (this.told.length < MAX_TOLD) this.told.push(`${quoted(name)}: ${why}`);
  }

  get why(): string {
    return whyRefused(this.count, this.told);
  }
}

/** @param told of those that were refused, up to MAX_TOLD; empty where none was */
export function whyRefused(refused: number, told: readonly string[]): string {
  if (refused === 0) return "";
  const more = refused > told.length ? `; and ${refused - told.length} more` : "";
  return `${refused} refused, the others are stored. ${told.join("; ")}${more}`;
}
