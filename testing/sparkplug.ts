/** Payloads of Sparkplug B as an edge node sends them. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type MetricSchema, PayloadSchema } from "../gen/es/sparkplug/v1/payload_pb.ts";

export type MetricInit = MessageInitShape<typeof MetricSchema>;

export const DOUBLE = 10;
export const INT64 = 4;

export function payload(metrics: readonly MetricInit[], seq?: number, timestampMs = Date.now()): Buffer {
  const message = create(PayloadSchema, {
    timestamp: BigInt(timestampMs),
    metrics: [...metrics],
    ...(seq !== undefined && { seq: BigInt(seq) }),
  });
  return Buffer.from(toBinary(PayloadSchema, message));
}

export function bdSeq(value: number): MetricInit {
  return { name: "bdSeq", datatype: INT64, value: { case: "longValue", value: BigInt(value) } };
}

/** In a birth message, with its name and alias. */
export function born(name: string, alias: number, value: number, more: MetricInit = {}): MetricInit {
  return { name, alias: BigInt(alias), datatype: DOUBLE, value: { case: "doubleValue", value }, ...more };
}

/** In a data message, by its alias alone. */
export function changed(alias: number, value: number, more: MetricInit = {}): MetricInit {
  return { alias: BigInt(alias), datatype: DOUBLE, value: { case: "doubleValue", value }, ...more };
}
