import { create, fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { type ScoredReading, ScoredReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { REASONS } from "../detect/index.ts";
import { toTimestamp } from "../lib/time.ts";
import { MARK_LATE, MARK_SERVER_TIME, type Points } from "../store/points.ts";
import type { SeriesRow } from "../store/store.ts";
import type { OpenRecord } from "./open-outcome.ts";
import type { Rows } from "./rows.ts";
import type { Shown } from "./shown.ts";

/** A stored point in the form of the contract. */
export function scoredReading(
  p: Points,
  i: number,
  s: SeriesRow,
  modelVersion: string,
  metadata?: JsonObject,
): ScoredReading {
  const expected = p.expected[i]!;
  const band = p.band[i]!;
  const late = (p.mark[i]! & MARK_LATE) !== 0;
  return create(ScoredReadingSchema, {
    id: BigInt(p.id[i]!),
    sensorId: s.sensorId,
    sensorType: s.sensorType,
    value: p.value[i]!,
    unit: s.unit,
    ...(s.location === undefined ? {} : { location: s.location }),
    ...(metadata === undefined ? {} : { metadata }),
    observedAt: toTimestamp(p.timeUs[i]!),
    serverTime: (p.mark[i]! & MARK_SERVER_TIME) !== 0,
    late,
    isAnomaly: p.anomaly[i] === 1,
    anomalyScore: p.score[i]! / 10000,
    confidence: p.confidence[i]! / 10000,
    ...(Number.isFinite(expected) ? { expected } : {}),
    ...(Number.isFinite(expected) && Number.isFinite(band) ? { lower: expected - band, upper: expected + band } : {}),
    reason: REASONS[p.anomaly[i] === 1 ? p.reason[i]! : 0] ?? "",
    modelVersion: late ? "" : modelVersion,
  });
}

/** A reading of a batch that was just committed. */
export function toScored(
  rows: { points: Points; series: readonly SeriesRow[]; metadata?: ReadonlyMap<number, Uint8Array> },
  i: number,
  version: string,
  shown?: Shown,
): ScoredReading {
  const struct = rows.metadata?.get(i);
  const reading = scoredReading(rows.points, i, rows.series[i]!, version, struct && metadataOf(struct));
  if (shown !== undefined) reading.sensorId = shown.of(reading.sensorId);
  return reading;
}

/** Metadata as stored, as JSON. */
export function metadataOf(struct: Uint8Array): JsonObject {
  return toJson(StructSchema, fromBinary(StructSchema, struct)) as JsonObject;
}

/** Takes what the senders asked to hear of from the rows, before they are used again. */
export function keepEchoes(open: readonly OpenRecord[], rows: Rows, modelVersion: string, shown: Shown): void {
  for (const { fragments } of open) {
    for (const { echo, stored } of fragments) {
      for (const { row, index } of echo.splice(0))
        stored.push({ index, reading: toScored(rows, row, modelVersion, shown) });
    }
  }
}
