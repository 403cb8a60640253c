/**
 * From what another protocol calls a series (a name and labels) to a sensor. Deterministic: the same name and labels are the same sensor
 * in every process and version. docs/reference/protocol-mapping.md states the rules.
 */

import type { Attributes } from "../../../formats/attributes.ts";
import { MAX_SENSOR_ID } from "../../../formats/sensor-id.ts";
import { sha256Hex } from "../../lib/hash.ts";
import type { SeriesHandle } from "../series.ts";
import { unitOf } from "./units.ts";

export type Label = readonly [key: string, value: string];

export interface Identity {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  /** Frozen: they are looked at once and not with every reading. */
  readonly attributes: Attributes;
  readonly handle?: SeriesHandle;
}

export interface Described {
  /** Of the metric, such as `up`. */
  readonly name: string;
  /** How the id begins, where that is not the name: nothing else may begin so. */
  readonly idName?: string;
  /** Those of the id. */
  readonly labels: readonly Label[];
  /** What is known beside them; a label of the same name counts more. */
  readonly more?: readonly Label[];
  /** How values come about; undefined where that is not known. */
  readonly kind?: Kind | undefined;
  /** As the sender names it; empty: by the name's suffix. */
  readonly unit?: string;
}

/**
 * counter: only grows, and starts again from zero. delta: what was added since the point before. gauge: goes up and down. quantile: below
 * it lies that share of what was measured.
 */
export type Kind = "counter" | "delta" | "gauge" | "quantile";

const MAX_SENSOR_TYPE = 50;
const MAX_UNIT = 20;
const MAX_ATTRIBUTES = 32;
const MAX_KEY = 64;
const MAX_VALUE = 256;

export function identityOf({ name, idName = word(name), labels, more = [], kind, unit = "" }: Described): Identity {
  const sorted = [...labels].sort(byKey);
  return {
    sensorId: cut(idText(idName, sorted), MAX_SENSOR_ID, 16),
    sensorType: cut(printable(name), MAX_SENSOR_TYPE, 8),
    unit: firstOf(printable(unit === "" ? unitOf(name) : unit), MAX_UNIT),
    attributes: attributesOf(name, kind, [...sorted, ...[...more].sort(byKey)]),
    handle: {},
  };
}

function byKey([a]: Label, [b]: Label): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** As Prometheus writes it: `up{instance="a:9100",job="node"}`. */
function idText(idName: string, labels: readonly Label[]): string {
  const text = labels.map(([key, value]) => `${word(key)}="${escaped(value)}"`).join(",");
  return text === "" ? idName : `${idName}{${text}}`;
}

const PLAIN = /^[\w.:/-]+$/;

function word(text: string): string {
  return PLAIN.test(text) ? text : quotedName(text);
}

/** A name that holds what would make two names look alike. */
export function quotedName(text: string): string {
  return `"${escaped(text)}"`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is for
const SPECIAL = /[\\"\x00-\x1f\x7f-\x9f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is for
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;

function escaped(text: string): string {
  return text.replace(SPECIAL, (c) =>
    c === "\\" || c === '"' ? `\\${c}` : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** Attributes and units are for people, and are no identity: what nobody could see is one sign. */
function printable(text: string): string {
  return text.replace(CONTROL, "\ufffd");
}

/** The first ones of what counts most: the name, the kind, then labels by key. */
function attributesOf(name: string, kind: Kind | undefined, labels: readonly Label[]): Attributes {
  const all: Label[] = [["__name__", name], ...(kind === undefined ? [] : [["__kind__", kind] as Label]), ...labels];
  const attributes: Record<string, string> = Object.create(null);
  let count = 0;
  for (const [key, value] of all) {
    const short = firstOf(printable(key), MAX_KEY);
    if (short === "" || short in attributes) continue;
    attributes[short] = firstOf(printable(value), MAX_VALUE);
    if (++count === MAX_ATTRIBUTES) break;
  }
  return Object.freeze({ ...attributes });
}

/** Code points. */
function firstOf(text: string, most: number): string {
  if (text.length <= most) return text;
  const points = Array.from(text.slice(0, 2 * most));
  return points.length <= most && text.length <= 2 * most ? text : points.slice(0, most).join("");
}

/** A text that is too long ends with a hash of the whole of it: two of them that begin alike stay two. */
function cut(text: string, most: number, digits: number): string {
  if (text.length <= most || Array.from(text).length <= most) return text;
  const hash = sha256Hex(text).slice(0, digits);
  return `${firstOf(text, most - digits - 1)}~${hash}`;
}

interface Kept {
  readonly key: string;
  readonly identity: Identity;
  /** In the order of those used lately. */
  readonly index: number;
}

/** Identities by what they are made of: those used lately, at least `MAX_KEPT` of them and at most twice as many. */
export class Identities {
  #lately = new Map<string, Kept>();
  #before = new Map<string, Kept>();
  /**
   * Those used lately in the order in which they were met: senders name their series in the same order again and again. To compare a key
   * with the next one costs a quarter of finding it, for which it has to be hashed.
   */
  #order: Kept[] = [];
  #at = -1;

  find(key: string): Identity | undefined {
    const next = this.#order[this.#at + 1];
    if (next?.key === key) {
      this.#at++;
      return next.identity;
    }
    const recent = this.#lately.get(key);
    if (recent !== undefined) {
      this.#at = recent.index;
      return recent.identity;
    }
    const before = this.#before.get(key);
    return before === undefined ? undefined : this.#keep(key, before.identity);
  }

  /** What `find` does not know. */
  add(key: string, described: Described): Identity {
    return this.#keep(key, identityOf(described));
  }

  #keep(key: string, identity: Identity): Identity {
    if (this.#lately.size >= MAX_KEPT) {
      this.#before = this.#lately;
      this.#lately = new Map();
      this.#order = [];
    }
    this.#at = this.#order.length;
    const kept = { key, identity, index: this.#at };
    this.#order.push(kept);
    this.#lately.set(key, kept);
    return identity;
  }
}

/** About 1 kB each. */
const MAX_KEPT = 50_000;
