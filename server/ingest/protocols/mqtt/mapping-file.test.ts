import fc from "fast-check";
import { expect, test } from "vitest";
import { readMapping } from "./mapping-file.ts";
import type { Message } from "./message.ts";
import { RuleMapper } from "./rule.ts";

const ARRIVED_US = 1_800_000_000_000_000;

const map = (file: string, topic: string, payload: unknown, retained = false) => {
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  const message: Message = { topic, payload: bytes, retained, arrivedUs: ARRIVED_US };
  return new RuleMapper(readMapping(file)).map(message);
};

const ZIGBEE = `
rules:
  - topic: zigbee2mqtt/{device}
    timestamp: $.last_seen
    attributes: { device: "{device}", model: "{$.info.model}" }
    readings:
      - { sensor_id: "{device}/temperature", sensor_type: temperature, unit: C, value: $.temperature }
      - { sensor_id: "{device}/humidity", sensor_type: humidity, unit: "%", value: "$['rel humidity']" }
`;

test("a rule makes several readings of a message, with the levels of its topic and the parts of its payload", () => {
  const payload = { temperature: 21.5, "rel humidity": "40", last_seen: "2026-11-01T00:00:00Z", info: { model: "T1" } };
  const observedUs = Date.UTC(2026, 10, 1) * 1000;
  const attributes = { device: "porch", model: "T1" };
  expect(map(ZIGBEE, "zigbee2mqtt/porch", payload)).toEqual({
    readings: [
      { sensorId: "porch/temperature", sensorType: "temperature", unit: "C", value: 21.5, attributes, observedUs },
      { sensorId: "porch/humidity", sensorType: "humidity", unit: "%", value: 40, attributes, observedUs },
    ].map((reading) => ({ ...reading, location: undefined })),
  });
});

test("what a payload lacks is left out, and nothing at all is said to be missing", () => {
  expect(map(ZIGBEE, "zigbee2mqtt/porch", { temperature: 1 })).toMatchObject({
    readings: [{ sensorId: "porch/temperature", attributes: { device: "porch" }, observedUs: ARRIVED_US }],
  });
  expect(map(ZIGBEE, "zigbee2mqtt/porch", { battery: 90 })).toMatchObject({ skipped: "no_value" });
  expect(map(ZIGBEE, "zigbee2mqtt/porch/set", { temperature: 1 })).toBeUndefined();
});

test("a value that is there and no number is left out with its reason, and the others are taken", () => {
  const mixed = map(ZIGBEE, "zigbee2mqtt/porch", { temperature: "21,5", "rel humidity": " 4.05e1 " });
  expect(mixed).toMatchObject({ readings: [{ sensorId: "porch/humidity", value: 40.5 }] });
  const detail = 'the value of "porch/temperature" is "21,5", not a number';
  expect(mixed).toMatchObject({ leftOut: { skipped: "not_a_number", detail } });
  expect(map(ZIGBEE, "zigbee2mqtt/porch", { temperature: "NaN" })).toMatchObject({ skipped: "not_a_number" });
  expect(map(ZIGBEE, "zigbee2mqtt/porch", { temperature: true })).toMatchObject({ readings: [{ value: 1 }] });
  expect(map(ZIGBEE, "zigbee2mqtt/porch", { temperature: null })).toMatchObject({ skipped: "no_value" });
});

test("a number of the payload is part of a sensor id as JSON holds it, and none where it has lost digits", () => {
  const file = 'rules: [{ topic: a, sensor_id: "s{$.serial}", value: $.v }]';
  expect(map(file, "a", { serial: 9_007_199_254_740_991, v: 1 })).toMatchObject({
    readings: [{ sensorId: "s9007199254740991" }],
  });
  expect(map(file, "a", { serial: 2.5, v: 1 })).toMatchObject({ readings: [{ sensorId: "s2.5" }] });
  expect(map(file, "a", { serial: 12_345_678_901_234_567_890n.toString(), v: 1 })).toMatchObject({
    readings: [{ sensorId: "s12345678901234567890" }],
  });
  expect(map(file, "a", { serial: 2 ** 60, v: 1 })).toMatchObject({ skipped: "no_value" });
});

