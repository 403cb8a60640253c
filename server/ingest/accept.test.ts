import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { SeriesKeySchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { ReadingSchema, SeriesBlockSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { decodeRecord, readInt64 } from "../log/record/decode.ts";
import { encodeRecord } from "../log/record/encode.ts";
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
  fc.constantFrom("", "\0", "a\0b", "\x1f", "\x7f", "\x9f", "\xa0", "\u2028"),
  fc
    .tuple(fc.constantFrom("x", "\u{1F525}"), fc.constantFrom(50, 51, 200, 201))
    .map(([character, length]) => character.repeat(length)),
);

test("the hand-made rules refuse exactly the readings that the contract's own rules refuse", () => {
  const validator = createValidator();
  const reading = fc.record({
    sensorId: text,
    sensorType: text,
    unit: text,
    location: fc.option(text, { nil: undefined }),
    value: fc.oneof(fc.double(), fc.constant(undefined)),
    attributes: fc.oneof(
      fc.constant({}),
      fc.dictionary(text, text, { maxKeys: 2 }),
      fc
        .integer({ min: 30, max: 34 })
        .map((n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, ""]))),
      fc.tuple(fc.integer({ min: 63, max: 65 }), fc.integer({ min: 255, max: 257 })).map(([key, value]) => ({
        ["\u{1F525}".repeat(key)]: "x".repeat(value),
      })),
    ),
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

test("every bad field of a reading is named, and the reading counts once", () => {
  const bad = { sensorId: "", sensorType: "x".repeat(51), unit: "", location: "\0", value: Number.NaN };
  const a = accept({
    readings: [{ ...bad, observedAt: at(NOW + 301e6), metadata: { a: "\0" } }, good],
    rules: { mayWrite: (id) => id !== "" },
  });
  expect(a.refusals.map((r) => [r.index, r.field, r.reason])).toEqual([
    [0, "sensor_id", RefusalReason.INVALID],
    [0, "sensor_type", RefusalReason.INVALID],
    [0, "unit", RefusalReason.INVALID],
    [0, "location", RefusalReason.INVALID],
    [0, "sensor_id", RefusalReason.FORBIDDEN],
    [0, "value", RefusalReason.INVALID],
    [0, "observed_at", RefusalReason.FUTURE],
    [0, "metadata", RefusalReason.INVALID],
  ]);
  expect([a.rejected, a.total, logged(a).length]).toEqual([1, 2, 1]);
});

test("so is every bad field of a block, and of a point in it", () => {
  const block = { ...good, unit: "", sensorType: "", baseTimeUs: 1n, timeDeltasUs: [0, 1], values: [1] };
  const point = { ...good, baseTimeUs: BigInt(NOW + 301e6), timeDeltasUs: [0], values: [Number.NaN] };
  const a = accept({ blocks: [block, point] });
  expect(a.refusals.map((r) => [r.index, r.field])).toEqual([
    [0, "sensor_type"],
    [0, "unit"],
    [0, "values"],
    [1, "sensor_type"],
    [1, "unit"],
    [1, "values"],
    [2, "value"],
    [2, "observed_at"],
  ]);
  expect([a.rejected, a.total]).toEqual([3, 3]);
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

describe("attributes", () => {
  const [a, b] = [{ line: "1" }, { line: "2" }];
  /** A process: its batches, and what of them goes into the log. */
  function sender() {
    const acceptor = new Acceptor(new SeriesTable(1));
    return (nowUs: number, ...attributes: Record<string, string>[]) => {
      const readings = attributes.map((each) => create(ReadingSchema, { ...good, attributes: each }));
      const head = { producer: "p", epoch: 1n, sequence: 7n, traceparent: "", echo: false, blocks: [] };
      const { fragments, logged } = acceptor.accept({ ...head, readings }, { ...rules, nowUs });
      const toLog = [...fragments.values()].flatMap(({ bytes }) =>
        decodeRecord(encodeRecord(NOW, [bytes])).fragments[0]!.runs.map((run) => run.attributes),
      );
      return { toLog, logged };
    };
  }

  test("go into the log until they are in it, then again after a minute or when they change", () => {
    const send = sender();
    const first = send(NOW, a, a, {});
    expect(first.toLog).toEqual([a]);
    // The log did not take it: whoever sends it again must not find it known.
    const again = send(NOW, a);
    expect(again.toLog).toEqual([a]);
    again.logged();
    expect(send(NOW + 59e6, a).toLog).toEqual([undefined]);
    expect(send(NOW + 60e6, a).toLog).toEqual([a]);
    expect(send(NOW, b, a, a, b).toLog).toEqual([b, a, b]);
  });

  test("that are given back while others are on their way go along, whichever answer of the log comes first", () => {
    const send = sender();
    send(NOW, a).logged();
    const [others, back] = [send(NOW, b), send(NOW, a)];
    expect([others.toLog, back.toLog]).toEqual([[b], [a]]);
    back.logged();
    others.logged();
    expect(send(NOW, a).toLog).toEqual([undefined]);
    expect(send(NOW, b).toLog).toEqual([b]);
  });
});
