/**
 * Compiles the way from a message to its outside form and back, once per message type, so that a reading costs a loop over an
 * array and no look-ups by name.
 */
import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { fieldOf, outsideName } from "./contracts.ts";
import type { Facade, FieldRule, Raw, Shaped } from "./tables.ts";
import { fromStruct, fromTimestamp, timestampFrom, toStruct } from "./values.ts";

/** Who decoded the message: grpc-js with proto names and numbers, or protobuf-es with local names and bigints. */
export type Decoder = "proto" | "es";

type Convert = (value: unknown) => unknown;
type Step = readonly [name: string, read: (message: Raw) => unknown];

export type Shaper = (message: Raw) => Shaped;

/** "SEVERITY_CRITICAL" of the enum Severity is "critical" outside. */
export function enumNames(desc: DescEnum): ReadonlyMap<number, string> {
  const prefix = desc.sharedPrefix ?? "";
  return new Map(desc.values.map((value) => [value.number, value.name.toLowerCase().replace(prefix, "")]));
}

export class Shapers {
  readonly #facade: Facade;
  readonly #decoder: Decoder;
  readonly #shapers = new Map<string, Shaper>();

  constructor(facade: Facade, decoder: Decoder) {
    this.#facade = facade;
    this.#decoder = decoder;
  }

  /** The shaper of a message type. */
  of(desc: DescMessage): Shaper {
    const known = this.#shapers.get(desc.typeName);
    if (known !== undefined) return known;
    let steps: Step[] = [];
    const shaper: Shaper = (message) => {
      const shaped: Shaped = {};
      for (const [name, read] of steps) shaped[name] = read(message);
      return shaped;
    };
    // Known before its steps are made: messages may contain themselves.
    this.#shapers.set(desc.typeName, shaper);
    steps = this.#steps(desc);
    return shaper;
  }

  /** The convention by which a field of the decoded message is read. */
  #key(field: DescField): string {
    return this.#decoder === "proto" ? field.name : field.localName;
  }

  #steps(desc: DescMessage): Step[] {
    return outsideFields(desc, this.#facade).map(({ name, field, value, batch }): Step => {
      // The batch's resolver replaces the key by the value.
      if (batch !== undefined) return [name, (message) => message[this.#key(fieldOf(desc, batch.key))]];
      if (value !== undefined) {
        const keys = new Map(desc.fields.map((candidate) => [candidate.name, this.#key(candidate)]));
        return [name, (message) => value((fieldName) => message[keys.get(fieldName) ?? fieldName])];
      }
      const key = this.#key(field!);
      const convert = this.#convert(field!);
      return [name, convert === undefined ? (message) => message[key] ?? null : (message) => convert(message[key])];
    });
  }

  #convert(field: DescField): Convert | undefined {
    if (field.fieldKind === "list") {
      const one = field.listKind === "scalar" ? (isLong(field) ? Number : undefined) : this.#element(field);
      return (value) => (one === undefined ? ((value as unknown[]) ?? []) : ((value as unknown[]) ?? []).map(one));
    }
    if (field.fieldKind === "map") return (value) => value ?? {};
    if (field.fieldKind === "scalar")
      return isLong(field) ? (value) => (value == null ? null : Number(value)) : undefined;
    const one = this.#element(field);
    return (value) => (value == null ? null : one(value));
  }

  #element(field: DescField): Convert {
    if (field.enum !== undefined) {
      const names = enumNames(field.enum);
      return (value) => names.get(value as number) ?? "unspecified";
    }
    if (field.message?.typeName === "google.protobuf.Timestamp") return (value) => fromTimestamp(value as Raw);
    if (field.message?.typeName === "google.protobuf.Struct")
      return this.#decoder === "es" ? (value) => value : (value) => fromStruct(value as Raw);
    const shaper = this.of(field.message!);
    return (value) => shaper(value as Raw);
  }
}

export interface OutsideField extends Omit<FieldRule, "from"> {
  readonly name: string;
  readonly field?: DescField;
}

