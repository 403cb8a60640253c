/** Home Assistant's discovery messages: what a device says of its entities. Pure. */
import { quoted } from "../../../../lib/quoted.ts";
import { isObject, type JsonObject } from "../payload.ts";
import { filterFault } from "../topics.ts";
import { type ValueTemplate, valueTemplate } from "./template.ts";

/** A sensor as a discovery message describes it. */
export interface Entity {
  readonly sensorId: string;
  readonly name: string;
  readonly sensorType: string;
  readonly unit: string | undefined;
  readonly stateTopic: string;
  readonly template: ValueTemplate | undefined;
  /** Of a binary sensor: the states for 1 and 0. */
  readonly states: { readonly on: string; readonly off: string } | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** What a message describes, and for people what of it cannot be taken, or is none of what is taken. */
export interface Described {
  readonly entities: readonly Entity[];
  readonly faults: readonly string[];
  readonly others: readonly string[];
}

export const NOTHING: Described = { entities: [], faults: [], others: [] };

/** Their states are numbers, or one of two words. */
const COMPONENTS = new Set(["sensor", "binary_sensor", "number"]);
/** Classes of sensors whose states are a time or one of several words. */
const TEXT_CLASSES = new Set(["date", "enum", "timestamp"]);
/** Home Assistant's abbreviations of what is read here. */
const LONG_NAMES: Readonly<Record<string, string>> = {
  avty: "availability",
  avty_t: "availability_topic",
  cmps: "components",
  dev: "device",
  dev_cla: "device_class",
  exp_aft: "expire_after",
  mdl: "model",
  mf: "manufacturer",
  p: "platform",
  pl_off: "payload_off",
  pl_on: "payload_on",
  sa: "suggested_area",
  stat_cla: "state_class",
  stat_t: "state_topic",
  uniq_id: "unique_id",
  unit_of_meas: "unit_of_measurement",
  val_tpl: "value_template",
};
const MAX_COMPONENTS = 500;
const MAX_ATTRIBUTE = 256;

/** Component, node and object of a discovery topic below its prefix; undefined for other topics. */
export function discoveryTopic(prefix: string, topic: string) {
  if (!topic.startsWith(`${prefix}/`)) return undefined;
  const [component, ...rest] = topic.slice(prefix.length + 1).split("/");
  if (rest.pop() !== "config" || rest.length < 1 || rest.length > 2 || component === undefined) return undefined;
  return { component, id: rest.join("/") };
}

/** @param id of the discovery topic, `[node/]object` */
export function describe(component: string, id: string, payload: JsonObject): Described {
  const config = spelled(payload);
  if (component !== "device") return one(component, id, config, deviceOf(config));
  if (!isObject(config.components)) return { ...NOTHING, faults: ["has no components"] };
  const given = Object.entries(config.components);
  const all = given.slice(0, MAX_COMPONENTS);
  const tooMany =
    given.length > all.length ? [`has ${given.length} components: the first ${MAX_COMPONENTS} are taken`] : [];
  const { state_topic, availability_topic, availability } = config;
  const shared = { "~": config["~"], state_topic, availability_topic, availability };
  const device = deviceOf(config);
  const each = all.map(([key, value]) => {
    const own = isObject(value) ? spelled(value) : {};
    return one(String(own.platform), `${id}/${key}`, { ...shared, ...own }, device);
  });
  return {
    entities: each.flatMap(({ entities }) => entities),
    faults: [...tooMany, ...each.flatMap(({ faults }) => faults)],
    others: each.flatMap(({ others }) => others),
  };
}

function one(component: string, id: string, config: JsonObject, device: Readonly<Record<string, string>>): Described {
  if (!COMPONENTS.has(component)) return { ...NOTHING, others: [`${id} is of the component ${quoted(component)}`] };
  const deviceClass = text(config.device_class);
  if (component === "sensor" && deviceClass !== undefined && TEXT_CLASSES.has(deviceClass))
    return { ...NOTHING, others: [`${id} is of the class ${quoted(deviceClass)}, whose states are no numbers`] };
  const refuse = (why: string) => ({ ...NOTHING, faults: [`${id} ${why}`] });
  const stateTopic = based(text(config.state_topic), text(config["~"]));
  if (stateTopic === undefined) return refuse("has no state_topic");
  const fault = filterFault(stateTopic) ?? (/[+#]/.test(stateTopic) ? "has a wildcard" : undefined);
  if (fault !== undefined) return refuse(`has a state_topic that ${fault}`);
  const given = text(config.value_template);
  const template = given === undefined ? undefined : valueTemplate(given);
  if (typeof template === "string") return refuse(`has a value_template that ${template}`);
  const isBinary = component === "binary_sensor";
  const about = {
    // As protocols with metadata have it: what knows its counters lists them by it.
    __kind__: config.state_class === "total_increasing" ? "counter" : undefined,
    availability_topic: based(availabilityOf(config), text(config["~"])),
    expire_after: typeof config.expire_after === "number" ? String(config.expire_after) : undefined,
    device_class: deviceClass,
  };
  const entity: Entity = {
    sensorId: text(config.unique_id) ?? id,
    name: text(config.name) ?? (device.device === undefined ? "" : `${device.device} ${deviceClass ?? ""}`.trim()),
    sensorType: deviceClass ?? component,
    unit: text(config.unit_of_measurement),
    stateTopic,
    template,
    states: isBinary ? { on: word(config.payload_on, "ON"), off: word(config.payload_off, "OFF") } : undefined,
    attributes: { ...device, ...present(about) },
  };
  return { ...NOTHING, entities: [entity] };
}

/** The topic, or the first of a list of them. */
function availabilityOf({ availability_topic, availability }: JsonObject): string | undefined {
  const [first = availability] = Array.isArray(availability) ? availability : [];
  const listed = isObject(first) ? (text(first.topic) ?? text(first.t)) : undefined;
  return text(availability_topic) ?? listed;
}

/** Attributes of all of a device's entities. */
function deviceOf(config: JsonObject): Readonly<Record<string, string>> {
  const device = isObject(config.device) ? spelled(config.device) : {};
  const { name, manufacturer, model, suggested_area: area } = device;
  return present({ device: text(name), manufacturer: text(manufacturer), model: text(model), area: text(area) });
}

function spelled(config: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [LONG_NAMES[name] ?? name, value]));
}

/** `~` at the beginning or the end of a topic stands for the base. */
function based(topic: string | undefined, base: string | undefined): string | undefined {
  if (topic === undefined || base === undefined) return topic;
  if (topic.startsWith("~")) return base + topic.slice(1);
  return topic.endsWith("~") ? topic.slice(0, -1) + base : topic;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function word(value: unknown, fallback: string): string {
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : fallback;
}

function present(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, value.slice(0, MAX_ATTRIBUTE)]));
}
