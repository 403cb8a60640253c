import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { SeriesKeySchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { ReadingSchema, SeriesBlockSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { decodeRecord, readInt64 } from "../record/decode.ts";
import { encodeRecord } from "../record/encode.ts";
import { Acceptor, type AcceptRules, type Batch } from "./accept.ts";
import { partitionOf, SeriesTable } from "./series.ts";

const NOW = 1_760_000_000_000_000;
const rules: AcceptRules = { nowUs: NOW, maxAheadUs: 300e6, oldestUs: 0, mayWrite: () => true };
const good = { sensorId: "pump-1", sensorType: "temperature", value: 21.5, unit: "C" };
const at = (us: number) => ({ seconds: BigInt(Math.floor(us / 1e6)), nanos: (us % 1e6) * 1000 });

function accept(batch: {
  readings?: MessageInitShape<typeof ReadingSchema>[];
  blocks?: MessageInitShape<typeof SeriesBlockSchema>[];
  rules?: Partial<AcceptRules>;
  partitions?: number;
}) {
  const acceptor = new Acceptor(new SeriesTable(batch.partitions ?? 1));
  const full: Batch = {
    producer: "p",
    epoch: 1n,
    sequence: 7n,
    traceparent: "",
    echo: false,
    readings: (batch.readings ?? []).map((r) => create(ReadingSchema, r)),
    blocks: (batch.blocks ?? []).map((b) => create(SeriesBlockSchema, b)),
  };
  return acceptor.accept(full, { ...rules, ...batch.rules });
}

/** The readings in the fragments, as the log will have them: index in the batch, time (undefined: none given), value. */
function logged(accepted: ReturnType<typeof accept>) {
  const out: { index: number; us: number | undefined; value: number }[] = [];
  for (const { bytes } of accepted.fragments.values()) {
    const record = decodeRecord(encodeRecord(NOW, [bytes]));
    for (const run of record.fragments[0]!.runs) {
      for (let i = 0; i < run.count; i++) {
        const us = run.timesAt < 0 ? undefined : readInt64(record.view, run.timesAt + 8 * i);
        out.push({ index: run.firstIndex + i, us, value: record.view.getFloat64(run.valuesAt + 8 * i, true) });
      }
    }
  }
  return out.sort((a, b) => a.index - b.index);
}

const text = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.constantFrom("", "\0", "a\0b", "x".repeat(50), "x".repeat(51), "\u{1F525}".repeat(50), "\u{1F525}".repeat(51)),
);

test("the hand-made rules refuse exactly the readings that the contract's own rules refuse", () => {
  const validator = createValidator();
  const reading = fc.record({
    sensorId: text,
    sensorType: text,
    unit: text,
    location: fc.option(text, { nil: undefined }),
    value: fc.oneof(fc.double(), fc.constant(undefined)),
  });
  fc.assert(
    fc.property(reading, ({ location, value, ...rest }) => {
      const init = {
        ...rest,
        ...(location === undefined ? {} : { location }),
        ...(value === undefined ? {} : { value }),
      };
      const valid = validator.validate(ReadingSchema, create(ReadingSchema, init)).kind === "valid";
      const { rejected, refusals } = accept({ readings: [init] });
      expect(rejected).toBe(valid ? 0 : 1);
      if (!valid) expect(refusals[0]).toMatchObject({ sequence: 7n, index: 0, reason: RefusalReason.INVALID });
    }),
    { numRuns: 2000 },
  );
});

test("a bad reading is refused alone, by its index, and its good neighbours are kept", () => {
  const a = accept({
    readings: [
      good,
      { ...good, value: Number.NaN },
      { ...good, sensorId: "" },
      good,
      { ...good, unit: "x".repeat(21) },
    ],
  });
  expect(logged(a).map((r) => r.index)).toEqual([0, 3]);
  expect(a.refusals.map((r) => [r.index, r.field])).toEqual([
    [1, "value"],
    [2, "sensor_id"],
    [4, "unit"],
  ]);
  expect([a.rejected, a.total]).toEqual([3, 5]);
});

test("times from 1970 to five minutes ahead of the server's clock are taken to the microsecond, others refused", () => {
  const times = [-1e6, 0, 1_234_567, NOW + 300e6, NOW + 300e6 + 1, 253402300799 * 1e6];
  const a = accept({ readings: times.map((us) => ({ ...good, observedAt: at(us) })) });
  expect(logged(a).map((r) => r.us)).toEqual([0, 1_234_567, NOW + 300e6]);
  expect(a.refusals.map((r) => [r.index, r.reason])).toEqual([
    [0, RefusalReason.INVALID],
    [4, RefusalReason.FUTURE],
    [5, RefusalReason.FUTURE],
  ]);
  const late = accept({ readings: [{ ...good, observedAt: at(5e6) }], rules: { oldestUs: 6e6 } });
  expect(late.refusals[0]!.reason).toBe(RefusalReason.TOO_OLD);
});

test("a block's points count on from the single readings, and a bad point splits it", () => {
  const block = {
    ...good,
    baseTimeUs: 1_000_000n,
    timeDeltasUs: [0, 10, 20, 30],
    values: [1, 2, Number.POSITIVE_INFINITY, 4],
  };
  const a = accept({ readings: [good], blocks: [block] });
  expect(logged(a)).toEqual([
    { index: 0, us: undefined, value: 21.5 },
    { index: 1, us: 1_000_000, value: 1 },
    { index: 2, us: 1_000_010, value: 2 },
    { index: 4, us: 1_000_060, value: 4 },
  ]);
  expect(a.refusals.map((r) => r.index)).toEqual([3]);
});

test("a block with unequal or empty columns is refused whole, and what follows keeps its index", () => {
  const block = { ...good, baseTimeUs: 1n, timeDeltasUs: [0, 1, 2], values: [1, 2] };
  const a = accept({
    blocks: [block, { ...good, baseTimeUs: 1n }, { ...good, baseTimeUs: 5n, timeDeltasUs: [0], values: [9] }],
  });
  expect(a.refusals.map((r) => r.index)).toEqual([0, 1, 2, 3]);
  expect(logged(a)).toEqual([{ index: 4, us: 5, value: 9 }]);
  expect([a.rejected, a.total]).toEqual([4, 5]);
});

test("a sensor always goes to the same partition, and every reading of a batch goes to exactly one", () => {
  const ids = Array.from({ length: 200 }, (_, i) => `sensor-${i}`);
  const a = accept({ readings: ids.map((sensorId) => ({ ...good, sensorId })), partitions: 8 });
  const count = [...a.fragments.values()].reduce((n, f) => n + f.readings, 0);
  expect(count).toBe(200);
  for (const [partition, { readings }] of a.fragments) {
    expect(readings).toBe(ids.filter((id) => partitionOf(id, 8) === partition).length);
  }
  // Fixed for ever: stored data depends on it.
  expect([partitionOf("pump-1", 8), partitionOf("sensor-é", 8), partitionOf("", 8)]).toEqual([1, 6, 5]);
});

test("a series is logged under the binary form of its SeriesKey, and an empty location is not an absent one", () => {
  for (const location of [undefined, "", "hall 4 – nördlich"]) {
    const fields = { ...good, sensorId: "x".repeat(50), ...(location === undefined ? {} : { location }) };
    const a = accept({ readings: [fields] });
    const record = decodeRecord(encodeRecord(NOW, [a.fragments.get(0)!.bytes]));
    const { value: _, ...key } = fields;
    expect(Buffer.from(record.fragments[0]!.runs[0]!.key, "latin1")).toEqual(
      Buffer.from(toBinary(SeriesKeySchema, create(SeriesKeySchema, key))),
    );
  }
});

test("a caller reaches only the sensors it may write", () => {
  const a = accept({
    readings: [good, { ...good, sensorId: "other" }],
    rules: { mayWrite: (id) => id.startsWith("pump") },
  });
  expect(logged(a).length).toBe(1);
  expect(a.refusals[0]).toMatchObject({ index: 1, reason: RefusalReason.FORBIDDEN });
});

test("metadata over 16 KiB is refused, smaller is logged with its reading", () => {
  const a = accept({
    readings: [
      { ...good, metadata: { note: "x".repeat(20_000) } },
      { ...good, metadata: { note: "fine" } },
    ],
  });
  expect(a.refusals.map((r) => [r.index, r.field])).toEqual([[0, "metadata"]]);
  const record = decodeRecord(encodeRecord(NOW, [a.fragments.get(0)!.bytes]));
  expect([...record.fragments[0]!.runs[0]!.metadata!.keys()]).toEqual([0]);
});
