/** The entities that devices have described so far, and what their states become. */
import { quoted } from "../../../../lib/quoted.ts";
import { type Mapped, type MappedReading, type Mapper, type Message, skipped } from "../message.ts";
import { isObject, numberOf, readingOf, timeFor } from "../payload.ts";
import { type Described, describe, discoveryTopic, type Entity, NOTHING } from "./entity.ts";
import { StatePayload } from "./template.ts";

/** Entities of one installation, those that wait for their id included: each is a subscription at most. */
const MAX_ENTITIES = 100_000;

/** Of one id: more than these have to describe themselves again once it is free. */
const MAX_WAITING = 100;

interface Waiting {
  readonly topic: string;
  readonly entity: Entity;
}

export interface DiscoveryOptions {
  /** Of the topics, without a slash at the end. */
  readonly prefix: string;
  readonly onFault: (topic: string, detail: string) => void;
  /** An entity of a component that is not taken. */
  readonly onOther: (topic: string, detail: string) => void;
  /** State topics that are wanted from now on, or no more. */
  readonly onTopics: (added: readonly string[], removed: readonly string[]) => void;
  readonly onEntities: (entities: readonly Entity[]) => void;
}

export class Discovery implements Mapper {
  readonly #o: DiscoveryOptions;
  /** By discovery topic. */
  readonly #described = new Map<string, readonly Entity[]>();
  readonly #byState = new Map<string, Entity[]>();
  /** Of each sensor: two devices that give themselves the same id would be one. */
  readonly #owners = new Map<string, { readonly stateTopic: string; readonly by: Set<string> }>();
  /** By sensor id: those that another has already, in the order in which they came. */
  readonly #waiting = new Map<string, readonly Waiting[]>();
  /** Discovery topics of which some wait, with the ids. */
  readonly #waitingOf = new Map<string, Set<string>>();
  /** Of all, those that wait included. */
  #count = 0;

  constructor(options: DiscoveryOptions) {
    this.#o = options;
  }

