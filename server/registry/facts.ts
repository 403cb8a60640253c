/**
 * What is known of sensors, as numbers: a fact is a name with a value, such as unit "C" or the attribute line "3". Many sensors share
 * facts, so that a filter looks at each value once, and at each sensor's few numbers.
 */
import { FoldedTexts } from "./texts.ts";

/** Names that are no attributes, in the order of their numbers. */
const OWN_NAMES = ["sensor_type", "unit", "location", "asset", "owner", "display_name", "tag"] as const;
export type OwnName = (typeof OWN_NAMES)[number];

export const NAME_NUMBERS = Object.freeze(
  Object.fromEntries(OWN_NAMES.map((name, number) => [name, number])) as Record<OwnName, number>,
);
/** Those of a series; the others are of the profile and the attributes. */
export const SERIES_NAMES = 3;

export class Facts {
  /** By the number of the fact. */
  readonly names: number[] = [];
  readonly values: string[] = [];
  readonly folded = new FoldedTexts();
  /** By the number of the name. */
  readonly #numbers: Map<string, number>[] = OWN_NAMES.map(() => new Map());
  readonly #ofName: number[][] = OWN_NAMES.map(() => []);
  readonly #attributes = new Map<string, number>();
  /** Of attributes, by the number of the name. */
  readonly #attributeNames: string[] = [...OWN_NAMES];

  get size(): number {
    return this.names.length;
  }

  /** The number of a name, also of an attribute that has a name of ours; undefined for one that no sensor has. */
  attributeName(name: string): number | undefined {
    return this.#attributes.get(name);
  }

  /** Of a name that is an attribute's; undefined for one of ours. */
  attributeOf(number: number): string | undefined {
    return number < OWN_NAMES.length ? undefined : this.#attributeNames[number];
  }

  /** All names that attributes have or had. */
  attributeNames(): IterableIterator<string> {
    return this.#attributes.keys();
  }

  /** The facts with a name. */
  ofName(number: number): readonly number[] {
    return this.#ofName[number]!;
  }

  own(name: OwnName, value: string): number {
    return this.#fact(NAME_NUMBERS[name], value);
  }

  attribute(name: string, value: string): number {
    let number = this.#attributes.get(name);
    if (number === undefined) {
      number = this.#numbers.push(new Map()) - 1;
      this.#ofName.push([]);
      this.#attributes.set(name, number);
      this.#attributeNames.push(name);
    }
    return this.#fact(number, value);
  }

  #fact(name: number, value: string): number {
    const known = this.#numbers[name]!;
    let fact = known.get(value);
    if (fact === undefined) {
      fact = this.names.push(name) - 1;
      this.values.push(value);
      this.folded.push(value);
      this.#ofName[name]!.push(fact);
      known.set(value, fact);
    }
    return fact;
  }
}
