import {
  CALENDAR,
  COLUMNS,
  type Field,
  FORMER_STATES,
  MODEL,
  PROFILE,
  READING,
  SENSOR,
  STATE_VERSION,
  VOTES,
} from "./fields.ts";

/** Bytes of a cell. */
const BYTES: Readonly<Record<Field["type"], number>> = { f64: 8, f32: 4, u32: 4, u16: 2, u8: 1 };
/** Sensors begin with a line of the processor's cache. */
const LINE_BYTES = 64;

/** A field, or one of an item's fields, at its place. */
export interface Placed {
  readonly name: string;
  readonly type: Field["type"];
  readonly count: number;
  readonly meaning: string;
  /** Byte offset. */
  readonly at: number;
}

/** Places of a structure's fields: numbers by themselves first, then those of several cells. */
export function place(fields: readonly Field[]): { readonly fields: readonly Placed[]; readonly bytes: number } {
  const parts = fields.flatMap(({ name, type, count = 1, of, meaning }) =>
    of === undefined
      ? [{ name, type, count, meaning }]
      : of.map((part) => ({ name: join(name, part), type, count, meaning: `${part}: ${meaning}` })),
  );
  const single = parts.filter(({ count }) => count === 1).sort((a, b) => BYTES[b.type] - BYTES[a.type]);
  const arrays = parts.filter(({ count }) => count > 1);
  let bytes = 0;
  const placed = [...single, ...arrays].map((part) => {
    const at = align(bytes, BYTES[part.type]);
    bytes = at + part.count * BYTES[part.type];
    return { ...part, at };
  });
  return { fields: placed, bytes: align(bytes, 8) };
}

function join(name: string, part: string): string {
  return name + part[0]!.toUpperCase() + part.slice(1);
}

export function align(bytes: number, to: number): number {
  return Math.ceil(bytes / to) * to;
}

/** The address of a sensor's profile is kept with its state, and not saved. */
const IN_MEMORY: readonly Field[] = [
  ...SENSOR,
  { name: "profile", type: "u32", meaning: "address of its own profile, or of its type's" },
];

export const STRUCTURES = {
  sensor: place(IN_MEMORY),
  profile: place(PROFILE),
  calendar: place(CALENDAR),
  reading: place(READING),
  votes: place(VOTES),
  columns: place(COLUMNS),
  model: place(MODEL),
} as const;

export type Structure = keyof typeof STRUCTURES;

const placed = new Map(
  Object.entries(STRUCTURES).flatMap(([structure, { fields }]) =>
    fields.map((field) => [`${structure}.${field.name}`, field] as const),
  ),
);

/** A field of a structure. Throws a RangeError where there is none. */
export function fieldOf(structure: Structure, name: string): Placed {
  const field = placed.get(`${structure}.${name}`);
  if (field === undefined) throw new RangeError(`${structure} has no field "${name}"`);
  return field;
}

/** Where a field of a sensor is, or each of an item's fields. */
export function placesOf({ name, of }: Field): Placed[] {
  return (of ?? [undefined]).map((part) => fieldOf("sensor", part === undefined ? name : join(name, part)));
}

/** Byte offset of a field of a structure. */
export function offsetOf(structure: Structure, name: string): number {
  return fieldOf(structure, name).at;
}

/** The trunk's state begins here: hidden values, then cell values, of an even number of units. */
export const TRUNK_AT: number = STRUCTURES.sensor.bytes;

/** Places of a sensor's cells for a model with so many units, as a version of the state has them: that of a former one begins all later ones. */
export interface SensorLayout {
  /** Bytes from one sensor to the next. */
  readonly bytes: number;
  /** Byte offset of each word of 4 bytes in the order in which they are saved: of the double-precision cells, and of the others. */
  readonly doubles: Uint32Array;
  readonly floats: Uint32Array;
}

export function sensorLayout(units: number, version: number = STATE_VERSION): SensorLayout {
  const padded = units + (units & 1);
  const [first, ...later] = [...FORMER_STATES, STATE_VERSION].filter((state) => state <= version);
  const added = (type: Field["type"], state: number | undefined) =>
    SENSOR.filter((field) => field.type === type && (field.since ?? first) === state).flatMap(cellsOf);
  const trunk = [0, padded].flatMap((begin) => Array.from({ length: units }, (_, u) => TRUNK_AT + 4 * (begin + u)));
  const doubles = [first, ...later].flatMap((state) => added("f64", state));
  return {
    bytes: align(TRUNK_AT + 8 * padded, LINE_BYTES),
    doubles: Uint32Array.from(doubles.flatMap((cell) => [cell, cell + 4])),
    floats: Uint32Array.from([...added("f32", first), ...trunk, ...later.flatMap((state) => added("f32", state))]),
  };
}

/** Byte offsets of a field's cells in the order in which they are saved. */
function cellsOf(field: Field): number[] {
  const parts = placesOf(field);
  return Array.from({ length: field.count ?? 1 }, (_, i) => parts.map(({ at }) => at + i * BYTES[field.type])).flat();
}
