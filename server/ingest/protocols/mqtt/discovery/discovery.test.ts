import fc from "fast-check";
import { expect, test } from "vitest";
import type { Mapped } from "../message.ts";
import { Discovery } from "./discovery.ts";
import type { Entity } from "./entity.ts";

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

function open() {
  const faults: string[] = [];
  const others: string[] = [];
  const topics = new Set<string>();
  const entities: Entity[] = [];
  const discovery = new Discovery({
    prefix: "homeassistant",
    onFault: (topic, detail) => faults.push(`${topic}: ${detail}`),
    onOther: (topic, detail) => others.push(`${topic}: ${detail}`),
    onTopics: (added, removed) => {
      for (const each of added) topics.add(each);
      for (const each of removed) topics.delete(each);
    },
    onEntities: (more) => entities.push(...more),
  });
  const map = (topic: string, payload: unknown): Mapped | undefined =>
    discovery.map({ topic, payload: bytes(payload), retained: false, arrivedUs: 1_800_000_000_000_000 });
  const configure = (topic: string, config: unknown) => discovery.configure(topic, bytes(config));
  return { configure, map, faults, others, topics, entities };
}

test("a sensor of Zigbee2MQTT has the name, the unit and the class that it says", () => {
  const { configure, map, topics, entities } = open();
  configure("homeassistant/sensor/0x01/temperature/config", {
    ...{ name: "Temperature", uniq_id: "0x01_temperature", dev_cla: "temperature", unit_of_meas: "°C" },
    ...{ stat_t: "zigbee2mqtt/porch", val_tpl: "{{ value_json.temperature }}", exp_aft: 600 },
    dev: { name: "Porch", mf: "Aqara", mdl: "T1", ids: ["0x01"] },
  });
  expect([...topics]).toEqual(["zigbee2mqtt/porch"]);
  expect(entities).toMatchObject([{ sensorId: "0x01_temperature", name: "Temperature" }]);
  expect(map("zigbee2mqtt/porch", { temperature: 21.5 })).toMatchObject({
    readings: [
      {
        ...{ sensorId: "0x01_temperature", sensorType: "temperature", unit: "°C", value: 21.5 },
        attributes: { device: "Porch", manufacturer: "Aqara", model: "T1", expire_after: "600" },
      },
    ],
  });
  expect(map("zigbee2mqtt/porch", { battery: 3 })).toMatchObject({ skipped: "no_value" });
  expect(map("zigbee2mqtt/other", { temperature: 1 })).toBeUndefined();
});

test("what a description says of availability and growth is kept, and states that are no numbers are not asked for", () => {
  const { configure, map, others, topics } = open();
  configure("homeassistant/sensor/meter/config", {
    ...{ uniq_id: "meter", stat_t: "meter/state", stat_cla: "total_increasing", val_tpl: "{{ value_json.kwh }}" },
    avty: [{ topic: "zigbee2mqtt/bridge/state" }, { t: "meter/availability" }],
  });
  configure("homeassistant/sensor/start/config", { uniq_id: "start", stat_t: "start/state", dev_cla: "timestamp" });
  configure("homeassistant/sensor/mode/config", { uniq_id: "mode", stat_t: "mode/state", dev_cla: "enum" });
  expect(map("meter/state", { kwh: 7 })).toMatchObject({
    readings: [{ attributes: { availability_topic: "zigbee2mqtt/bridge/state", __kind__: "counter" } }],
  });
  expect([...topics]).toEqual(["meter/state"]);
  expect(others).toEqual([
    'homeassistant/sensor/start/config: start is of the class "timestamp", whose states are no numbers',
    'homeassistant/sensor/mode/config: mode is of the class "enum", whose states are no numbers',
  ]);
});

test("two devices of the same id are not taken for one sensor", () => {
  const { configure, map, faults, topics } = open();
  // By default ESPHome makes it from the name of the sensor alone.
  const oil = (device: string) => ({ uniq_id: "ESPsensoroil", stat_t: `${device}/sensor/oil/state`, name: "Oil" });
  configure("homeassistant/sensor/press-1/oil/config", oil("press-1"));
  configure("homeassistant/sensor/press-2/oil/config", oil("press-2"));
  expect(map("press-1/sensor/oil/state", "1")).toMatchObject({ readings: [{ sensorId: "ESPsensoroil" }] });
  expect(map("press-2/sensor/oil/state", "2")).toBeUndefined();
  expect([...topics]).toEqual(["press-1/sensor/oil/state"]);
  expect(faults).toEqual([
    expect.stringMatching(/^homeassistant\/sensor\/press-2\/oil\/config: has the unique_id "ESPsensoroil", which the/),
  ]);
  // The same sensor, described in another place, is the same.
  configure("homeassistant/sensor/oil/config", oil("press-1"));
  configure("homeassistant/sensor/press-1/oil/config", "");
  configure("homeassistant/sensor/press-2/oil/config", oil("press-2"));
  expect(faults).toHaveLength(2);
  configure("homeassistant/sensor/oil/config", "");
  configure("homeassistant/sensor/press-2/oil/config", oil("press-2"));
  expect(map("press-2/sensor/oil/state", "2")).toMatchObject({ readings: [{ value: 2 }] });
  expect(faults).toHaveLength(2);
});

