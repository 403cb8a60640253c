import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { StreamReadingsRequest } from "../gen/es/telltale/v1/ingest_pb.ts";
import { type Reading, ReadingSchema, type SeriesBlock, SeriesBlockSchema } from "../gen/es/telltale/v1/reading_pb.ts";
import type { DeviceBlock, DeviceReading } from "./types.ts";

/** Largest distance between two points of a block: its deltas are 32 bits. */
const MAX_DELTA_US = 0xffff_ffff;
const MAX_BLOCK_POINTS = 8_192;
/** The contract's bound on points in columns, beside that on readings one by one. */
export const MAX_BATCH_READINGS = 10_000;
/** Half of what the server takes in a message, for what is estimated wrongly. */
const MAX_BATCH_BYTES = 2 * 1024 * 1024;
/** Rough size on the wire of what is not text: value, time, tags. */
const READING_BYTES = 32;
const POINT_BYTES = 14;

interface OpenBlock {
  /** Of the series that it is of. */
  readonly key: string;
  readonly block: SeriesBlock;
  lastUs: number;
}

/**
 * Gathers readings into a batch. Readings with a time and without metadata go in as columns. Within a batch the server takes
 * single readings before columns: where that would change the order of a sensor's readings, the batch is full.
 */
export class BatchBuilder {
  readonly #maxReadings: number;
  #readings: Reading[] = [];
  #blocks: SeriesBlock[] = [];
  /** The newest block of each sensor: two series of one sensor keep their order only if no other is added to. */
  #open = new Map<string, OpenBlock>();
  #bytes = 0;
  count = 0;

  constructor(maxReadings: number) {
    this.#maxReadings = maxReadings;
  }

  get isFull(): boolean {
    return this.count >= this.#maxReadings || this.#bytes >= MAX_BATCH_BYTES;
  }

  /** False where the reading must go into the next batch. */
  add(reading: DeviceReading): boolean {
    const time = reading.observedAtUs;
    if (reading.metadata === undefined && isTime(time)) {
      if (this.isFull) return false;
      this.#addPoint(reading, seriesKey(reading), time, reading.value);
      return true;
    }
    const bytes = READING_BYTES + textBytes(reading) + (reading.metadata ? JSON.stringify(reading.metadata).length : 0);
    if (this.isFull || this.#open.has(reading.sensorId)) return false;
    this.#readings.push(single(reading));
    this.#bytes += bytes;
    this.count++;
    return true;
  }

  /** Takes points from `from` on; answers with how many it took. */
  addBlock(block: DeviceBlock, from: number): number {
    const key = seriesKey(block);
    let index = from;
    for (; index < block.values.length && !this.isFull; index++) {
      const time = block.timesUs[index];
      if (!isTime(time))
        throw new RangeError(`timesUs[${index}] is ${time}, but must be whole microseconds since 1970.`);
      this.#addPoint(block, key, time, block.values[index]!);
    }
    return index - from;
  }

  #addPoint(of: DeviceBlock | DeviceReading, key: string, timeUs: number, value: number): void {
    let open = this.#open.get(of.sensorId);
    if (open && (open.key !== key || !takes(open, timeUs))) open = undefined;
    if (open === undefined) {
      open = { key, block: begin(of, timeUs), lastUs: timeUs };
      this.#blocks.push(open.block);
      this.#open.set(of.sensorId, open);
      this.#bytes += READING_BYTES + textBytes(of);
    }
    open.block.timeDeltasUs.push(timeUs - open.lastUs);
    open.block.values.push(value);
    open.lastUs = timeUs;
    this.#bytes += POINT_BYTES;
    this.count++;
  }

