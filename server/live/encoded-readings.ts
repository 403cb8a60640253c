/** Committed readings as watchers are sent them, kept in binary form: as messages they take more than ten times the memory. */
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { LiveReadingsNoticeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";

/** In one piece: what a slow watcher holds as messages while it is being sent. */
const PIECE_READINGS = 1_000;

/** How many readings a commit had that its scorer made no messages of, by the narrowest watch that asked for them. */
export interface LeftOut {
  readonly ofSensors: number;
  /** Of a type, or of anomalies. */
  readonly ofSelections: number;
  readonly ofEverything: number;
}

const NOTHING: LeftOut = { ofSensors: 0, ofSelections: 0, ofEverything: 0 };

const READINGS = LiveReadingsNoticeSchema.field.readings.number;

class Decoded {
  readonly all: readonly ScoredReading[];
  #bySensor: ReadonlyMap<string, readonly ScoredReading[]> | undefined;

  constructor(all: readonly ScoredReading[]) {
    this.all = all;
  }

  /** Thousands may watch a sensor each: none of them goes through all readings. */
  get bySensor(): ReadonlyMap<string, readonly ScoredReading[]> {
    this.#bySensor ??= grouped(this.all);
    return this.#bySensor;
  }
}

export class EncodedReadings {
  readonly bytes: Uint8Array;
  readonly leftOut: LeftOut;
  /** Watchers that keep up all read the same pieces at about the same time. */
  #decoded: WeakRef<Decoded> | undefined;

  /** @param bytes the readings of a `LiveReadingsNotice` in binary form */
  constructor(bytes: Uint8Array, leftOut: LeftOut = NOTHING) {
    this.bytes = bytes;
    this.leftOut = leftOut;
  }

  get readings(): readonly ScoredReading[] {
    return this.#decode().all;
  }

  /** Those of one sensor. */
  of(sensorId: string): readonly ScoredReading[] {
    return this.#decode().bySensor.get(sensorId) ?? [];
  }

  #decode(): Decoded {
    const known = this.#decoded?.deref();
    if (known !== undefined) return known;
    const decoded = new Decoded(fromBinary(LiveReadingsNoticeSchema, this.bytes).readings);
    this.#decoded = new WeakRef(decoded);
    return decoded;
  }
}

function grouped(readings: readonly ScoredReading[]): Map<string, ScoredReading[]> {
  const groups = new Map<string, ScoredReading[]>();
  for (const reading of readings) {
    const group = groups.get(reading.sensorId);
    if (group === undefined) groups.set(reading.sensorId, [reading]);
    else group.push(reading);
  }
  return groups;
}

/**
 * The readings of a commit in pieces, without decoding them; the last piece says what was left out.
 *
 * @param bytes a `LiveReadingsNotice` in binary form: readings first, as encoders write it
 */
export function* piecesOf(bytes: Uint8Array): Generator<EncodedReadings> {
  const reader = new BinaryReader(bytes);
  let from = 0;
  let end = 0;
  let readings = 0;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number !== READINGS) break;
    if (readings === PIECE_READINGS) {
      yield new EncodedReadings(bytes.subarray(from, end));
      from = end;
      readings = 0;
    }
    reader.skip(wireType);
    readings++;
    end = reader.pos;
  }
  const leftOut = end < bytes.length ? leftOutOf(bytes.subarray(end)) : NOTHING;
  if (readings > 0 || leftOut !== NOTHING) yield new EncodedReadings(bytes.subarray(from, end), leftOut);
}

function leftOutOf(counts: Uint8Array): LeftOut {
  const notice = fromBinary(LiveReadingsNoticeSchema, counts);
  return {
    ofSensors: notice.leftOutOfSensors,
    ofSelections: notice.leftOutOfSelections,
    ofEverything: notice.leftOutOfEverything,
  };
}
