import { expect, test } from "vitest";
import { type Device, readModbusConfig } from "./config.ts";
import { ModbusException, NoAnswer } from "./connection.ts";
import { isSilent, Poll } from "./poller.ts";
import type { Read } from "./registers.ts";

/** A device with 16-bit registers that hold their own address; `broken` says what is wrong with a request. */
function plant(addresses: readonly number[], broken: (read: Read) => Error | undefined) {
  const registers = addresses.map((address) => `{ sensor_id: s${address}, address: ${address} }`).join(", ");
  const text = `spool: { folder: x }\ndevices: [{ host: h, registers: [${registers}] }]`;
  const device: Device = readModbusConfig("test", text).devices[0]!;
  const asked: (readonly [address: number, count: number])[] = [];
  const reader = {
    read: async (_unit: number, read: Read) => {
      asked.push([read.address, read.count]);
      const error = broken(read);
      if (error !== undefined) throw error;
      const words = Array.from({ length: read.count }, (_, i) => read.address + i);
      return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
    },
  };
  const poll = new Poll(device, 1_000, device.registers, 0);
  const read = async () => {
    asked.length = 0;
    const answers = await poll.read(reader, () => 0);
    const found = answers.map(({ register, found: it }) => [register.address, "reason" in it ? it.reason : it.value]);
    return { found: Object.fromEntries(found) as Record<number, number | string>, asked: [...asked], answers };
  };
  return { read };
}
const holds = ({ address, count }: Read, register: number) => address <= register && register < address + count;

test("a register that the device refuses is found, and asked for alone from then on", async () => {
  const { read } = plant([0, 1, 2, 3], (of) => (holds(of, 2) ? new ModbusException(2) : undefined));
  const wanted = { 0: 0, 1: 1, 2: "exception", 3: 3 };
  expect(await read()).toMatchObject({
    found: wanted,
    asked: [
      [0, 4],
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 1],
    ],
  });
  // The others together again, without it.
  expect(await read()).toMatchObject({
    found: wanted,
    asked: [
      [0, 2],
      [2, 1],
      [3, 1],
    ],
  });
});

test("a device that refuses so many at once is asked one by one", async () => {
  const { read } = plant([0, 1, 2], ({ count }) => (count > 1 ? new ModbusException(3) : undefined));
  const wanted = { 0: 0, 1: 1, 2: 2 };
  expect((await read()).found).toEqual(wanted);
  expect(await read()).toMatchObject({
    found: wanted,
    asked: [
      [0, 1],
      [1, 1],
      [2, 1],
    ],
  });
});

test("one that is busy is asked again next time, in the same way", async () => {
  const { read } = plant([0, 1], () => new ModbusException(6));
  for (let i = 0; i < 2; i++) {
    expect(await read()).toMatchObject({ found: { 0: "exception", 1: "exception" }, asked: [[0, 2]] });
  }
});

test("a register to which the device says nothing keeps no other from being read", async () => {
  const { read } = plant([0, 10, 20], (of) => (holds(of, 0) ? new NoAnswer("silent") : undefined));
  const { found, answers } = await read();
  expect(found).toEqual({ 0: "unreachable", 10: 10, 20: 20 });
  expect(isSilent(answers)).toBe(false);
});

test("a device that is off is asked three times, not for each register", async () => {
  const { read } = plant([0, 10, 20, 30, 40, 50], () => new NoAnswer("silent"));
  const { found, asked, answers } = await read();
  expect(asked).toHaveLength(3);
  expect(Object.values(found)).toEqual(Array.from({ length: 6 }, () => "unreachable"));
  expect(isSilent(answers)).toBe(true);
});
