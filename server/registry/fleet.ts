/**
 * All sensors in memory, as far as they are searched, filtered and sorted by, in columns: to go through all of them takes milliseconds. Fed
 * by `sync.ts`; what answers show is read from the store.
 */
import type { Attributes } from "../../formats/attributes.ts";
import { Facts } from "./facts.ts";
import { compareBytes, merged, placeOf } from "./order.ts";
import { attributesInForce } from "./profile.ts";
import { OPEN_ABNORMAL, OPEN_NONE, OPEN_SILENCE, SILENCE, stateOf } from "./state.ts";
import { FoldedTexts } from "./texts.ts";

/** A series with readings. */
export interface SeriesEntry {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string | undefined;
  readonly lastUs: number;
}

/** What people and the sensor itself say of it. */
export interface KnownEntry {
  readonly sensorId: string;
  /** Undefined where it has no profile. */
  readonly profile:
    | {
        readonly displayName: string;
        readonly owner: string;
        readonly asset: string;
        readonly tags: readonly string[];
        readonly attributes: Attributes;
      }
    | undefined;
  readonly sent: Attributes;
}

export interface AlertEntry {
  readonly sensorId: string;
  readonly severity: number;
  readonly alertType: string;
}

/** No asset, no series, no place for facts. */
export const NONE = -1;
const FIRST_CAPACITY = 1_024;

/** Every column is by the sensor's slot, which it keeps. */
export class Fleet {
  readonly facts = new Facts();
  readonly ids: string[] = [];
  readonly foldedIds = new FoldedTexts();
  /** What it is sorted by as its name, in lower case: the display name, or its id where it has none. */
  readonly sortNames: string[] = [];
  /** `observed_at` of its newest reading; −1: it has none. */
  lastUs = new Float64Array(FIRST_CAPACITY);
  /** As in `state.ts`. */
  open = new Uint8Array(FIRST_CAPACITY);
  /** Worst severity of its open alerts; 0: none is open. */
  worst = new Uint8Array(FIRST_CAPACITY);
  hasProfile = new Uint8Array(FIRST_CAPACITY);
  retired = new Uint8Array(FIRST_CAPACITY);
  /** The fact of its asset. */
  asset = new Int32Array(FIRST_CAPACITY);
  /** The list of facts of its series; many sensors have the same. */
  seriesList = new Int32Array(FIRST_CAPACITY);
  readonly seriesLists: (readonly number[])[] = [[]];
  /** Facts of the profile and of the attributes in force: so many of `known`, from there on. */
  knownFrom = new Int32Array(FIRST_CAPACITY);
  knownCount = new Uint8Array(FIRST_CAPACITY);
  known = new Int32Array(8 * FIRST_CAPACITY);

  /** How often a sensor was removed: its slot and its id stay. */
  removals = 0;

  readonly #slots = new Map<string, number>();
  readonly #listNumbers = new Map<string, number>([["", 0]]);
  /** Room at `knownFrom`: what fits is written in place. */
  #knownRoom = new Uint8Array(FIRST_CAPACITY);
  #knownEnd = 0;
  #order: Uint32Array = new Uint32Array(0);
  #added: number[] = [];
  #alerting: number[] = [];

  get size(): number {
    return this.ids.length;
  }

  /** Slots in byte order of the ids. Replaced and not changed, so that whoever goes through them may wait in between. */
  get order(): Uint32Array {
    if (this.#added.length > 0) {
      const added = this.#added.sort((a, b) => compareBytes(this.ids[a]!, this.ids[b]!));
      this.#order = merged(this.#order, added, (slot) => this.ids[slot]!);
      this.#added = [];
    }
    return this.#order;
  }

  /** The first place in an order of this fleet whose sensor is not before the id. */
  place(order: Uint32Array, id: string): number {
    return placeOf((place) => this.ids[order[place]!]!, order.length, id);
  }

  /** The slot of a sensor; undefined where nothing was ever known of it. */
  slotOf(id: string): number | undefined {
    return this.#slots.get(id);
  }

  /** Whether it is a sensor: attributes alone, of readings that were not stored, make none. */
  isRegistered(slot: number): boolean {
    return this.lastUs[slot]! >= 0 || this.hasProfile[slot] === 1;
  }

  putSeries({ sensorId, sensorType, unit, location, lastUs }: SeriesEntry): void {
    const slot = this.#slot(sensorId);
    if (lastUs > this.lastUs[slot]!) this.lastUs[slot] = lastUs;
    const list = this.seriesLists[this.seriesList[slot]!]!;
    const facts = [this.facts.own("sensor_type", sensorType), this.facts.own("unit", unit)];
    if (location !== undefined) facts.push(this.facts.own("location", location));
    if (facts.every((fact) => list.includes(fact))) return;
    this.seriesList[slot] = this.#listNumber([...new Set([...list, ...facts])].sort((a, b) => a - b));
  }