/** Fields of a message as outsiders see them, in order; `field` is absent where `value` computes it. */
export function outsideFields(desc: DescMessage, facade: Facade): OutsideField[] {
  const rule = facade.types[desc.typeName];
  const listed = Object.entries(rule?.fields ?? {}).map(([name, { from, ...rest }]) => ({
    name,
    ...rest,
    ...(from === undefined ? {} : { field: fieldOf(desc, from) }),
  }));
  if (rule !== undefined && !rule.others) return listed;
  const taken = new Set(listed.map(({ field }) => field?.name));
  const others = desc.fields.filter((field) => !taken.has(field.name));
  return [...listed, ...others.map((field) => ({ name: outsideName(field, facade.naming), field }))];
}

/** Thrown where an argument names an enum value that does not exist. */
export class UnknownEnumValue extends Error {
  readonly argument: string;

  constructor(argument: string, given: string, wanted: Iterable<string>) {
    super(`${argument} is ${JSON.stringify(given)}, but must be one of ${[...wanted].join(", ")}.`);
    this.name = "UnknownEnumValue";
    this.argument = argument;
  }
}

/**
 * Makes a message out of arguments (named outside, shaped) as grpc-js's codec and protobuf-es's `create` both take it.
 *
 * @throws UnknownEnumValue, RangeError for a value that the contract's type cannot hold: the codecs would wrap or mend it in silence
 */
export function toMessage(desc: DescMessage, args: Shaped, naming: "camel" | "snake", decoder: Decoder): Raw {
  const message: Raw = {};
  for (const field of desc.fields) {
    const name = outsideName(field, naming);
    const value = args[name];
    if (value === undefined || value === null) continue;
    message[decoder === "proto" ? field.name : field.localName] =
      field.fieldKind === "list"
        ? (value as unknown[]).map((element) => toElement(field, name, element, naming, decoder))
        : field.fieldKind === "map"
          ? toTexts(name, value)
          : toElement(field, name, value, naming, decoder);
  }
  return message;
}

/** An object of texts: the only kind of map in the contracts that outsiders write. */
function toTexts(name: string, value: unknown): unknown {
  if (!isObject(value)) throw new RangeError(`${name} is ${JSON.stringify(value)}, but must be an object.`);
  const other = Object.entries(value).find(([, text]) => typeof text !== "string");
  if (other !== undefined)
    throw new RangeError(`${name}.${other[0]} is ${JSON.stringify(other[1])}, but must be a text.`);
  return value;
}

function isObject(value: unknown): value is Shaped {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toElement(
  field: DescField,
  name: string,
  value: unknown,
  naming: "camel" | "snake",
  decoder: Decoder,
): unknown {
  if (field.enum !== undefined) {
    if (value === "") return 0; // as for other filters: the empty string does not filter
    const names = enumNames(field.enum);
    for (const [number, candidate] of names) if (number !== 0 && candidate === value) return number;
    throw new UnknownEnumValue(
      name,
      String(value),
      [...names].filter(([number]) => number !== 0).map((entry) => entry[1]),
    );
  }
  if (field.message?.typeName === "google.protobuf.Timestamp") return timestampFrom(value, decoder);
  if (field.message?.typeName === "google.protobuf.Struct") return toObject(name, value, decoder);
  if (field.message !== undefined) return toMessage(field.message, value as Shaped, naming, decoder);
  if (typeof value === "string" && !value.isWellFormed())
    throw new RangeError(
      `${name} is ${JSON.stringify(value)}, in which half a surrogate pair stands alone: mend the text.`,
    );
  if (isUnsigned(field) && (value as number) < 0) throw new RangeError(`${name} is ${value}, but must be 0 or more.`);
  if (decoder === "es" && isLong(field)) return BigInt(value as number);
  return value;
}

function toObject(name: string, value: unknown, decoder: Decoder): unknown {
  if (!isObject(value)) throw new RangeError(`${name} is ${JSON.stringify(value)}, but must be an object.`);
  return decoder === "es" ? value : toStruct(value);
}

const LONG: ReadonlySet<ScalarType | undefined> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
  ScalarType.SINT64,
]);

/** Whether the field is an integer of 64 bits. */
export function isLong(field: DescField): boolean {
  return LONG.has(field.scalar);
}

const UNSIGNED: ReadonlySet<ScalarType | undefined> = new Set([
  ScalarType.UINT32,
  ScalarType.UINT64,
  ScalarType.FIXED32,
  ScalarType.FIXED64,
]);

/** Whether the field is an integer that has no sign. */
export function isUnsigned(field: DescField): boolean {
  return UNSIGNED.has(field.scalar);
}
