/** Modbus devices as a source of readings: one connection for each address, on which its devices are read in turn. */
import { delay } from "../../server/lib/signals.ts";
import type { LossReason } from "../counters.ts";
import { Pauses } from "../pauses.ts";
import type { Sample, Source, SourceParts } from "../source.ts";
import type { Device, ModbusSettings, Register } from "./config.ts";
import { type Endpoint, ModbusConnection, NoAnswer } from "./connection.ts";
import { type Answer, isSilent, MAX_SILENT, originOf, Poll } from "./poller.ts";

export function modbusSource({ devices }: ModbusSettings, parts: SourceParts): Source {
  const lines = linesOf(devices).map((each) => new Line(each, parts));
  return {
    run: async (signal) => {
      await Promise.all(lines.map((line) => line.run(signal)));
    },
  };
}

/** Reads every register once. */
export async function sampleModbus({ devices }: ModbusSettings, nowUs: () => number): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const { endpoint, devices: ofLine } of linesOf(devices)) {
    let connection: ModbusConnection | undefined;
    try {
      connection = await ModbusConnection.open(endpoint, ofLine[0]!.timeoutMs);
      for (const device of ofLine) samples.push(...(await sampleDevice(connection, device, nowUs)));
    } catch (error) {
      samples.push(...ofLine.flatMap((device) => unreadOf(device, device.registers, error)));
    } finally {
      connection?.close();
    }
  }
  return samples;
}

async function sampleDevice(connection: ModbusConnection, device: Device, nowUs: () => number): Promise<Sample[]> {
  try {
    const answers = await new Poll(device, 0, device.registers, 0).read(connection, nowUs);
    return answers.map(({ register, found }) => ({
      sensorId: register.sensorId,
      origin: originOf(register, device),
      found: "reason" in found ? found.why : found,
    }));
  } catch (error) {
    return unreadOf(device, device.registers, error);
  }
}

function unreadOf(device: Device, registers: readonly Register[], error: unknown): Sample[] {
  const found = messageOf(error);
  return registers.map((register) => ({ sensorId: register.sensorId, origin: originOf(register, device), found }));
}

/** Devices behind the same address share a connection: gateways allow few. */
function linesOf(devices: readonly Device[]): { readonly endpoint: Endpoint; readonly devices: readonly Device[] }[] {
  const groups = Map.groupBy(devices, ({ host, port }) => `${host} ${port}`);
  return [...groups.values()].map((group) => ({ endpoint: group[0]!, devices: group }));
}

/** A connection and what is read on it. */
class Line {
  readonly #endpoint: Endpoint;
  readonly #timeoutMs: number;
  readonly #polls: readonly Poll[];
  readonly #parts: SourceParts;
  readonly #pauses = new Pauses();
  readonly #address: string;
  /** Registers that gave no reading the last time. */
  readonly #failing = new Set<Register>();
  #silent = 0;

  constructor({ endpoint, devices }: ReturnType<typeof linesOf>[number], parts: SourceParts) {
    const nowMs = parts.clock.monotonicMs();
    this.#endpoint = endpoint;
    this.#timeoutMs = Math.max(...devices.map(({ timeoutMs }) => timeoutMs));
    this.#polls = devices.flatMap((device) =>
      [...Map.groupBy(device.registers, ({ intervalMs }) => intervalMs)].map(
        ([intervalMs, registers]) => new Poll(device, intervalMs, registers, nowMs),
      ),
    );
    this.#parts = parts;
    this.#address = `modbus://${endpoint.host}:${endpoint.port}`;
  }

  /** Connects, and connects again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#connected(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#disconnected(messageOf(error));
        await this.#pauses.next(signal).catch(ignoreAbort(signal));
      }
    }
  }

  async #connected(signal: AbortSignal): Promise<never> {
    const { counters, logger } = this.#parts;
    const connection = await ModbusConnection.open(this.#endpoint, this.#timeoutMs);
    this.#silent = 0;
    try {
      logger.info({ device: this.#address }, "connected to the device");
      this.#leaveOutAll();
      for (;;) {
        const poll = this.#polls.reduce((a, b) => (b.dueMs < a.dueMs ? b : a));
        await delay(Math.max(0, poll.dueMs - this.#parts.clock.monotonicMs()), signal);
        this.#leaveOut(poll, "late");
        poll.dueMs += poll.intervalMs;
        await this.#poll(poll, connection);
        counters.sourceConnected.set({ source: this.#address }, 1);
      }
    } finally {
      connection.close();
    }
  }

  /** Times that are over by now, but for the last of them, are left out and counted. */
  #leaveOut(poll: Poll, reason: LossReason): void {
    const missed = Math.max(0, Math.floor((this.#parts.clock.monotonicMs() - poll.dueMs) / poll.intervalMs));
    this.#parts.counters.lost(reason, missed * poll.size);
    poll.dueMs += missed * poll.intervalMs;
  }

  /** Those of while there was no connection. */
  #leaveOutAll(): void {
    for (const poll of this.#polls) this.#leaveOut(poll, "unreachable");
  }

  async #poll(poll: Poll, connection: ModbusConnection): Promise<void> {
    const { spool, counters, clock } = this.#parts;
    if (spool.isFull) {
      counters.lost("spool_full", poll.size);
      return;
    }
    let answers: Answer[];
    try {
      answers = await poll.read(connection, () => clock.nowUs());
    } catch (error) {
      counters.lost("unreachable", poll.size);
      throw error;
    }
    // A device behind a gateway may be off while others answer; where none does, another connection may help.
    this.#silent = isSilent(answers) ? this.#silent + 1 : 0;
    if (this.#silent === 0) this.#pauses.reset();
    const readings = answers.flatMap((answer) => this.#readingOf(poll, answer));
    if (readings.length > 0) spool.offer(readings);
    if (this.#silent >= MAX_SILENT) throw new NoAnswer("the device does not answer");
  }

  #readingOf(poll: Poll, { register, found }: Answer) {
    const { counters, logger } = this.#parts;
    const origin = originOf(register, poll.device);
    if ("reason" in found) {
      counters.lost(found.reason);
      if (!this.#failing.has(register))
        logger.warn({ sensor: register.sensorId, origin, why: found.why }, "no reading of a register");
      this.#failing.add(register);
      return [];
    }
    if (this.#failing.delete(register))
      logger.info({ sensor: register.sensorId, origin }, "the register gives readings again");
    if (poll.passes(register, found)) return [found];
    counters.unchanged();
    return [];
  }

  #disconnected(why: string): void {
    const { counters, sampled } = this.#parts;
    counters.sourceConnected.set({ source: this.#address }, 0);
    this.#leaveOutAll();
    sampled.say(
      `disconnected ${this.#address}`,
      { device: this.#address, why },
      "no connection to the device: trying again",
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}
