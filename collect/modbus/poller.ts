/** Reads the registers of one device at their intervals. */
import type { DeviceReading } from "../../client/index.ts";
import type { LossReason } from "../counters.ts";
import type { Device, Register } from "./config.ts";
import { type ModbusConnection, ModbusException, NoAnswer } from "./connection.ts";
import { Deadband, decode, planReads, type Read, scaled } from "./registers.ts";

/** Requests without an answer, one after the other. */
export const MAX_SILENT = 3;
const SILENT = "the device does not answer";

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

  /** @throws what ends the connection */
  async read(connection: Reader, nowUs: () => number): Promise<Answer[]> {
    return await this.#inTurn(connection, this.#reads, nowUs);
  }

  /** A device that says nothing to several requests is not asked the others: each takes as long as the time-out. */
  async #inTurn(connection: Reader, reads: readonly Read<Register>[], nowUs: () => number): Promise<Answer[]> {
    const all: Answer[] = [];
    let silent = 0;
    for (const read of reads) {
      const answers =
        silent < MAX_SILENT ? await this.#request(connection, read, nowUs) : none(read, "unreachable", SILENT);
      silent = isSilent(answers) ? silent + 1 : 0;
      all.push(...answers);
    }
    return all;
  }

  async #request(connection: Reader, read: Read<Register>, nowUs: () => number): Promise<Answer[]> {
    const { unitId, timeoutMs } = this.device;
    try {
      const words = await connection.read(unitId, read, timeoutMs);
      const us = nowUs();
      return read.registers.map((register) => ({ register, found: readingOf(register, read, words, us) }));
    } catch (error) {
      if (error instanceof NoAnswer) return none(read, "unreachable", SILENT);
      if (!(error instanceof ModbusException)) throw error;
      if (error.isAboutAddress && read.registers.length > 1) return await this.#oneByOne(connection, read, nowUs);
      return none(read, "exception", error.message);
    }
  }

  /** Finds which of them the device does not have. */
  async #oneByOne(connection: Reader, { registers }: Read<Register>, nowUs: () => number): Promise<Answer[]> {
    const single = registers.flatMap((register) => planReads([register], 0));
    const answers = await this.#inTurn(connection, single, nowUs);
    const refused = answers.filter(({ found }) => "reason" in found && found.reason !== "not_a_number");
    // None is refused by itself: what lies between them cannot be read, or not so many at once.
    const alone = refused.length === 0 ? registers : refused.map(({ register }) => register);
    for (const register of alone) this.#alone.add(register);
    this.#reads = planReads(this.#registers, this.device.maxGap, this.#alone);
    return answers;
  }
}

/** Of none of them there was an answer. */
export function isSilent(answers: readonly Answer[]): boolean {
  return answers.every(({ found }) => "reason" in found && found.reason === "unreachable");
}

function none({ registers }: Read<Register>, reason: LossReason, why: string): Answer[] {
  return registers.map((register) => ({ register, found: { reason, why } }));
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
