/** The entities that devices have described so far, and what their states become. */
import { quoted } from "../../../../lib/quoted.ts";
import { type Mapped, type MappedReading, type Mapper, type Message, skipped } from "../message.ts";
import { isObject, numberOf, readingOf, timeFor } from "../payload.ts";
import { type Described, describe, discoveryTopic, type Entity, NOTHING } from "./entity.ts";
import { StatePayload } from "./template.ts";

/** Entities of one installation: each is a subscription at most. */
const MAX_ENTITIES = 100_000;

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
  readonly #stateOf = new Map<string, { readonly topic: string; readonly count: number }>();
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
    const touched = [...(this.#described.get(topic) ?? []), ...entities].map(({ stateTopic }) => stateTopic);
    const before = new Map(touched.map((each) => [each, this.#byState.has(each)]));
    this.#forget(topic);
    this.#remember(topic, entities);
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
    const taken = entities.slice(0, room).filter((entity) => this.#own(topic, entity));
    if (taken.length === 0) return;
    this.#described.set(topic, taken);
    this.#count += taken.length;
    for (const entity of taken) {
      const others = this.#byState.get(entity.stateTopic);
      if (others === undefined) this.#byState.set(entity.stateTopic, [entity]);
      else others.push(entity);
    }
    this.#o.onEntities(taken);
  }

  /** Whether the sensor's states come by this topic alone, now. */
  #own(topic: string, { sensorId, stateTopic }: Entity): boolean {
    const { topic: known = stateTopic, count = 0 } = this.#stateOf.get(sensorId) ?? {};
    if (known === stateTopic) this.#stateOf.set(sensorId, { topic: known, count: count + 1 });
    else
      this.#o.onFault(
        topic,
        `has the unique_id ${quoted(sensorId)}, which the states of ${quoted(known)} have already: let each device make its own (ESPHome: discovery_unique_id_generator: mac)`,
      );
    return known === stateTopic;
  }

  #disown({ sensorId }: Entity): void {
    const known = this.#stateOf.get(sensorId);
    if (known === undefined || known.count === 1) this.#stateOf.delete(sensorId);
    else this.#stateOf.set(sensorId, { topic: known.topic, count: known.count - 1 });
  }

  #forget(topic: string): void {
    const entities = this.#described.get(topic) ?? [];
    this.#described.delete(topic);
    this.#count -= entities.length;
    for (const entity of entities) {
      this.#disown(entity);
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
