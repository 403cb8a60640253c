/** Reads the registers of one device at their intervals. */
import type { DeviceReading } from "../../client/index.ts";
import type { LossReason } from "../counters.ts";
import type { Device, Register } from "./config.ts";
import { type ModbusConnection, ModbusException } from "./connection.ts";
import { Deadband, decode, planReads, type Read, scaled } from "./registers.ts";

/** What a request has given for one register: its reading, or a sentence why there is none. */
export interface Answer {
  readonly register: Register;
  readonly found: DeviceReading | { readonly reason: LossReason; readonly why: string };
}

type Reader = Pick<ModbusConnection, "read">;

/** Registers of a device that are read at the same time. */
export class Poll {
  readonly device: Device;
  readonly intervalMs: number;
  readonly #registers: readonly Register[];
  readonly #deadbands: ReadonlyMap<Register, Deadband>;
  /** Those that the device has refused: they are read by themselves, so that the others are not refused with them. */
  readonly #alone = new Set<Register>();
  #reads: Read<Register>[];
  /** In milliseconds of the monotonic clock. */
  dueMs: number;

  constructor(device: Device, intervalMs: number, registers: readonly Register[], startMs: number) {
    this.device = device;
    this.intervalMs = intervalMs;
    this.#registers = registers;
    this.#deadbands = new Map(registers.map((each) => [each, new Deadband(each.deadband, each.heartbeatMs)]));
    this.#reads = planReads(registers, device.maxGap);
    this.dueMs = startMs;
  }

  get size(): number {
    return this.#registers.length;
  }

  /** Whether the value has changed enough to be sent. */
  passes(register: Register, { value, observedAtUs = 0 }: DeviceReading): boolean {
    return this.#deadbands.get(register)!.passes(value, observedAtUs);
  }

  /** @throws what ends the connection, or says that the device does not answer */
  async read(connection: Reader, nowUs: () => number): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (const read of this.#reads) answers.push(...(await this.#request(connection, read, nowUs)));
    return answers;
  }

  async #request(connection: Reader, read: Read<Register>, nowUs: () => number): Promise<Answer[]> {
    const { unitId, timeoutMs } = this.device;
    try {
      const words = await connection.read(unitId, read, timeoutMs);
      const us = nowUs();
      return read.registers.map((register) => ({ register, found: readingOf(register, read, words, us) }));
    } catch (error) {
      if (!(error instanceof ModbusException)) throw error;
      if (error.isAboutAddress && read.registers.length > 1) return await this.#oneByOne(connection, read, nowUs);
      return read.registers.map((register) => ({ register, found: { reason: "exception", why: error.message } }));
    }
  }

  /** Finds which of them the device does not have. */
  async #oneByOne(connection: Reader, { registers }: Read<Register>, nowUs: () => number): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (const register of registers) {
      const [single] = planReads([register], 0);
      answers.push(...(await this.#request(connection, single!, nowUs)));
    }
    const refused = answers.filter(({ found }) => "reason" in found && found.reason === "exception");
    // None is refused by itself: what lies between them cannot be read, or not so many at once.
    const alone = refused.length === 0 ? registers : refused.map(({ register }) => register);
    for (const register of alone) this.#alone.add(register);
    this.#reads = planReads(this.#registers, this.device.maxGap, this.#alone);
    return answers;
  }
}

function readingOf(register: Register, read: Read, words: Uint8Array, us: number): Answer["found"] {
  const { sensorId, sensorType, unit, location, attributes, scale, offset } = register;
  const value = scaled(decode(register, read, words), scale, offset);
  if (!Number.isFinite(value)) return { reason: "not_a_number", why: `the register holds ${value}` };
  return {
    ...{ sensorId, sensorType, unit, value, observedAtUs: us },
    ...(location !== undefined && { location }),
    ...(attributes !== undefined && { attributes }),
  };
}

/** For people: where a register stands. */
export function originOf({ table, address, type }: Register, { host, port, unitId }: Device): string {
  return `${host}:${port} unit ${unitId} ${table} ${address} (${type})`;
}