test("of two devices of the same id the second one is taken when the first is described no more", () => {
  const { configure, map, faults, topics, entities } = open();
  const oil = (device: string) => ({ uniq_id: "oil", stat_t: `${device}/oil`, name: `Oil of ${device}` });
  for (const device of ["old", "new", "third"]) configure(`homeassistant/sensor/${device}/oil/config`, oil(device));
  expect(faults).toEqual([
    expect.stringContaining('or remove the old retained description of "homeassistant/sensor/old/oil/config"'),
    expect.stringContaining('or remove the old retained description of "homeassistant/sensor/old/oil/config"'),
  ]);
  // Described anew, it keeps its id; and one that waits may be taken back.
  configure("homeassistant/sensor/old/oil/config", { ...oil("old"), stat_t: "old/oil2" });
  expect([...topics]).toEqual(["old/oil2"]);
  configure("homeassistant/sensor/old/oil/config", "");
  expect([...topics]).toEqual(["new/oil"]);
  expect(map("new/oil", "2")).toMatchObject({ readings: [{ sensorId: "oil", value: 2 }] });
  expect(entities.at(-1)).toMatchObject({ name: "Oil of new" });
  configure("homeassistant/sensor/third/oil/config", "");
  configure("homeassistant/sensor/new/oil/config", "");
  expect([...topics]).toEqual([]);
  expect(map("third/oil", "3")).toBeUndefined();
});

test("the base topic stands for ~, a binary sensor has two states, and without an id the topic is one", () => {
  const { configure, map } = open();
  configure("homeassistant/binary_sensor/gate/config", {
    "~": "site/gate",
    stat_t: "~/state",
    pl_on: "open",
    pl_off: "shut",
  });
  const state = (payload: string) => map("site/gate/state", payload);
  expect(state("open")).toMatchObject({ readings: [{ sensorId: "gate", sensorType: "binary_sensor", value: 1 }] });
  expect(state("shut")).toMatchObject({ readings: [{ value: 0 }] });
  expect(state("ajar")).toMatchObject({ skipped: "no_value" });
});

test("a device describes its components in one message", () => {
  const { configure, map, others } = open();
  configure("homeassistant/device/boiler/config", {
    dev: { name: "Boiler" },
    state_topic: "boiler/state",
    cmps: {
      t: {
        p: "sensor",
        unique_id: "boiler_t",
        device_class: "temperature",
        value_template: "{{ value_json.t | float }}",
      },
      p: { p: "sensor", unique_id: "boiler_p", device_class: "pressure", value_template: "{{ value_json.p }}" },
      lamp: { p: "light", unique_id: "boiler_lamp" },
    },
  });
  expect(map("boiler/state", { t: "61.5", p: 2 })).toMatchObject({
    readings: [
      { sensorId: "boiler_t", value: 61.5 },
      { sensorId: "boiler_p", value: 2 },
    ],
  });
  expect(others).toEqual(['homeassistant/device/boiler/config: boiler/lamp is of the component "light"']);
});

// The megabytes of JSON for each of them are more than a test has time for.
test("the payload of a message is parsed once for all the entities that read it", () => {
  const { configure, map } = open();
  const shared = { stat_t: "x", val_tpl: "{{ value_json.v }}" };
  for (let i = 0; i < 20_000; i++) configure(`homeassistant/sensor/e${i}/config`, shared);
  const mapped = map("x", { v: 1, more: Array.from({ length: 20_000 }, (_, i) => `text ${i}`) });
  expect(mapped).toMatchObject({ readings: { length: 20_000 } });
});

test("an empty message takes back what the topic described, and its state topic with the last entity of it", () => {
  const { configure, map, topics } = open();
  for (const id of ["a", "b"]) configure(`homeassistant/sensor/${id}/config`, { stat_t: "x/state", uniq_id: id });
  configure("homeassistant/sensor/a/config", "");
  expect(map("x/state", "1")).toMatchObject({ readings: [{ sensorId: "b" }] });
  configure("homeassistant/sensor/b/config", "");
  expect([...topics]).toEqual([]);
  expect(map("x/state", "1")).toBeUndefined();
});

test("what cannot be taken is said, with what is wrong", () => {
  const { configure, faults, others, entities } = open();
  configure("homeassistant/sensor/a/config", "no JSON");
  configure("homeassistant/sensor/b/config", { uniq_id: "b" });
  configure("homeassistant/sensor/c/config", { stat_t: "x/#" });
  configure("homeassistant/sensor/d/config", { stat_t: "x", val_tpl: "{{ value_json.a / 10 }}" });
  configure("homeassistant/light/e/config", { stat_t: "x" });
  configure("homeassistant/sensor/a/b/c/config", { stat_t: "x" });
  expect(entities).toEqual([]);
  expect(faults).toEqual([
    expect.stringContaining("is no JSON object"),
    expect.stringContaining("has no state_topic"),
    expect.stringContaining("has a wildcard"),
    expect.stringContaining('has a value_template that has "value_json.a / 10"'),
  ]);
  expect(others).toEqual(['homeassistant/light/e/config: e is of the component "light"']);
});

test("more components than are taken of a device are said, and the first of them taken", () => {
  const { configure, faults, entities } = open();
  const all = Array.from({ length: 501 }, (_, i) => [`c${i}`, { p: "sensor", stat_t: "x" }]);
  configure("homeassistant/device/large/config", { cmps: Object.fromEntries(all) });
  expect(entities).toHaveLength(500);
  expect(faults).toEqual([expect.stringContaining("has 501 components: the first 500 are taken")]);
});

test("no discovery message makes it throw", () => {
  const topic = fc
    .constantFrom("sensor/a", "device/a", "binary_sensor/n/a")
    .map((each) => `homeassistant/${each}/config`);
  const name = fc.constantFrom("~", "stat_t", "val_tpl", "dev", "cmps", "p", "uniq_id", "name", "pl_on", "x");
  const config = fc.dictionary(name, fc.jsonValue({ maxDepth: 3 }));
  fc.assert(
    fc.property(topic, fc.oneof(config, fc.jsonValue()), (each, value) => {
      const { configure, map } = open();
      configure(each, value);
      map("x", "1");
    }),
  );
});
