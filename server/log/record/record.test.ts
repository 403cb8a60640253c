import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_TIME_US } from "../../../formats/time.ts";
import { LogRecordSchema, SensorAttributesSchema, SeriesKeySchema } from "../../../gen/es/telltale/v1/log_pb.ts";
import { decodeRecord, readInt64 } from "./decode.ts";
import { encodeFragment, encodeRecord, type Run } from "./encode.ts";

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const time = fc.integer({ min: 0, max: MAX_TIME_US });
const run = fc
  .record({
    id: fc.string({ minLength: 1, maxLength: 12 }),
    firstIndex: fc.nat(100_000),
    points: fc.array(fc.tuple(time, fc.double({ noNaN: true, noDefaultInfinity: true })), {
      minLength: 1,
      maxLength: 40,
    }),
    timed: fc.boolean(),
    metadata: fc.boolean(),
    attributes: fc.option(fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 300 })), {
      nil: undefined,
    }),
  })
  .map(
    ({ id, firstIndex, points, timed, metadata, attributes }): Run => ({
      key: latin1(toBinary(SeriesKeySchema, create(SeriesKeySchema, { sensorId: id, sensorType: "t", unit: "C" }))),
      firstIndex,
      times: timed ? points.map((p) => p[0]) : undefined,
      values: points.map((p) => p[1]),
      metadata: metadata ? [{ position: points.length - 1, struct: new Uint8Array() }] : undefined,
      attributes: attributes && toBinary(SensorAttributesSchema, create(SensorAttributesSchema, { attributes })),
    }),
  );
const fragment = fc.record({
  head: fc.record({
    producer: fc.string({ maxLength: 20 }),
    epoch: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    sequence: fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }),
    traceparent: fc.string({ maxLength: 20 }),
    echo: fc.boolean(),
  }),
  runs: fc.array(run, { maxLength: 5 }),
});

test("what the hand-made encoder writes, the generated code reads as the contract says", () => {
  fc.assert(
    fc.property(time, fc.array(fragment, { maxLength: 4 }), (receivedAt, fragments) => {
      const bytes = encodeRecord(
        receivedAt,
        fragments.map((f) => encodeFragment(f.head, f.runs)),
      );
      const read = fromBinary(LogRecordSchema, bytes);
      expect(read.version).toBe(1);
      expect(Number(read.receivedAtUs)).toBe(receivedAt);
      expect(read.fragments.length).toBe(fragments.length);
      for (const [i, f] of fragments.entries()) {
        const got = read.fragments[i]!;
        expect(got).toMatchObject({ ...f.head });
        for (const [k, r] of f.runs.entries()) {
          const series = got.series[k]!;
          expect(latin1(series.key)).toBe(r.key);
          expect(series.firstIndex).toBe(r.firstIndex);
          expect(series.observedAtUs.map(Number)).toEqual(r.times ? Array.from(r.times) : []);
          expect(series.values).toEqual(Array.from(r.values));
          expect(series.metadata.map((m) => m.position)).toEqual(r.metadata ? [r.values.length - 1] : []);
          expect(Buffer.from(series.attributes)).toEqual(Buffer.from(r.attributes ?? []));
        }
      }
    }),
  );
});

test("what the generated code writes, the hand-made decoder reads the same", () => {
  fc.assert(
    fc.property(time, fc.array(fragment, { maxLength: 4 }), (receivedAt, fragments) => {
      const hand = encodeRecord(
        receivedAt,
        fragments.map((f) => encodeFragment(f.head, f.runs)),
      );
      const again = toBinary(LogRecordSchema, fromBinary(LogRecordSchema, hand));
      const record = decodeRecord(again);
      expect(record.receivedAtUs).toBe(receivedAt);
      expect(record.readings).toBe(fragments.flatMap((f) => f.runs).reduce((n, r) => n + r.values.length, 0));
      for (const [i, f] of fragments.entries()) {
        const got = record.fragments[i]!;
        expect(got.producer).toBe(f.head.producer);
        expect(got.epoch).toBe(f.head.epoch);
        expect(BigInt(got.sequence)).toBe(f.head.sequence);
        expect(got.echo).toBe(f.head.echo);
        for (const [k, r] of f.runs.entries()) {
          const logged = got.runs[k]!;
          expect(logged.key).toBe(r.key);
          expect(logged.timesAt >= 0).toBe(r.times !== undefined);
          const attributes = r.attributes && fromBinary(SensorAttributesSchema, r.attributes).attributes;
          expect(logged.attributes ?? {}).toEqual(attributes ?? {});
          for (let j = 0; j < r.values.length; j++) {
            if (r.times) expect(readInt64(record.view, logged.timesAt + 8 * j)).toBe(r.times[j]);
            expect(record.view.getFloat64(logged.valuesAt + 8 * j, true)).toBe(r.values[j]);
          }
        }
      }
    }),
  );
});

test("a record cut anywhere is refused or decodes to fewer fields, and never hangs", () => {
  fc.assert(
    fc.property(fc.array(fragment, { minLength: 1, maxLength: 3 }), fc.nat(), (fragments, cut) => {
      const bytes = encodeRecord(
        1,
        fragments.map((f) => encodeFragment(f.head, f.runs)),
      );
      const short = bytes.slice(0, cut % bytes.length);
      try {
        expect(decodeRecord(short).fragments.length).toBeLessThan(fragments.length);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }),
  );
});

test.each([-1, -8.51e18, MAX_TIME_US + 1e6, 2 ** 62])(
  "a time of %d µs is no time of a record, nor of a reading",
  (us) => {
    const head = { producer: "", epoch: 0n, sequence: 0n, traceparent: "", echo: false };
    const of = (received: number, observed: number) => {
      const run: Run = {
        key: "k",
        firstIndex: 0,
        times: [0, observed],
        values: [1, 2],
        metadata: undefined,
        attributes: undefined,
      };
      return encodeRecord(received, [encodeFragment(head, [run])]);
    };
    expect(decodeRecord(of(MAX_TIME_US, MAX_TIME_US)).readings).toBe(2);
    expect(() => decodeRecord(of(us, 0))).toThrow("which is not from 1970 to 9999");
    expect(() => decodeRecord(of(0, us))).toThrow("which is not from 1970 to 9999");
  },
);
