import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { StreamReadingsRequestSchema } from "../gen/es/telltale/v1/ingest_pb.ts";
import { MemoryBuffer } from "./buffer.ts";

const batch = (sequence: bigint) =>
  create(StreamReadingsRequestSchema, {
    ...{ producer: "p", epoch: 3n, sequence },
    readings: [{ sensorId: "a", sensorType: "t", unit: "C", value: 1.5, metadata: { shift: "night" } }],
    blocks: [
      {
        sensorId: "b",
        sensorType: "t",
        unit: "C",
        baseTimeUs: 17n,
        timeDeltasUs: [0, 5],
        values: [-0, Number.MAX_VALUE],
      },
    ],
  });

test("what is kept in memory is the batch as it was handed over, encoded: what is done to the message later changes nothing", async () => {
  const buffer = new MemoryBuffer(1_000);
  const request = batch(1n);
  const kept = await buffer.append(request, 3);
  request.blocks[0]!.values[0] = 99;
  expect(kept).toMatchObject({ epoch: 3n, sequence: 1n, count: 3 });
  expect(await buffer.load(kept)).toEqual(batch(1n));
  // Loaded again where a stream has broken.
  expect(await buffer.load(kept)).toEqual(batch(1n));
});

test("a full buffer waits until what is settled has made room", async () => {
  const buffer = new MemoryBuffer(150);
  const first = await buffer.append(batch(1n), 3);
  let second: unknown;
  const waiting = buffer.append(batch(2n), 3).then((kept) => {
    second = kept;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(second).toBeUndefined();
  buffer.release(first);
  await waiting;
  expect(second).toMatchObject({ sequence: 2n });
});
