/** Edge nodes and their devices as a Sparkplug host application knows them. Pure: times are passed in, and what is to be sent comes out. */
import { fromBinary } from "@bufbuild/protobuf";
import { otherUnit } from "../../../../../formats/time.ts";
import { type Metric, type Payload, PayloadSchema } from "../../../../../gen/es/sparkplug/v1/payload_pb.ts";
import { type Mapped, type MappedReading, type Mapper, type Message, type Skipped, skipped } from "../message.ts";
import { readingOf } from "../payload.ts";
import { type Definition, isBad, numberOfMetric, unitOf } from "./metric.ts";
import { Sequence } from "./sequence.ts";

export const NAMESPACE = "spBv1.0";
/** A sensor of each node and device: 1 from birth to death. */
const ONLINE = "$online";
const TYPE = "sparkplug";
/** A node that does not answer is not asked more often. */
const ASK_AGAIN_US = 30_000_000;
const MAX_NODES = 10_000;
const MAX_METRICS_OF_A_NODE = 100_000;
/** A node's death is a reading of each. */
const MAX_DEVICES_OF_A_NODE = 5_000;
/** Metrics that are about the session and the node's controls. */
const CONTROL = /^(bdSeq$|Node Control\/|Device Control\/)/;

interface Node {
  readonly group: string;
  readonly edge: string;
  readonly sequence: Sequence;
  readonly bdSeq: number | undefined;
  readonly byAlias: Map<bigint, Definition>;
  /** By the device, a line feed and the name. */
  readonly byName: Map<string, Definition>;
  readonly devices: Set<string>;
}

interface Topic {
  readonly group: string;
  readonly kind: string;
  readonly edge: string;
  readonly device: string | undefined;
}

interface Taken {
  readonly readings: readonly MappedReading[];
  readonly leftOut?: Skipped | undefined;
}

export interface HostOptions {
  /** Asks the node for its birth messages. */
  readonly onRebirthWanted: (group: string, edge: string) => void;
}

export class SparkplugHost implements Mapper {
  readonly #o: HostOptions;
  readonly #nodes = new Map<string, Node>();
  readonly #askedUs = new Map<string, number>();

  constructor(options: HostOptions) {
    this.#o = options;
  }

  get nodes(): number {
    return this.#nodes.size;
  }

  map(message: Message): Mapped | undefined {
    const topic = parseTopic(message.topic);
    if (topic === undefined) return undefined;
    if (topic === "other") return { readings: [] };
    let payload: Payload;
    try {
      payload = fromBinary(PayloadSchema, message.payload);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return skipped("bad_payload", `the payload is no Sparkplug B (${why})`);
    }
    switch (topic.kind) {
      case "NBIRTH":
        return this.#nodeBirth(topic, payload, message);
      case "DBIRTH":
        return this.#deviceBirth(topic, payload, message);
      case "NDATA":
      case "DDATA":
        return this.#data(topic, payload, message);
      case "NDEATH":
        return this.#nodeDeath(topic, payload, message);
      case "DDEATH":
        return this.#deviceDeath(topic, payload, message);
      default:
        return { readings: [] }; // commands of other hosts
    }
  }

