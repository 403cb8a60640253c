import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  Deadband,
  decode,
  isBitTable,
  planReads,
  type RegisterPlace,
  scaled,
  TABLES,
  TYPES,
  widthOf,
} from "./registers.ts";

const place = (address: number, more: Partial<RegisterPlace> = {}): RegisterPlace => ({
  ...{ table: "holding", address, type: "int16", bit: 0, wordOrder: "big", byteOrder: "big" },
  ...more,
});
const spans = (...reads: ReturnType<typeof planReads>) => reads.map(({ address, count }) => [address, count]);

describe("requests", () => {
  test("take neighbours together, whatever their order and width", () => {
    const registers = [place(102, { type: "float64" }), place(100), place(101), place(110)];
    expect(spans(...planReads(registers, 0))).toEqual([
      [100, 6],
      [110, 1],
    ]);
    expect(spans(...planReads(registers, 4))).toEqual([[100, 11]]);
  });

  test("are never of more than 125 registers, and never cut one in two", () => {
    const registers = Array.from({ length: 100 }, (_, i) => place(2 * i, { type: "int32" }));
    expect(spans(...planReads(registers, 0))).toEqual([
      [0, 124],
      [124, 76],
    ]);
  });

  test("leave those alone that the device refuses", () => {
    const registers = [place(0), place(1), place(2)];
    expect(spans(...planReads(registers, 8, new Set([registers[1]!])))).toEqual([
      [0, 3],
      [1, 1],
    ]);
  });

  test("read every register that there is", () => {
    const any = fc.record({
      table: fc.constantFrom(...TABLES),
      address: fc.nat(2_500),
      type: fc.constantFrom(...TYPES),
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 60 }), fc.nat(20), (given, maxGap) => {
        const registers = given.map((each) => place(each.address, each));
        const reads = planReads(registers, maxGap);
        expect(reads.flatMap((read) => read.registers)).toHaveLength(registers.length);
        for (const read of reads) {
          expect(read.count).toBeLessThanOrEqual(isBitTable(read.table) ? 2_000 : 125);
          for (const register of read.registers) {
            expect(register.table).toBe(read.table);
            expect(register.address).toBeGreaterThanOrEqual(read.address);
            expect(register.address + widthOf(register)).toBeLessThanOrEqual(read.address + read.count);
          }
        }
      }),
    );
  });
});

describe("values", () => {
  const float = Buffer.alloc(4);
  float.writeFloatBE(61.5);
  const [a, b, c, d] = [...float] as [number, number, number, number];

  test.each([
    ["big", "big", [a, b, c, d]],
    ["little", "big", [c, d, a, b]],
    ["big", "little", [b, a, d, c]],
    ["little", "little", [d, c, b, a]],
  ] as const)("of two registers, words %s and bytes %s endian", (wordOrder, byteOrder, bytes) => {
    const at = place(7, { type: "float32", wordOrder, byteOrder });
    expect(decode(at, { address: 5 }, Uint8Array.from([9, 9, 9, 9, ...bytes]))).toBe(61.5);
  });

  test.each([
    ["int16", [0xff, 0xd8], -40],
    ["uint16", [0xff, 0xd8], 65_496],
    ["int32", [0xff, 0xff, 0xff, 0xd8], -40],
    ["uint32", [0xff, 0xff, 0xff, 0xd8], 4_294_967_256],
    ["int64", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xd8], -40],
    ["uint64", [0, 0, 0, 1, 0, 0, 0, 0], 4_294_967_296],
    ["float64", [0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 1.5],
  ] as const)("of the type %s", (type, bytes, value) => {
    expect(decode(place(0, { type }), { address: 0 }, Uint8Array.from(bytes))).toBe(value);
  });

  test("of a bit in a register", () => {
    const bit = (n: number) => decode(place(0, { type: "bit", bit: n }), { address: 0 }, Uint8Array.from([0x80, 0x08]));
    expect([bit(3), bit(2), bit(15)]).toEqual([1, 0, 1]);
  });

  test("with a decimal scale are the decimals that people expect", () => {
    expect(scaled(3, 0.1, 0)).toBe(0.3);
    expect(scaled(235, 0.01, 0)).toBe(2.35);
    expect(scaled(10, 2.5, -40)).toBe(-15);
    expect(scaled(1, -0.1, 0)).toBe(-0.1);
  });
});

test("a deadband sends what has changed, and what nobody has heard of for long", () => {
  const deadband = new Deadband(0.5, 60_000);
  const passed = [
    [0, 10],
    [1e6, 10.4],
    [2e6, 10.5],
    [3e6, 10.1],
    [61.9e6, 10.4],
    [62e6, 10.4],
  ].filter(([us, value]) => deadband.passes(value!, us!));
  expect(passed).toEqual([
    [0, 10],
    [2e6, 10.5],
    [62e6, 10.4],
  ]);
});