  /** What was gathered; the builder is empty after it. */
  take(): { readings: Reading[]; blocks: SeriesBlock[]; count: number } {
    const taken = { readings: this.#readings, blocks: this.#blocks, count: this.count };
    this.#readings = [];
    this.#blocks = [];
    this.#open = new Map();
    this.#bytes = 0;
    this.count = 0;
    return taken;
  }
}

/** How many readings a request holds. */
export function readingsIn(request: StreamReadingsRequest): number {
  return request.blocks.reduce((sum, block) => sum + block.values.length, request.readings.length);
}

/** The reading at an index as the contract counts them: single ones first, then the points of the blocks. */
export function readingAt(request: StreamReadingsRequest, index: number): DeviceReading {
  const reading = request.readings[index];
  if (reading) return toDeviceReading(reading);
  let point = index - request.readings.length;
  for (const block of request.blocks) {
    if (point < block.values.length) {
      const elapsed = block.timeDeltasUs.slice(0, point + 1).reduce((sum, delta) => sum + delta, 0);
      const { sensorId, sensorType, unit } = block;
      return {
        sensorId,
        sensorType,
        unit,
        ...placeOf(block),
        value: block.values[point]!,
        observedAtUs: Number(block.baseTimeUs) + elapsed,
      };
    }
    point -= block.values.length;
  }
  throw new RangeError(`the batch has no reading ${index}`);
}

/** The reading as a device hands it over. */
export function toDeviceReading(reading: Reading): DeviceReading {
  const { sensorId, sensorType, unit, value = Number.NaN, observedAt: at } = reading;
  return {
    sensorId,
    sensorType,
    unit,
    value,
    ...placeOf(reading),
    ...(reading.metadata === undefined ? {} : { metadata: reading.metadata }),
    ...(at === undefined ? {} : { observedAtUs: Number(at.seconds) * 1e6 + Math.trunc(at.nanos / 1000) }),
  };
}

/** What a device may leave out of a sensor. */
function placeOf({ location, attributes }: Reading | SeriesBlock): Pick<DeviceReading, "location" | "attributes"> {
  return {
    ...(location === undefined ? {} : { location }),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
  };
}

function single(reading: DeviceReading): Reading {
  const { sensorId, sensorType, unit, value, location, attributes, metadata, observedAtUs } = reading;
  return create(ReadingSchema, {
    sensorId,
    sensorType,
    unit,
    value,
    ...(location === undefined ? {} : { location }),
    ...(attributes === undefined ? {} : { attributes }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(observedAtUs === undefined ? {} : { observedAt: timestamp(observedAtUs) }),
  });
}

function timestamp(us: number) {
  const at = timestampFromMs(Math.floor(us / 1000));
  at.nanos += (((us % 1000) + 1000) % 1000) * 1000;
  return at;
}

function seriesKey({ sensorId, sensorType, unit, location, attributes }: DeviceBlock | DeviceReading): string {
  return JSON.stringify([sensorId, sensorType, unit, location, attributes]);
}

function begin(of: DeviceBlock | DeviceReading, timeUs: number): SeriesBlock {
  const { sensorId, sensorType, unit, location, attributes } = of;
  return create(SeriesBlockSchema, {
    sensorId,
    sensorType,
    unit,
    ...(location === undefined ? {} : { location }),
    ...(attributes === undefined ? {} : { attributes }),
    baseTimeUs: BigInt(timeUs),
  });
}

function isTime(us: number | undefined): us is number {
  return us !== undefined && Number.isSafeInteger(us) && us >= 0;
}

function takes({ block, lastUs }: OpenBlock, timeUs: number): boolean {
  const deltaUs = timeUs - lastUs;
  return deltaUs >= 0 && deltaUs <= MAX_DELTA_US && block.values.length < MAX_BLOCK_POINTS;
}

/** UTF-8 takes at most three bytes for each of JavaScript's characters. */
function textBytes({ sensorId, sensorType, unit, location = "", attributes }: DeviceBlock | DeviceReading): number {
  let characters = sensorId.length + sensorType.length + unit.length + location.length;
  for (const key in attributes) characters += key.length + attributes[key]!.length;
  return 3 * characters;
}