  /** To be called now and then: asks nodes of which messages are missing for their births. */
  tick(nowUs: number): void {
    for (const node of this.#nodes.values()) if (node.sequence.isBroken(nowUs)) this.#ask(node, nowUs);
  }

  /** The connection was lost, and with it what came meanwhile: every node has to say anew what it is. */
  forget(): void {
    this.#nodes.clear();
    this.#askedUs.clear();
  }

  #nodeBirth(topic: Topic, payload: Payload, message: Message): Mapped {
    const { group, edge } = topic;
    const key = keyOf(topic);
    if (this.#nodes.size >= MAX_NODES && !this.#nodes.has(key))
      return skipped("too_large", `there are ${MAX_NODES} edge nodes already`);
    const node: Node = {
      ...{ group, edge, bdSeq: bdSeqOf(payload), sequence: new Sequence(Number(payload.seq ?? 0n)) },
      ...{ byAlias: new Map(), byName: new Map(), devices: new Set() },
    };
    this.#nodes.set(key, node);
    this.#askedUs.delete(key);
    return withOnline(topic, this.#born(node, topic, payload, message), { payload, message });
  }

  #deviceBirth(topic: Topic, payload: Payload, message: Message): Mapped {
    const node = this.#known(topic, message.arrivedUs);
    if (node === undefined || topic.device === undefined) return unborn(topic);
    this.#count(node, payload, message.arrivedUs);
    if (node.devices.size >= MAX_DEVICES_OF_A_NODE && !node.devices.has(topic.device))
      return skipped("too_large", `${keyOf(topic)} has ${MAX_DEVICES_OF_A_NODE} devices already`);
    node.devices.add(topic.device);
    return withOnline(topic, this.#born(node, topic, payload, message), { payload, message });
  }

  /** Notes what a birth says of the metrics, and takes their values. */
  #born(node: Node, topic: Topic, payload: Payload, message: Message): Taken {
    for (const metric of payload.metrics) {
      // An alias may be new for a name that is known.
      if (metric.name === undefined || node.byName.size + node.byAlias.size >= 2 * MAX_METRICS_OF_A_NODE) continue;
      const { name, datatype = 0, alias } = metric;
      const definition = { name, device: topic.device, datatype, unit: unitOf(metric) };
      node.byName.set(nameKey(topic.device, name), definition);
      if (alias !== undefined) node.byAlias.set(alias, definition);
    }
    return this.#readings(node, topic, payload, message);
  }

  #data(topic: Topic, payload: Payload, message: Message): Mapped {
    const node = this.#known(topic, message.arrivedUs);
    if (node === undefined) return unborn(topic);
    this.#count(node, payload, message.arrivedUs);
    if (topic.device !== undefined && !node.devices.has(topic.device)) {
      this.#ask(node, message.arrivedUs);
      return unborn(topic);
    }
    return this.#readings(node, topic, payload, message);
  }

  #nodeDeath(topic: Topic, payload: Payload, message: Message): Mapped {
    const node = this.#nodes.get(keyOf(topic));
    // The will of a session before the last one comes late: the node lives.
    if (node !== undefined && node.bdSeq !== bdSeqOf(payload)) return { readings: [] };
    this.#nodes.delete(keyOf(topic));
    // Its timestamp is that of the connection's beginning: the broker sends it at its end.
    const dead = [...(node?.devices ?? [])].map((device) => online({ ...topic, device }, 0, message.arrivedUs));
    return { readings: [online({ ...topic, device: undefined }, 0, message.arrivedUs), ...dead] };
  }

  #deviceDeath(topic: Topic, payload: Payload, message: Message): Mapped {
    const node = this.#known(topic, message.arrivedUs);
    if (node === undefined || topic.device === undefined) return unborn(topic);
    this.#count(node, payload, message.arrivedUs);
    node.devices.delete(topic.device);
    return { readings: [online(topic, 0, onlineSince(payload, message))] };
  }

  #readings(node: Node, topic: Topic, payload: Payload, message: Message): Taken {
    const readings: MappedReading[] = [];
    let leftOut: Skipped | undefined;
    for (const metric of payload.metrics) {
      const definition = definitionOf(node, topic, metric);
      if (definition === undefined) {
        this.#ask(node, message.arrivedUs);
        continue;
      }
      if (CONTROL.test(definition.name) || isBad(metric)) continue;
      const value = numberOfMetric(metric, metric.datatype ?? definition.datatype);
      if (value === undefined) continue;
      const observedUs = timeOf(metric.timestamp ?? payload.timestamp, message);
      if (typeof observedUs !== "number") {
        leftOut ??= observedUs;
        continue;
      }
      const where = { ...topic, device: definition.device };
      const base = { sensorId: sensorId(where, definition.name), sensorType: TYPE, attributes: attributesOf(where) };
      readings.push(readingOf({ ...base, unit: unitOf(metric) ?? definition.unit }, value, observedUs));
    }
    return leftOut === undefined ? { readings } : { readings, leftOut };
  }

  /** Of a node that has not said what it is, it is asked for. */
  #known(topic: Topic, nowUs: number): Node | undefined {
    const node = this.#nodes.get(keyOf(topic));
    if (node === undefined) this.#ask(topic, nowUs);
    return node;
  }

  #count({ sequence }: Node, { seq }: Payload, nowUs: number): void {
    if (seq !== undefined) sequence.take(Number(seq), nowUs);
  }

  #ask(node: { readonly group: string; readonly edge: string }, nowUs: number): void {
    const key = keyOf(node);
    const asked = this.#askedUs.get(key);
    if (asked !== undefined && nowUs - asked < ASK_AGAIN_US) return;
    if (this.#askedUs.size >= MAX_NODES) this.#askedUs.clear();
    this.#askedUs.set(key, nowUs);
    this.#o.onRebirthWanted(node.group, node.edge);
  }
}