test("without a path to a value the payload is read as any other", () => {
  const file = 'rules: [{ topic: "plant/{line}/{kind}", sensor_id: "line {line}", sensor_type: "{kind}", unit: bar }]';
  expect(map(file, "plant/3/pressure", 2.5)).toMatchObject({
    readings: [{ sensorId: "line 3", sensorType: "pressure", unit: "bar", value: 2.5 }],
  });
});

test("the first rule whose topic matches counts", () => {
  const file = `
rules:
  - { topic: a/b, sensor_id: first }
  - { topic: "a/{x}", sensor_id: second }`;
  expect(map(file, "a/b", 1)).toMatchObject({ readings: [{ sensorId: "first" }] });
  expect(map(file, "a/c", 1)).toMatchObject({ readings: [{ sensorId: "second" }] });
});

test.each([
  ["", /no list "rules"/],
  ["rules: {}", /no list "rules"/],
  ["rules: []\nother: 1", /"other" is no setting/],
  ["rules:\n  - { topic: a }", /line 2: rules\[0\].sensor_id is missing/],
  [
    "rules:\n  - topic: a/{b}\n    sensor_id: '{c}'",
    /line 3: rules\[0\].sensor_id has \{c\}: write one of the topic's names \(b\)/,
  ],
  [
    "rules:\n  - topic: a\n    sensor_id: x\n    sensor_typ: y",
    /rules\[0\].sensor_typ is no setting here: did you mean sensor_type\?/,
  ],
  ["rules:\n  - topic: a\n    sensor_id: x\n    value: temp", /rules\[0\].value is no path into the payload/],
  ["rules:\n  - topic: a/#/b\n    sensor_id: x", /rules\[0\].topic has "#" before its last level/],
  ["rules:\n  - topic: a\n    sensor_id: x\n    readings: []", /rules\[0\].readings is no list/],
  ["rules:\n  - topic: a\n    sensor_id: 'x{'", /a brace without its other one/],
  ["rules: [", /./],
])("%j is refused with the place and what is wanted", (text, message) =>
  expect(() => readMapping(text)).toThrow(message),
);

test("all faults of a file are named at once, each once and where it stands", () => {
  const file = `
rules:
  - topic: plant/{line
    sensor_id: "{line}"
    valeu: $.v
  - topic: plant/{line}/#
    timestamp: now
    unit: "{unit}"
    readings:
      - { sensor_id: "{lin}", value: $.a, location: "" }
      - { value: b, attributes: { a: [1], b: "{c}" } }
      - none
  - 7
more: 1`;
  const lines = [
    /^line 3: rules\[0\]\.topic has "\{line": a name stands alone/,
    /^line 5: rules\[0\]\.valeu is no setting here: did you mean value\?$/,
    /^line 7: rules\[1\]\.timestamp is no path into the payload/,
    /^line 8: rules\[1\]\.unit has \{unit\}/,
    /^line 10: rules\[1\]\.readings\[0\]\.sensor_id has \{lin\}/,
    /^line 10: rules\[1\]\.readings\[0\]\.location is empty/,
    /^line 11: rules\[1\]\.readings\[1\]\.sensor_id is missing/,
    /^line 11: rules\[1\]\.readings\[1\]\.attributes\.a is no text/,
    /^line 11: rules\[1\]\.readings\[1\]\.attributes\.b has \{c\}/,
    /^line 11: rules\[1\]\.readings\[1\]\.value is no path/,
    /^line 12: rules\[1\]\.readings\[2\] is no object with names$/,
    /^line 13: rules\[2\] is no object with names$/,
    /^line 14: "more" is no setting of the file/,
  ];
  let found: string[] = [];
  try {
    readMapping(file);
  } catch (error) {
    found = (error as RangeError).message.split("\n");
  }
  expect(found).toEqual(lines.map((line) => expect.stringMatching(line)));
});

test("of many faults the first are named, and the others counted", () => {
  const file = ["rules:", ...Array.from({ length: 30 }, () => "  - { topic: a }")].join("\n");
  expect(() => readMapping(file)).toThrow(/line 21: rules\[19\]\.sensor_id is missing: [^\n]*\n10 more$/);
});

test("whatever the file says, it is rules or refused with a sentence", () => {
  const word = fc.constantFrom(
    "rules:",
    "- topic: a/{b}",
    "  sensor_id: '{b}'",
    "  value: $.x",
    "{",
    "}",
    "&a",
    "*a",
    "  attributes: {a: b}",
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (lines) => {
      try {
        readMapping(lines.join("\n"));
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }),
  );
});
