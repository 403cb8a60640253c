/** Registers of a Modbus device: what is read together, and what the bytes mean. Pure. */

/** The four tables of a device. */
export const TABLES = ["holding", "input", "coil", "discrete"] as const;
export type Table = (typeof TABLES)[number];

export const TYPES = ["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bit"] as const;
export type RegisterType = (typeof TYPES)[number];

export const ORDERS = ["big", "little"] as const;
export type Order = (typeof ORDERS)[number];

export interface RegisterPlace {
  readonly table: Table;
  /** As on the wire, from 0. */
  readonly address: number;
  readonly type: RegisterType;
  /** Of a bit in a register of 16: 0 is the least significant. */
  readonly bit: number;
  /** "big": the first register, or the first byte of a register, is the most significant one. */
  readonly wordOrder: Order;
  readonly byteOrder: Order;
}

/** What one request may ask for, as the specification says. */
const MAX_WORDS = 125;
const MAX_BITS = 2_000;

/** One request. */
export interface Read<R extends RegisterPlace = RegisterPlace> {
  readonly table: Table;
  readonly address: number;
  /** Registers of 16 bits, or bits. */
  readonly count: number;
  readonly registers: readonly R[];
}

/** How many addresses it takes. */
export function widthOf({ type }: Pick<RegisterPlace, "type">): number {
  if (type.endsWith("64")) return 4;
  return type.endsWith("32") ? 2 : 1;
}

export function isBitTable(table: Table): boolean {
  return table === "coil" || table === "discrete";
}

/**
 * The requests that read all of them.
 *
 * @param maxGap addresses that nobody wants and that may be read along, so that two requests become one
 * @param alone those that a request of several would fail for
 */
export function planReads<R extends RegisterPlace>(
  registers: readonly R[],
  maxGap: number,
  alone: ReadonlySet<R> = new Set(),
): Read<R>[] {
  const order = (a: R, b: R) => TABLES.indexOf(a.table) - TABLES.indexOf(b.table) || a.address - b.address;
  const reads: { table: Table; address: number; count: number; registers: R[] }[] = [];
  let open: (typeof reads)[number] | undefined;
  for (const register of registers.toSorted(order)) {
    const { table, address } = register;
    const end = address + widthOf(register);
    const most = isBitTable(table) ? MAX_BITS : MAX_WORDS;
    const fits =
      open?.table === table &&
      address <= open.address + open.count + maxGap &&
      end - open.address <= most &&
      !alone.has(register);
    if (open !== undefined && fits) {
      open.count = Math.max(open.count, end - open.address);
      open.registers.push(register);
      continue;
    }
    const read = { table, address, count: end - address, registers: [register] };
    reads.push(read);
    // Nothing joins one that is to be read alone.
    if (!alone.has(register)) open = read;
  }
  return reads;
}

/** The raw number of a register in what a read has answered: two bytes a register, most significant first, as on the wire. */
export function decode(place: RegisterPlace, read: Pick<Read, "address">, words: Uint8Array): number {
  const { type, wordOrder, byteOrder } = place;
  const width = widthOf(place);
  const view = new DataView(new ArrayBuffer(2 * width));
  const from = 2 * (place.address - read.address);
  for (let word = 0; word < width; word++) {
    const at = 2 * (wordOrder === "big" ? word : width - 1 - word);
    const first = words[from + 2 * word]!;
    const second = words[from + 2 * word + 1]!;
    view.setUint8(at, byteOrder === "big" ? first : second);
    view.setUint8(at + 1, byteOrder === "big" ? second : first);
  }
  switch (type) {
    case "int16":
      return view.getInt16(0);
    case "uint16":
      return view.getUint16(0);
    case "int32":
      return view.getInt32(0);
    case "uint32":
      return view.getUint32(0);
    // A reading is a double: past 2^53 the last digits go.
    case "int64":
      return Number(view.getBigInt64(0));
    case "uint64":
      return Number(view.getBigUint64(0));
    case "float32":
      return view.getFloat32(0);
    case "float64":
      return view.getFloat64(0);
    case "bit":
      return (view.getUint16(0) >> place.bit) & 1;
  }
}

/** With a scale such as 0.1 the result is the decimal that people expect: 3 tenths are 0.3 and not 0.30000000000000004. */
export function scaled(raw: number, scale: number, offset: number): number {
  const inverse = Math.round(1 / scale);
  const product = scale === 1 / inverse ? raw / inverse : raw * scale;
  return product + offset;
}

/** Leaves out what has hardly changed, for as long as nobody would miss it. */
export class Deadband {
  readonly #width: number;
  readonly #longestUs: number;
  #last: { readonly value: number; readonly us: number } | undefined;

  /** @param width 0: every value is sent @param longestMs after which a value is sent in any case */
  constructor(width: number, longestMs: number) {
    this.#width = width;
    this.#longestUs = longestMs * 1_000;
  }

  /** Whether the value is to be sent. One that is, is the measure for the next. */
  passes(value: number, us: number): boolean {
    const last = this.#last;
    const isNear = last !== undefined && Math.abs(value - last.value) < this.#width;
    if (isNear && us - last.us < this.#longestUs && us >= last.us) return false;
    this.#last = { value, us };
    return true;
  }
}
