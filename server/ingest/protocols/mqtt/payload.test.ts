import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_PAYLOAD_BYTES } from "./limits.ts";
import type { Mapped, Message } from "./message.ts";
import { SKIP_REASONS } from "./message.ts";
import { readPayload } from "./payload.ts";

const ARRIVED_US = 1_800_000_000_000_123;
const message = (payload: string | Uint8Array, retained = false): Message => ({
  topic: "telltale/x",
  payload: typeof payload === "string" ? new TextEncoder().encode(payload) : payload,
  retained,
  arrivedUs: ARRIVED_US,
});
const read = (payload: string, retained = false) => readPayload(message(payload, retained), { sensorId: "x" });
const one = (mapped: Mapped) => ("readings" in mapped ? mapped.readings : [mapped])[0];

test.each([
  ["61.5", 61.5],
  [" -1.5e3\r\n", -1500],
  [".5", 0.5],
  ["true", 1],
  ['"20.25"', 20.25],
  ['{"value":"7"}', 7],
  ['{"value":false}', 0],
])("%s is a value", (payload, value) => expect(one(read(payload))).toMatchObject({ value, observedUs: ARRIVED_US }));

test.each([
  ["on", "not_a_number"],
  ["", "empty"],
  ["null", "not_a_number"],
  ["[1,2]", "not_a_number"],
  ["0x10", "not_a_number"],
  ["NaN", "not_a_number"],
  ["21,5", "not_a_number"],
  ["1e999", "not_a_number"],
  ['{"value":1e999}', "no_value"],
  ['{"value":"NaN"}', "no_value"],
  ['{"a":1e999}', "not_a_number"],
  ["Infinity", "not_a_number"],
  ["{}", "no_value"],
  ['{"value":null}', "no_value"],
  ['{"value":{"a":1}}', "no_value"],
  ['{"value":1,"timestamp":"soon"}', "bad_time"],
  ['{"value":1,"timestamp":20270131}', "bad_time"],
  ['{"value":1,"timestamp":null}', "bad_time"],
])("%s is skipped: %s", (payload, skipped) => expect(read(payload)).toMatchObject({ skipped }));

test.each([
  ['"2026-11-01T00:00:00.25Z"', Date.UTC(2026, 10, 1) * 1000 + 250_000],
  ["1793491200", 1_793_491_200e6],
  ["1793491200.5", 1_793_491_200.5e6],
  ["1793491200000", 1_793_491_200e6],
])("timestamp %s is read", (timestamp, observedUs) =>
  expect(one(read(`{"value":1,"timestamp":${timestamp}}`))).toMatchObject({ observedUs }),
);

test("the largest payload that is nearly a number is refused at once", () => {
  for (const end of ["x", "e", ".1.", "1e1x"]) {
    const payload = "1".repeat(MAX_PAYLOAD_BYTES - end.length) + end;
    expect(read(payload)).toMatchObject({ skipped: "not_a_number" });
  }
});

test("a comma is said to be none, and a field that is too large keeps no other from being taken", () => {
  expect(read("21,5")).toMatchObject({ detail: '"21,5" has a comma: write a decimal point' });
  const mapped = read('{"a":1e999,"b":2,"c":true}');
  expect(mapped).toMatchObject({ readings: [{ sensorId: "x/b" }, { sensorId: "x/c", value: 1 }] });
  expect(mapped).toMatchObject({ leftOut: { skipped: "not_a_number", detail: expect.stringContaining('"a"') } });
});

test("an object says unit, type, location and attributes of its values", () => {
  const payload = {
    value: 1,
    unit: "bar",
    type: "pressure",
    location: "hall 3",
    attributes: { line: 3, on: true, x: {} },
  };
  expect(one(read(JSON.stringify(payload)))).toEqual({
    ...{ sensorId: "x", sensorType: "pressure", unit: "bar", location: "hall 3", value: 1, observedUs: ARRIVED_US },
    attributes: { line: "3", on: "true" },
  });
});

test.each([
  ["5", "unit 5 is no text"],
  ["true", "unit true is no text"],
  ['["C"]', "unit a list of 1 is no text"],
  ['{"a":1}', "unit of type object is no text"],
])("a unit that is no text is refused, and not taken for 1: %s", (unit, why) => {
  for (const values of ['"value":1', '"a":1,"b":2'])
    expect(read(`{${values},"unit":${unit}}`)).toMatchObject({
      ...{ skipped: "bad_unit", detail: expect.stringContaining(why) },
    });
});

test("a unit that is no text takes nothing from what a rule says", () => {
  const known = { sensorId: "x", unit: "Cel" };
  expect(one(readPayload(message('{"value":1,"unit":5}'), known))).toMatchObject({ value: 1, unit: "Cel" });
});

test.each(["null", '""'])("a unit of %s is none", (unit) => {
  expect(one(read(`{"value":1,"unit":${unit}}`))).toMatchObject({ unit: "1" });
});

test("more numbers than a message may have are refused as a whole", () => {
  const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`f${i}`, i]));
  expect(read(JSON.stringify(many))).toMatchObject({ skipped: "too_large" });
});

test("a retained value without a time is none of now", () => {
  expect(read("1", true)).toMatchObject({ skipped: "retained" });
  expect(read('{"a":1}', true)).toMatchObject({ skipped: "retained" });
  expect(one(read('{"value":1,"timestamp":1793491200}', true))).toMatchObject({ value: 1 });
});

test("no payload makes it throw, and what it gives is readings or a reason", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(bytes, fc.boolean(), (payload, retained) => {
      const mapped = readPayload(message(payload, retained), { sensorId: "x" });
      if ("skipped" in mapped) expect(SKIP_REASONS).toContain(mapped.skipped);
      else for (const { value } of mapped.readings) expect(typeof value).toBe("number");
    }),
  );
});
