import { setTimeout as sleep } from "node:timers/promises";
import { createDeviceClient, type DeviceBlock, type DeviceClient } from "../../client/index.ts";
import { Random } from "../../testing/random.ts";

export interface PlantOptions {
  readonly seed: number;
  readonly url: string;
  readonly producers: number;
  readonly sensors: number;
  readonly readingsPerSensor: number;
  /** Readings of a sensor that are sent together. */
  readonly perBlock: number;
  /** Folder of the senders' buffers. */
  readonly folder: string;
  /** Another one for the first sender's. */
  readonly firstFolder?: string | undefined;
}

const second = 1_000_000;
/** Share of the readings that are held back and sent three rounds later, out of their order. */
const lateShare = 0.02;
/** Share of the blocks that another producer sends once more. */
const repeatedShare = 0.03;
const lateRounds = 3;

/**
 * Producers and their sensors, a seeded world: what is measured, what is late and what is sent twice depends on the seed alone.
 * Remembers what it has sent, so that what is stored can be held against it.
 */
export class Plant {
  /** Value by `sensor@microseconds`. */
  readonly truth = new Map<string, number>();
  refused = 0;
  sent = 0;
  rounds = 0;
  readonly #options: PlantOptions;
  readonly #random: Random;
  readonly #clients: DeviceClient[];
  readonly #startUs: number;
  readonly #held = new Map<number, DeviceBlock[]>();

  constructor(options: PlantOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    const spanUs = options.readingsPerSensor * second;
    this.#startUs = Math.floor(Date.now() / 1_000) * second - spanUs - 60 * second;
    this.#clients = Array.from({ length: options.producers }, (_, index) =>
      createDeviceClient({
        url: options.url,
        producer: `producer-${index}`,
        bufferDir: `${(index === 0 ? options.firstFolder : undefined) ?? options.folder}/producer-${index}`,
        maxBackoffMs: 1_000,
        onRefusal: () => {
          this.refused++;
        },
      }),
    );
  }

  get progress() {
    const all = this.#clients.map(({ progress }) => progress);
    return {
      taken: sum(all.map(({ taken }) => taken)),
      durable: sum(all.map(({ durable }) => durable)),
      settled: sum(all.map(({ settled }) => settled)),
    };
  }

  get totalRounds(): number {
    return Math.ceil(this.#options.readingsPerSensor / this.#options.perBlock);
  }

  /**
   * Sends one round: the next readings of every sensor, with what was held back before and some repetitions. Evenly over the
   * milliseconds that are asked for as it goes on.
   */
  async round(overMs: () => number): Promise<void> {
    const began = performance.now();
    const round = this.rounds++;
    const late = this.#held.get(round) ?? [];
    this.#held.delete(round);
    await Promise.all(
      this.#clients.map(async (_, producer) => {
        for (let sensor = producer; sensor < this.#options.sensors; sensor += this.#clients.length) {
          await this.#send(producer, this.#measure(sensor, round));
          const dueMs = (overMs() * sensor) / this.#options.sensors - (performance.now() - began);
          if (dueMs > 20) await sleep(dueMs);
        }
      }),
    );
    for (const block of late) await this.#send(0, block);
    if (this.rounds === this.totalRounds) {
      for (const blocks of this.#held.values()) for (const block of blocks) await this.#send(0, block);
      this.#held.clear();
    }
  }

  /** Resolves when everything sent is settled, with the sums of the answers. */
  async settle(): Promise<Record<"accepted" | "duplicate" | "conflicting" | "rejected", number>> {
    const all = await Promise.all(this.#clients.map((client) => client.flush()));
    const total = (name: "accepted" | "duplicate" | "conflicting" | "rejected") =>
      sum(all.map((counts) => Number(counts[name])));
    return {
      accepted: total("accepted"),
      duplicate: total("duplicate"),
      conflicting: total("conflicting"),
      rejected: total("rejected"),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  #measure(sensor: number, round: number): DeviceBlock {
    const { perBlock, readingsPerSensor } = this.#options;
    const first = round * perBlock;
    const count = Math.min(perBlock, readingsPerSensor - first);
    const name = `sensor-${String(sensor).padStart(5, "0")}`;
    const now: [number, number][] = [];
    const held: [number, number][] = [];
    for (let i = first; i < first + count; i++) {
      const at = this.#startUs + i * second + sensor;
      const value = this.#value(sensor, i);
      this.truth.set(`${name}@${at}`, value);
      (this.#random.next() < lateShare ? held : now).push([at, value]);
    }
    const block = (points: readonly [number, number][]): DeviceBlock => ({
      sensorId: name,
      sensorType: ["temperature", "pressure", "vibration"][sensor % 3]!,
      unit: ["°C", "bar", "mm/s"][sensor % 3]!,
      location: `hall ${sensor % 7}`,
      timesUs: points.map(([at]) => at),
      values: points.map(([, value]) => value),
    });
    if (held.length > 0) {
      const when = round + lateRounds;
      this.#held.set(when, [...(this.#held.get(when) ?? []), block(held)]);
    }
    return block(now);
  }

  /** A daily wave with noise; one sensor in twenty breaks for a while. */
  #value(sensor: number, i: number): number {
    const wave = 20 + (sensor % 50) + 5 * Math.sin((i + sensor) / 30);
    const noise = (this.#random.next() - 0.5) * 0.8;
    const broken = sensor % 20 === 0 && i > 80 && i % 100 >= 85 && i % 100 < 95;
    return Math.round((wave + noise + (broken ? 60 : 0)) * 100) / 100;
  }

  async #send(producer: number, block: DeviceBlock): Promise<void> {
    if (block.timesUs.length === 0) return;
    this.sent += block.timesUs.length;
    await this.#clients[producer]!.sendBlock(block);
    if (this.#random.next() >= repeatedShare) return;
    this.sent += block.timesUs.length;
    await this.#clients[(producer + 1) % this.#clients.length]!.sendBlock(block);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
