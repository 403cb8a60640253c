/** Points of many sensors on their way to the ingestor: in columns, in batches of a bounded size. */
import type { Reading, SeriesBlock } from "../../../gen/es/telltale/v1/reading_pb.ts";
import { sensorAt } from "../../lib/batch-size.ts";
import { quoted } from "../../lib/quoted.ts";
import type { ProtocolRequest } from "../protocol.ts";
import type { Identity } from "./identity.ts";
import { MAX_REQUEST_POINTS, POINT_BYTES, tooMany } from "./limits.ts";

/** Points of a batch: with ids and attributes of the greatest length still no larger a record than a broker takes. */
const MAX_BATCH_POINTS = 10_000;
/** Points of a block, as the contract says. */
const MAX_BLOCK_POINTS = 8_192;
/** Of the time between two points of a block, microseconds. */
const MAX_DELTA_US = 2 ** 32 - 1;
/** What was refused is told up to so many times in an answer. */
const MAX_TOLD = 20;

export interface PointBatch {
  /** Points without a time: they get the server's. */
  readonly readings: Reading[];
  readonly blocks: SeriesBlock[];
}

export class Points {
  readonly #batches: PointBatch[] = [];
  #batch: PointBatch = { readings: [], blocks: [] };
  #inBatch = 0;
  #total = 0;
  /** The block of each sensor that takes more points, with the time of its last. */
  readonly #open = new Map<Identity, { readonly block: SeriesBlock; lastUs: number }>();

  /** @param timeUs undefined: the server's @throws HttpRefusal past the most of a request */
  add(identity: Identity, timeUs: number | undefined, value: number): void {
    if (++this.#total > MAX_REQUEST_POINTS) throw tooMany();
    if (this.#inBatch === MAX_BATCH_POINTS) this.#seal();
    this.#inBatch++;
    if (timeUs === undefined) {
      this.#batch.readings.push(readingOf(identity, value));
      return;
    }
    const open = this.#open.get(identity);
    const deltaUs = open === undefined ? -1 : timeUs - open.lastUs;
    if (open !== undefined && deltaUs >= 0 && deltaUs <= MAX_DELTA_US && open.block.values.length < MAX_BLOCK_POINTS) {
      open.block.timeDeltasUs.push(deltaUs);
      open.block.values.push(value);
      open.lastUs = timeUs;
      return;
    }
    const block = blockOf(identity, timeUs, value);
    this.#batch.blocks.push(block);
    this.#open.set(identity, { block, lastUs: timeUs });
  }

  get size(): number {
    return this.#total;
  }

  batches(): readonly PointBatch[] {
    this.#seal();
    return this.#batches;
  }

  #seal(): void {
    if (this.#inBatch > 0) this.#batches.push(this.#batch);
    this.#batch = { readings: [], blocks: [] };
    this.#inBatch = 0;
    this.#open.clear();
  }
}

/** Without `create`, which takes longer than all the rest of a point. */
function blockOf({ sensorId, sensorType, unit, attributes }: Identity, timeUs: number, value: number): SeriesBlock {
  return {
    $typeName: "telltale.v1.SeriesBlock",
    sensorId,
    sensorType,
    unit,
    baseTimeUs: BigInt(timeUs),
    timeDeltasUs: [0],
    values: [value],
    attributes: attributes as Record<string, string>,
  };
}

function readingOf({ sensorId, sensorType, unit, attributes }: Identity, value: number): Reading {
  const series = { sensorId, sensorType, unit, attributes: attributes as Record<string, string> };
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

function whyRefused(refused: number, told: readonly string[]): string {
  if (refused === 0) return "";
  const more = refused > told.length ? `; and ${refused - told.length} more` : "";
  return `${refused} refused, the others are stored. ${told.join("; ")}${more}`;
}
