/** Requests of Prometheus' remote_write as a sender makes them. */
import { createRequire } from "node:module";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RequestSchema } from "../gen/es/io/prometheus/write/v2/types_pb.ts";
import { WriteRequestSchema } from "../gen/es/prometheus/remote_pb.ts";

/** Has no types of its own. */
const snappy = createRequire(import.meta.url)("snappyjs") as { compress(bytes: Uint8Array): Uint8Array<ArrayBuffer> };

export function snappyCompress(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return snappy.compress(bytes);
}

const ENCODED = { "content-encoding": "snappy" };

export interface WriteBody {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

export function writeRequest1(request: MessageInitShape<typeof WriteRequestSchema>): WriteBody {
  const body = snappyCompress(toBinary(WriteRequestSchema, create(WriteRequestSchema, request)));
  return { body, headers: { ...ENCODED, "content-type": "application/x-protobuf" } };
}

export function writeRequest2(request: MessageInitShape<typeof RequestSchema>): WriteBody {
  const body = snappyCompress(toBinary(RequestSchema, create(RequestSchema, request)));
  return {
    body,
    headers: { ...ENCODED, "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request" },
  };
}

/** Labels of 1.0 from pairs. */
export function labels1(labels: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.entries(labels).map(([name, value]) => ({ name, value }));
}
