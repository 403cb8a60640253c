import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { bdSeq, born, changed, type MetricInit, payload } from "../../../../../testing/sparkplug.ts";
import type { MappedReading } from "../message.ts";
import { SparkplugHost } from "./host.ts";
import { REORDER_US } from "./sequence.ts";

const SENT_MS = 1_800_000_000_000;
let nowUs: number;
let asked: string[];
let host: SparkplugHost;
beforeEach(() => {
  nowUs = SENT_MS * 1_000;
  asked = [];
  host = new SparkplugHost({ onRebirthWanted: (group, edge) => asked.push(`${group}/${edge}`) });
});

function send(topic: string, bytes: Uint8Array) {
  nowUs += 1_000;
  return host.map({ topic: `spBv1.0/${topic}`, payload: bytes, retained: false, arrivedUs: nowUs });
}
const say = (topic: string, metrics: readonly MetricInit[], seq?: number) =>
  send(topic, payload(metrics, seq, SENT_MS));
const values = (mapped: ReturnType<typeof send>) =>
  mapped !== undefined && "readings" in mapped
    ? Object.fromEntries(mapped.readings.map(({ sensorId, value }: MappedReading) => [sensorId, value]))
    : mapped;

test("an alias stands for the name that the birth gave it, of the node and of its devices", () => {
  const unit = { keys: ["engUnit"], values: [{ value: { case: "stringValue" as const, value: "°C" } }] };
  const birth = say("plant/NBIRTH/e1", [bdSeq(0), born("Load/1", 1, 5, { properties: unit })], 0);
  expect(values(birth)).toEqual({ "plant/e1/$online": 1, "plant/e1/Load/1": 5 });
  say("plant/DBIRTH/e1/press", [born("t", 2, 20)], 1);
  expect(values(say("plant/DDATA/e1/press", [changed(2, 21)], 2))).toEqual({ "plant/e1/press/t": 21 });
  const data = say("plant/NDATA/e1", [changed(1, 6, { timestamp: BigInt(SENT_MS - 5) })], 3);
  expect(data).toMatchObject({
    readings: [
      {
        ...{ sensorId: "plant/e1/Load/1", sensorType: "sparkplug", unit: "°C", value: 6 },
        ...{ attributes: { group: "plant", edge_node: "e1" }, observedUs: (SENT_MS - 5) * 1_000 },
      },
    ],
  });
  expect(asked).toEqual([]);
});

test.each([
  ["seconds", SENT_MS / 1_000],
  ["microseconds", SENT_MS * 1_000],
])("a time in %s is refused with its value, the others are taken, and the node is online all the same", (unit, at) => {
  const leftOut = { skipped: "bad_time", detail: `timestamp ${at} looks like ${unit} since 1970: give milliseconds` };
  const metrics = [born("a", 1, 5), born("b", 2, 6, { timestamp: BigInt(SENT_MS) })];
  const birth = send("g/NBIRTH/e", payload([bdSeq(0), ...metrics], 0, at));
  expect(birth).toMatchObject({ leftOut });
  expect(values(birth)).toEqual({ "g/e/$online": 1, "g/e/b": 6 });
  expect(birth).toMatchObject({ readings: [{ observedUs: nowUs }, { observedUs: SENT_MS * 1_000 }] });
  expect(say("g/NDATA/e", [changed(1, 7, { timestamp: BigInt(at) })], 1)).toEqual({ readings: [], leftOut });
});

test("numbers come as their types have them, and what is none is left out", () => {
  const int = (name: string, datatype: number, value: number): MetricInit => ({
    name,
    datatype,
    value: { case: "intValue", value },
  });
  const long = (name: string, datatype: number, value: bigint): MetricInit => ({
    name,
    datatype,
    value: { case: "longValue", value },
  });
  const birth = say(
    "g/NBIRTH/e",
    [
      ...[
        int("i8", 1, 0xff),
        int("i8long", 1, 0xffff_ffff),
        int("i16", 2, 0xfffe),
        int("i32", 3, 0xffff_fffd),
        int("u32", 7, 0xffff_fffd),
      ],
      ...[long("i64", 4, 2n ** 64n - 4n), long("u64", 8, 2n ** 40n), long("time", 13, 1_800_000_000_000n)],
      { name: "f", datatype: 9, value: { case: "floatValue", value: 0.5 } },
      { name: "b", datatype: 11, value: { case: "booleanValue", value: true } },
      { name: "s", datatype: 12, value: { case: "stringValue", value: "7" } },
      { name: "n", datatype: 10, isNull: true },
      { name: "Node Control/Rebirth", datatype: 11, value: { case: "booleanValue", value: false } },
      born("bad", 9, 1, { properties: { keys: ["Quality"], values: [{ value: { case: "intValue", value: 0 } }] } }),
    ],
    0,
  );
  const { "g/e/$online": _, ...rest } = values(birth) as Record<string, number>;
  const wanted = { i8: -1, i8long: -1, i16: -2, i32: -3, u32: 4_294_967_293, i64: -4, u64: 2 ** 40, f: 0.5, b: 1 };
  expect(rest).toEqual(Object.fromEntries(Object.entries(wanted).map(([name, value]) => [`g/e/${name}`, value])));
});

