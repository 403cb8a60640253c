import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ReadRequestSchema, ReadResponseSchema } from "../../../gen/es/prometheus/remote_pb.ts";
import { snappyCompress } from "../../../testing/remote-write.ts";
import { uncompress } from "../../ingest/protocols/prometheus/snappy.ts";
import { Labels } from "../../promql/labels.ts";
import type { Samples } from "../../promql/values.ts";
import { anonymous } from "../../security/principal.ts";
import { remoteRead } from "./remote-read.ts";

function request(queries: number, signal = new AbortController().signal) {
  const message = create(ReadRequestSchema, {
    queries: Array.from({ length: queries }, () => ({ endTimestampMs: 1n })),
  });
  const body = snappyCompress(toBinary(ReadRequestSchema, message));
  const headers = new Headers({ "content-encoding": "snappy" });
  return { headers, query: new URLSearchParams(), body, principal: anonymous, signal };
}

function series(name: string, count: number, everyMs: number): Samples {
  return {
    labels: Labels.of([["__name__", name]]),
    timesMs: Float64Array.from({ length: count }, (_, i) => 1e12 + i * everyMs),
    values: Float64Array.from({ length: count }, (_, i) => i / 2),
  };
}

const given = [series("long", 250_000, 1_000), series("dense", 4_001, 0.25), series("short", 1, 1)];

test("an answer that is written in pieces is one message of all of them", async () => {
  const { body } = await remoteRead(request(2), { select: async () => given });
  const { results } = fromBinary(ReadResponseSchema, uncompress(body as Uint8Array, 64 * 1024 * 1024));
  expect(results).toHaveLength(2);
  for (const { timeseries } of results) {
    expect(timeseries.map(({ labels }) => labels.map(({ value }) => value))).toEqual([["long"], ["dense"], ["short"]]);
    const [long, dense, short] = timeseries.map(({ samples }) => samples);
    expect(long!.map(({ timestamp }) => Number(timestamp))).toEqual([...given[0]!.timesMs]);
    expect(long!.map(({ value }) => value)).toEqual([...given[0]!.values]);
    // Of four readings in a millisecond the last, also where a piece ends among them.
    expect(dense!.slice(0, 2).map(({ value }) => value)).toEqual([1.5, 3.5]);
    expect(new Set(dense!.map(({ timestamp }) => timestamp)).size).toBe(1_001);
    expect(dense).toHaveLength(1_001);
    expect(short).toHaveLength(1);
  }
});

test("no query, and no series, are answers too", async () => {
  const none = await remoteRead(request(0), { select: async () => [] });
  expect(uncompress(none.body as Uint8Array, 100)).toHaveLength(0);
  const empty = await remoteRead(request(1), { select: async () => [] });
  expect(fromBinary(ReadResponseSchema, uncompress(empty.body as Uint8Array, 100)).results).toHaveLength(1);
});

test("others have their turn meanwhile, and it ends when the caller has gone", async () => {
  const gone = new AbortController();
  const answer = remoteRead(request(1, gone.signal), { select: async () => given });
  setImmediate(() => gone.abort(new Error("gone")));
  await expect(answer).rejects.toThrow("gone");
});