  putKnown({ sensorId, profile, sent }: KnownEntry): void {
    const slot = this.#slot(sensorId);
    const { facts } = this;
    const attributes = profile === undefined ? sent : attributesInForce(sent, profile.attributes);
    const known: number[] = [];
    for (const name of Object.keys(attributes)) known.push(facts.attribute(name, attributes[name]!));
    this.asset[slot] = NONE;
    this.sortNames[slot] = this.foldedIds.at(slot);
    this.hasProfile[slot] = profile === undefined ? 0 : 1;
    if (profile !== undefined) {
      const { displayName, owner, asset, tags } = profile;
      if (owner !== "") known.push(facts.own("owner", owner));
      for (const tag of tags) known.push(facts.own("tag", tag));
      if (displayName !== "") {
        known.push(facts.own("display_name", displayName));
        this.sortNames[slot] = displayName.toLowerCase();
      }
      if (asset !== "") {
        this.asset[slot] = facts.own("asset", asset);
        known.push(this.asset[slot]!);
      }
    }
    this.#putFacts(slot, known);
  }

  putRetired(sensorId: string, retired: boolean): void {
    this.retired[this.#slot(sensorId)] = retired ? 1 : 0;
  }

  /** The attributes in force. */
  attributesOf(slot: number): [name: string, value: string][] {
    const from = this.knownFrom[slot]!;
    const found: [string, string][] = [];
    for (let i = from; i < from + this.knownCount[slot]!; i++) {
      const fact = this.known[i]!;
      const name = this.facts.attributeOf(this.facts.names[fact]!);
      if (name !== undefined) found.push([name, this.facts.values[fact]!]);
    }
    return found;
  }

  /** How the sensor is at the time, as in `state.ts`. */
  stateOf(slot: number, nowUs: number): number {
    return stateOf({ kind: this.open[slot]!, lastUs: this.lastUs[slot]!, retired: this.retired[slot] === 1 }, nowUs);
  }

  /** The sensor was deleted: nothing is known of it until it is put again. */
  remove(sensorId: string): void {
    const slot = this.#slots.get(sensorId);
    if (slot === undefined) return;
    this.removals++;
    this.putKnown({ sensorId, profile: undefined, sent: {} });
    this.lastUs[slot] = -1;
    this.seriesList[slot] = 0;
    this.open[slot] = OPEN_NONE;
    this.worst[slot] = 0;
    this.retired[slot] = 0;
  }

  /** @param alerts all that are open */
  putAlerts(alerts: Iterable<AlertEntry>): void {
    for (const slot of this.#alerting) {
      this.open[slot] = OPEN_NONE;
      this.worst[slot] = 0;
    }
    this.#alerting = [];
    for (const { sensorId, severity, alertType } of alerts) {
      const slot = this.#slots.get(sensorId);
      if (slot === undefined) continue;
      if (this.open[slot] === OPEN_NONE) this.#alerting.push(slot);
      if (this.open[slot] !== OPEN_ABNORMAL) this.open[slot] = alertType === SILENCE ? OPEN_SILENCE : OPEN_ABNORMAL;
      this.worst[slot] = Math.max(this.worst[slot]!, severity);
    }
  }

  #slot(id: string): number {
    const known = this.#slots.get(id);
    if (known !== undefined) return known;
    const slot = this.ids.push(id) - 1;
    if (slot >= this.lastUs.length) this.#grow();
    this.#slots.set(id, slot);
    this.#added.push(slot);
    this.foldedIds.push(id);
    this.sortNames.push(this.foldedIds.at(slot));
    this.lastUs[slot] = -1;
    this.asset[slot] = NONE;
    return slot;
  }

  #grow(): void {
    this.lastUs = grown(this.lastUs);
    this.open = grown(this.open);
    this.worst = grown(this.worst);
    this.hasProfile = grown(this.hasProfile);
    this.retired = grown(this.retired);
    this.asset = grown(this.asset);
    this.seriesList = grown(this.seriesList);
    this.knownFrom = grown(this.knownFrom);
    this.knownCount = grown(this.knownCount);
    this.#knownRoom = grown(this.#knownRoom);
  }

  #listNumber(list: readonly number[]): number {
    const key = list.join();
    let number = this.#listNumbers.get(key);
    if (number === undefined) {
      number = this.seriesLists.push(list) - 1;
      this.#listNumbers.set(key, number);
    }
    return number;
  }

  #putFacts(slot: number, facts: readonly number[]): void {
    if (facts.length > this.#knownRoom[slot]!) {
      while (this.#knownEnd + facts.length > this.known.length) this.known = grown(this.known);
      this.knownFrom[slot] = this.#knownEnd;
      this.#knownRoom[slot] = facts.length;
      this.#knownEnd += facts.length;
    }
    this.known.set(facts, this.knownFrom[slot]);
    this.knownCount[slot] = facts.length;
  }
}

function grown<T extends Float64Array | Int32Array | Uint8Array>(column: T): T {
  const larger = new (column.constructor as new (length: number) => T)(2 * column.length);
  larger.set(column);
  return larger;
}