test("a node that is not known, an unknown device and an unknown alias are asked for their births, not with each message", () => {
  expect(say("g/NDATA/e", [changed(1, 1)], 5)).toMatchObject({ skipped: "no_birth" });
  say("g/NDATA/e", [changed(1, 1)], 6);
  expect(asked).toEqual(["g/e"]);
  say("g/NBIRTH/e", [bdSeq(1), born("a", 1, 1)], 0);
  expect(say("g/DDATA/e/d", [changed(7, 1)], 1)).toMatchObject({ skipped: "no_birth" });
  expect(asked).toEqual(["g/e", "g/e"]);
  say("g/NBIRTH/e", [bdSeq(1), born("a", 1, 1)], 0);
  expect(values(say("g/NDATA/e", [changed(9, 1), changed(1, 2)], 1))).toEqual({ "g/e/a": 2 });
  expect(asked).toEqual(["g/e", "g/e", "g/e"]);
});

test("a missing message makes the host ask for a rebirth after the reorder time-out, and what came is kept", () => {
  say("g/NBIRTH/e", [bdSeq(0), born("a", 1, 1)], 0);
  expect(values(say("g/NDATA/e", [changed(1, 2)], 2))).toEqual({ "g/e/a": 2 });
  host.tick(nowUs);
  expect(asked).toEqual([]);
  host.tick(nowUs + REORDER_US);
  expect(asked).toEqual(["g/e"]);
});

test("a death ends the node and its devices at once, but the will of an earlier session does not", () => {
  say("g/NBIRTH/e", [bdSeq(3), born("a", 1, 1)], 0);
  say("g/DBIRTH/e/d", [born("b", 2, 1)], 1);
  expect(values(say("g/NDEATH/e", [bdSeq(2)]))).toEqual({});
  expect(values(say("g/NDATA/e", [changed(1, 2)], 2))).toEqual({ "g/e/a": 2 });
  const death = say("g/NDEATH/e", [bdSeq(3)]);
  expect(values(death)).toEqual({ "g/e/$online": 0, "g/e/d/$online": 0 });
  expect(death).toMatchObject({ readings: [{ observedUs: nowUs }, { observedUs: nowUs }] });
  expect(say("g/NDATA/e", [changed(1, 3)], 3)).toMatchObject({ skipped: "no_birth" });
});

test("a device may die and be born again while its node lives", () => {
  say("g/NBIRTH/e", [bdSeq(0)], 0);
  say("g/DBIRTH/e/d", [born("b", 2, 1)], 1);
  expect(values(say("g/DDEATH/e/d", [], 2))).toEqual({ "g/e/d/$online": 0 });
  expect(values(say("g/DBIRTH/e/d", [born("b", 2, 4)], 3))).toEqual({ "g/e/d/$online": 1, "g/e/d/b": 4 });
  host.tick(nowUs + 1e12);
  expect(asked).toEqual([]);
});

test("what is not data is let pass, and what is no Sparkplug is skipped with the reason", () => {
  expect(send("STATE/telltale", new TextEncoder().encode("{}"))).toEqual({ readings: [] });
  expect(say("g/NCMD/e", [])).toEqual({ readings: [] });
  expect(send("g/NDATA/e", new Uint8Array([255, 255]))).toMatchObject({ skipped: "bad_payload" });
  expect(host.map({ topic: "telltale/x", payload: new Uint8Array(), retained: false, arrivedUs: 0 })).toBeUndefined();
});

test("no message makes it throw", () => {
  const topic = fc.constantFrom(
    "g/NBIRTH/e",
    "g/DBIRTH/e/d",
    "g/NDATA/e",
    "g/DDATA/e/d",
    "g/NDEATH/e",
    "g/DDEATH/e/d",
    "x",
    "",
  );
  const metric = fc.record({ alias: fc.integer({ min: 0, max: 3 }), value: fc.double() });
  const said = fc.tuple(fc.array(metric, { maxLength: 3 }), fc.integer({ min: 0, max: 300 }));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    said.map(([metrics, seq]) =>
      payload(
        metrics.map(({ alias, value }) => changed(alias, value)),
        seq,
      ),
    ),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(topic, bytes), { maxLength: 20 }), (messages) => {
      for (const [each, body] of messages) send(each, body);
      host.tick(nowUs + REORDER_US);
    }),
  );
});

test("aliases and devices without end take no memory without end, and a birth of the node begins anew", () => {
  say("plant/NBIRTH/e1", [bdSeq(0)], 0);
  say("plant/DBIRTH/e1/d", [], 1);
  for (let first = 0; first < 250_000; first += 5_000) {
    say(
      "plant/DBIRTH/e1/d",
      Array.from({ length: 5_000 }, (_, i) => born("t", first + i, 1)),
      1,
    );
  }
  expect(values(say("plant/DDATA/e1/d", [changed(7, 2)], 2))).toEqual({ "plant/e1/d/t": 2 });
  expect(values(say("plant/DDATA/e1/d", [changed(249_999, 2)], 3))).toEqual({});
  expect(asked).toEqual(["plant/e1"]);
  for (let device = 1; device < 5_000; device++) say(`plant/DBIRTH/e1/d${device}`, [], 1);
  expect(say("plant/DBIRTH/e1/more", [], 1)).toMatchObject({ skipped: "too_large" });
  expect(values(say("plant/DBIRTH/e1/d", [], 1))).toEqual({ "plant/e1/d/$online": 1 });
  say("plant/NBIRTH/e1", [bdSeq(1)], 0);
  expect(values(say("plant/DBIRTH/e1/more", [born("t", 249_999, 3)], 1))).toMatchObject({ "plant/e1/more/t": 3 });
});