/** Undefined where the topic is not Sparkplug's; "other" for those that are and bring no data. */
function parseTopic(topic: string): Topic | "other" | undefined {
  const [namespace, group, kind, edge, device, ...more] = topic.split("/");
  if (namespace !== NAMESPACE) return undefined;
  if (!group || group === "STATE" || !kind || !edge || more.length > 0) return "other";
  return kind.startsWith("D") === (device !== undefined) ? { group, kind, edge, device } : "other";
}

function keyOf({ group, edge }: { readonly group: string; readonly edge: string }): string {
  return `${group}/${edge}`;
}

function nameKey(device: string | undefined, name: string): string {
  return `${device ?? ""}\n${name}`;
}

function sensorId({ group, edge, device }: Topic, name: string): string {
  return [group, edge, ...(device === undefined ? [] : [device]), name].join("/");
}

function attributesOf({ group, edge, device }: Topic): Record<string, string> {
  return { group, edge_node: edge, ...(device !== undefined && { device }) };
}

function online(topic: Topic, value: 0 | 1, observedUs: number): MappedReading {
  const base = { sensorId: sensorId(topic, ONLINE), sensorType: "sparkplug_online", attributes: attributesOf(topic) };
  return readingOf(base, value, observedUs);
}

function definitionOf(node: Node, { device }: Topic, { name, alias }: Metric): Definition | undefined {
  if (name !== undefined && name !== "") {
    return node.byName.get(nameKey(device, name)) ?? { name, device, datatype: 0, unit: undefined };
  }
  return alias === undefined ? undefined : node.byAlias.get(alias);
}

/** Sparkplug counts milliseconds. */
function timeOf(timestamp: bigint | undefined, { arrivedUs }: Message): number | Skipped {
  if (timestamp === undefined) return arrivedUs;
  const why = otherUnit(Number(timestamp), "ms");
  return why === undefined ? Number(timestamp) * 1_000 : skipped("bad_time", `timestamp ${why}`);
}

/** Whether somebody is there is known whatever its clock says. */
function onlineSince({ timestamp }: Payload, message: Message): number {
  const at = timeOf(timestamp, message);
  return typeof at === "number" ? at : message.arrivedUs;
}

function withOnline(topic: Topic, { readings, leftOut }: Taken, of: { payload: Payload; message: Message }): Mapped {
  return { readings: [online(topic, 1, onlineSince(of.payload, of.message)), ...readings], leftOut };
}

function bdSeqOf({ metrics }: Payload): number | undefined {
  const { value } = metrics.find(({ name }) => name === "bdSeq") ?? {};
  return value?.case === "longValue" || value?.case === "intValue" ? Number(value.value) : undefined;
}

function unborn({ group, edge, device }: Topic): Mapped {
  const who = [group, edge, ...(device === undefined ? [] : [device])].join("/");
  return skipped("no_birth", `${who} has not said what its metrics are: it is asked for its birth messages`);
}
