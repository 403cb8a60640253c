import { expect, test } from "vitest";
import { readModbusConfig } from "./config.ts";

const read = (...lines: string[]) => readModbusConfig("plant.yaml", lines.join("\n"));

test("what is left out has its default, and what a device says holds for its registers", () => {
  const settings = read(
    "producer: hall-1",
    "spool: { folder: /tmp/spool }",
    "devices:",
    "  - host: plc",
    "    interval: 5s",
    "    word_order: little",
    "    registers:",
    "      - { sensor_id: 007, address: 100, type: float32, unit: C, attributes: { line: 3 } }",
    "      - { sensor_id: pump, table: coil, address: 4, interval: 500ms }",
  );
  expect(settings).toMatchObject({
    producer: "hall-1",
    spool: { folder: "/tmp/spool", maxBytes: 268_435_456, fsync: "batch" },
    devices: [
      {
        ...{ host: "plc", port: 502, unitId: 1, timeoutMs: 2_000 },
        registers: [
          {
            ...{ sensorId: "007", sensorType: "modbus", unit: "C", type: "float32", wordOrder: "little" },
            ...{ intervalMs: 5_000, scale: 1, attributes: { line: "3" } },
          },
          { sensorId: "pump", type: "bit", intervalMs: 500 },
        ],
      },
    ],
  });
});

test("every fault is named, with its line, what stands there and what is wanted", () => {
  const faulty = () =>
    read(
      "spool: { folder: /tmp/spool, fsync: always }",
      "devices:",
      "  - host: plc",
      "    intervall: 5s",
      "    unit_id: 300",
      "    registers:",
      "      - { sensor_id: a, address: 40001x }",
      "      - { sensor_id: a, address: 65535, type: int32 }",
      "      - { address: 1, table: coil, type: int16, interval: fast }",
      "      - { sensor_id: b, address: 1, type: bit, scale: 0 }",
      "      - { sensor_id: c, address: 2, scale: 2,54 }",
    );
  let message = "";
  try {
    faulty();
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message.split("\n")).toEqual([
    'plant.yaml, line 1: spool.fsync is "always", but it must be one of batch, never',
    "plant.yaml, line 4: devices[0].intervall is no setting; did you mean interval?",
    'plant.yaml, line 5: devices[0].unit_id is "300", but it must be a whole number from 0 to 255',
    'plant.yaml, line 7: devices[0].registers[0].address is "40001x", but it must be a whole number from 0 to 65535',
    "plant.yaml, line 8: devices[0].registers[1].address is 65535: the last of its registers would be past 65535",
    "plant.yaml, line 8: devices[0].registers[1].sensor_id is that of another sensor of this file",
    'plant.yaml, line 9: devices[0].registers[2].type is "int16", but it must be bit: a coil has no other',
    "plant.yaml, line 9: devices[0].registers[2].sensor_id is missing: write for example sensor_id: press-7/oil-temperature",
    'plant.yaml, line 9: devices[0].registers[2].interval is "fast", but it must be a duration from 20ms to 1d, such as 500ms, 5s, 1m30s',
    'plant.yaml, line 10: devices[0].registers[3].scale is "0", but it must be another number than 0',
    "plant.yaml, line 10: devices[0].registers[3].bit is missing: write for example bit: 3",
    "plant.yaml, line 11: devices[0].registers[4].54 is no setting: a comma ends a value here; write a number with a decimal point",
  ]);
});

test.each([
  ["", /line 1: wanted names with values/],
  ["devices: [", /^plant.yaml, line 1: /],
  ["devices: []\nspool: { folder: x }", /line 1: devices is empty: write for example - \{ host/],
  ["devices: none", /devices is "none", but it must be a list/],
])("a file such as %j is refused", (text, message) => {
  expect(() => read(text)).toThrow(message);
});