  /** Of the discovery messages. */
  get filters(): readonly string[] {
    const { prefix } = this.#o;
    return [`${prefix}/+/+/config`, `${prefix}/+/+/+/config`];
  }
  get stateTopics(): readonly string[] {
    return [...this.#byState.keys()];
  }

  /** Takes a discovery message; an empty one takes back what the topic described. */
  configure(topic: string, payload: Uint8Array): void {
    const about = discoveryTopic(this.#o.prefix, topic);
    if (about === undefined) return;
    const { entities, faults, others } = payload.length === 0 ? NOTHING : describedBy(about, payload);
    for (const fault of faults) this.#o.onFault(topic, fault);
    for (const other of others) this.#o.onOther(topic, other);
    const old = this.#described.get(topic) ?? [];
    const next = old.flatMap(({ sensorId }) => (this.#waiting.get(sensorId) ?? []).map(({ entity }) => entity));
    const touched = [...old, ...entities, ...next].map(({ stateTopic }) => stateTopic);
    const before = new Map(touched.map((each) => [each, this.#byState.has(each)]));
    this.#forget(topic);
    this.#remember(topic, entities);
    for (const sensorId of new Set(old.map((entity) => entity.sensorId))) this.#adopt(sensorId);
    const added = [...before].filter(([each, was]) => !was && this.#byState.has(each)).map(([each]) => each);
    const removed = [...before].filter(([each, was]) => was && !this.#byState.has(each)).map(([each]) => each);
    if (added.length + removed.length > 0) this.#o.onTopics(added, removed);
  }

  map(message: Message): Mapped | undefined {
    const entities = this.#byState.get(message.topic);
    if (entities === undefined) return undefined;
    const observed = timeFor(message, undefined);
    if (typeof observed !== "number") return observed;
    const payload = new StatePayload(new TextDecoder().decode(message.payload));
    const readings = entities.flatMap((entity): MappedReading[] => {
      const value = stateOf(entity, payload);
      return value === undefined ? [] : [readingOf(entity, value, observed)];
    });
    if (readings.length > 0) return { readings };
    return skipped(
      "no_value",
      `${quoted(payload.text)} is no state of ${quoted(entities[0]!.sensorId)} that is a number`,
    );
  }

  #remember(topic: string, entities: readonly Entity[]): void {
    const room = Math.max(0, MAX_ENTITIES - this.#count);
    if (entities.length > room)
      this.#o.onFault(topic, `describes more than the ${MAX_ENTITIES} entities that are taken`);
    const taken: Entity[] = [];
    for (const entity of entities.slice(0, room)) {
      if (this.#own(topic, entity)) taken.push(entity);
      else this.#wait(topic, entity);
    }
    this.#count += taken.length;
    this.#take(topic, taken);
  }

  #take(topic: string, taken: readonly Entity[]): void {
    if (taken.length === 0) return;
    this.#described.set(topic, [...(this.#described.get(topic) ?? []), ...taken]);
    for (const entity of taken) {
      const others = this.#byState.get(entity.stateTopic);
      if (others === undefined) this.#byState.set(entity.stateTopic, [entity]);
      else others.push(entity);
    }
    this.#o.onEntities(taken);
  }

  /** Whether the sensor's states come by this topic alone, now. */
  #own(topic: string, { sensorId, stateTopic }: Entity): boolean {
    const owner = this.#owners.get(sensorId) ?? { stateTopic, by: new Set() };
    if (owner.stateTopic !== stateTopic) return false;
    this.#owners.set(sensorId, owner);
    owner.by.add(topic);
    return true;
  }

  #wait(topic: string, entity: Entity): void {
    const { sensorId } = entity;
    const { stateTopic, by } = this.#owners.get(sensorId)!;
    const [first = ""] = by;
    this.#o.onFault(
      topic,
      `has the unique_id ${quoted(sensorId)}, which the states of ${quoted(stateTopic)} have already: let each device make its own (ESPHome: discovery_unique_id_generator: mac), or remove the old retained description of ${quoted(first)}`,
    );
    const others = this.#waiting.get(sensorId) ?? [];
    if (others.length === MAX_WAITING) return;
    this.#waiting.set(sensorId, [...others, { topic, entity }]);
    this.#waitingOf.set(topic, (this.#waitingOf.get(topic) ?? new Set()).add(sensorId));
    this.#count++;
  }

  /** Takes those that waited for an id which no other has any more. */
  #adopt(sensorId: string): void {
    const left: Waiting[] = [];
    for (const waiting of this.#waiting.get(sensorId) ?? []) {
      if (this.#own(waiting.topic, waiting.entity)) this.#take(waiting.topic, [waiting.entity]);
      else left.push(waiting);
    }
    this.#keepWaiting(sensorId, left);
  }

  #keepWaiting(sensorId: string, left: readonly Waiting[]): void {
    if (left.length === 0) this.#waiting.delete(sensorId);
    else this.#waiting.set(sensorId, left);
  }

  /** Of all that the topic describes. */
  #disown(topic: string, { sensorId }: Entity): void {
    const owner = this.#owners.get(sensorId);
    owner?.by.delete(topic);
    if (owner?.by.size === 0) this.#owners.delete(sensorId);
  }

  #forget(topic: string): void {
    const entities = this.#described.get(topic) ?? [];
    this.#described.delete(topic);
    this.#count -= entities.length;
    for (const sensorId of this.#waitingOf.get(topic) ?? []) {
      const waiting = this.#waiting.get(sensorId) ?? [];
      const left = waiting.filter((each) => each.topic !== topic);
      this.#count -= waiting.length - left.length;
      this.#keepWaiting(sensorId, left);
    }
    this.#waitingOf.delete(topic);
    for (const entity of entities) {
      this.#disown(topic, entity);
      const left = (this.#byState.get(entity.stateTopic) ?? []).filter((each) => each !== entity);
      if (left.length === 0) this.#byState.delete(entity.stateTopic);
      else this.#byState.set(entity.stateTopic, left);
    }
  }
}

function describedBy({ component, id }: { component: string; id: string }, payload: Uint8Array): Described {
  try {
    const config: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (isObject(config)) return describe(component, id, config);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { ...NOTHING, faults: ["is no JSON object"] };
}

function stateOf({ template, states }: Entity, payload: StatePayload): number | undefined {
  const state = template === undefined ? payload.text.trim() : template(payload);
  if (state === undefined) return undefined;
  if (states === undefined) return numberOf(state);
  if (state === states.on) return 1;
  return state === states.off ? 0 : undefined;
}
