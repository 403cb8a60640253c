/** From messages to the log, and back to their acknowledgements: many on their way at once, acknowledged in order once they are durable. */
import { create } from "@bufbuild/protobuf";
import { Scope } from "../../../../gen/es/telltale/v1/admin_pb.ts";
import { RefusalReason } from "../../../../gen/es/telltale/v1/ingest_pb.ts";
import { type Reading, ReadingSchema } from "../../../../gen/es/telltale/v1/reading_pb.ts";
import { TelltaleError } from "../../../errors.ts";
import { enumName } from "../../../lib/enum-name.ts";
import { quoted } from "../../../lib/quoted.ts";
import { Changes, delay, ignoreRejection, orAbort } from "../../../lib/signals.ts";
import { toTimestamp } from "../../../lib/time.ts";
import type { Metrics } from "../../../observe/metrics.ts";
import type { SampledLines } from "../../../observe/sampled.ts";
import type { Principal } from "../../../security/principal.ts";
import type { Submission, Submitted } from "../../ingestor.ts";
import type { Connection } from "./connection.ts";
import { FIRST_RETRY_MS, LONGEST_RETRY_MS, MAX_BATCH_READINGS, MAX_HELD_BYTES } from "./limits.ts";
import { mapMessage } from "./map-message.ts";
import { type MappedReading, type Mapper, type Skipped, skipped } from "./message.ts";
import type { Delivery } from "./session.ts";

/** Whoever may publish at the broker writes: the broker's own rights say who that is. */
const PRINCIPAL: Principal = Object.freeze({ name: "mqtt", scopes: new Set([Scope.INGEST]), sensorPrefix: "" });
const HEAD = { producer: "", epoch: 0n, sequence: 0n, traceparent: "", blocks: [], echo: false } as const;

/** Where readings go. A message is acknowledged once its readings are durable. */
export interface ReadingSink {
  room(signal: AbortSignal): Promise<void>;
  submit(batch: Submitted, principal: Principal): Pick<Submission, "durable" | "refusals">;
}

export interface IntakeOptions {
  readonly ingestor: ReadingSink;
  /** The first that knows the topic counts. */
  readonly mappers: readonly Mapper[];
  /** Messages in hand; past it `room` waits. */
  readonly maxHeld: number;
  readonly acknowledge: (from: Connection, ids: readonly number[]) => void;
  /** Whether the connection may be read. */
  readonly onRoom: (hasRoom: boolean) => void;
  readonly metrics: Pick<Metrics, "mqttMessages" | "mqttSkipped">;
  readonly sampled: Pick<SampledLines, "say">;
}

/** Messages that go to the log together. */
interface Portion {
  readonly deliveries: readonly Delivery[];
  readonly readings: readonly Reading[];
  /** Of each reading, the index of its delivery. */
  readonly origins: readonly number[];
}

export class Intake {
  readonly #o: IntakeOptions;
  #queue: Delivery[] = [];
  readonly #handed: { readonly portion: Portion; readonly durable: Promise<void>; readonly sinceMs: number }[] = [];
  readonly #arrived = new Changes();
  readonly #sent = new Changes();
  readonly #roomier = new Changes();
  #heldMessages = 0;
  #heldBytes = 0;
  #wasFull = false;

  constructor(options: IntakeOptions) {
    this.#o = options;
  }

  get held(): number {
    return this.#heldMessages;
  }
  /** For how long the oldest messages that were handed over have waited for the log. */
  get stalledMs(): number {
    const [first] = this.#handed;
    return first === undefined ? 0 : performance.now() - first.sinceMs;
  }
  get #hasRoom(): boolean {
    return this.#heldMessages < this.#o.maxHeld && this.#heldBytes < MAX_HELD_BYTES;
  }

  /** Resolves when more may be taken; rejects with the signal's reason. */
  async room(signal: AbortSignal): Promise<void> {
    while (!this.#hasRoom) await orAbort(this.#roomier.next, signal);
  }

  /** Resolves when nothing is in hand. */
  async idle(signal: AbortSignal): Promise<void> {
    while (this.#heldMessages > 0) await orAbort(this.#roomier.next, signal);
  }

  take(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.#queue.push(delivery);
      this.#heldBytes += delivery.message.payload.length;
      this.#o.metrics.mqttMessages.inc({ qos: delivery.from === undefined ? "0" : "1" });
    }
    this.#heldMessages += deliveries.length;
    this.#changed();
    this.#arrived.tell();
  }

  /** Works until the signal aborts; rejects with its reason then. */
  async run(signal: AbortSignal): Promise<never> {
    return await Promise.race([this.#hand(signal), this.#acknowledge(signal)]);
  }

  async #hand(signal: AbortSignal): Promise<never> {
    for (;;) {
      while (this.#queue.length === 0) await orAbort(this.#arrived.next, signal);
      await this.#o.ingestor.room(signal);
      const portion = this.#nextPortion();
      const durable = this.#submit(portion);
      // Whoever comes to it hears of a failure.
      durable.catch(ignoreRejection);
      this.#handed.push({ portion, durable, sinceMs: performance.now() });
      this.#sent.tell();
    }
  }

  /** As many as waited, up to the size of a batch. */
  #nextPortion(): Portion {
    const readings: Reading[] = [];
    const origins: number[] = [];
    let count = 0;
    for (const delivery of this.#queue) {
      if (readings.length >= MAX_BATCH_READINGS) break;
      const mapped = delivery.mapped ?? mapMessage(this.#o.mappers, delivery.message);
      if ("skipped" in mapped) this.#skip(delivery, mapped);
      else {
        if (mapped.leftOut !== undefined) this.#skip(delivery, mapped.leftOut);
        for (const reading of mapped.readings) {
          readings.push(toReading(reading));
          origins.push(count);
        }
      }
      count++;
    }
    const deliveries = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    return { deliveries, readings, origins };
  }

  #skip({ message }: Delivery, { skipped: reason, detail }: Skipped): void {
    this.#o.metrics.mqttSkipped.inc({ reason });
    this.#o.sampled.say(
      `mqtt ${reason}`,
      { topic: quoted(message.topic), reason, detail },
      "MQTT messages skipped, or readings of them",
    );
  }

  /** Hands the readings over at once; resolves when they are durable. */
  async #submit(portion: Portion): Promise<void> {
    const durable: Promise<void>[] = [];
    // A message alone may be more than a batch: the births of a Sparkplug node, or a device with many entities.
    for (let from = 0; from < portion.readings.length; from += MAX_BATCH_READINGS) {
      const readings = portion.readings.slice(from, from + MAX_BATCH_READINGS);
      const submission = this.#o.ingestor.submit({ ...HEAD, readings }, PRINCIPAL);
      this.#sayRefused(portion, from, submission);
      durable.push(submission.durable);
    }
    await Promise.all(durable);
  }

  /** The ingestor counts what it refuses; what it does not know is the topic. */
  #sayRefused({ deliveries, origins }: Portion, from: number, { refusals }: Pick<Submission, "refusals">): void {
    for (const { index, reason, message } of refusals) {
      const delivery = deliveries[origins[from + index]!]!;
      const about = {
        topic: quoted(delivery.message.topic),
        reason: enumName(RefusalReason, reason),
        example: message,
      };
      this.#o.sampled.say(`mqtt refusal ${reason}`, about, "readings of MQTT messages refused");
    }
  }

  async #acknowledge(signal: AbortSignal): Promise<never> {
    for (;;) {
      while (this.#handed.length === 0) await orAbort(this.#sent.next, signal);
      const { portion, durable } = this.#handed[0]!;
      await orAbort(durable, signal).catch((error: unknown) => this.#again(portion, error, signal));
      this.#handed.shift();
      this.#done(portion.deliveries);
    }
  }

  /** Until it is stored: the broker sends a message again on another connection only. Its readings have their times: once stored, no more. */
  async #again(portion: Portion, first: unknown, signal: AbortSignal): Promise<void> {
    let error = first;
    for (let pauseMs = FIRST_RETRY_MS; ; pauseMs = Math.min(LONGEST_RETRY_MS, pauseMs * 2)) {
      signal.throwIfAborted();
      if (isForGood(error)) {
        await this.#oneByOne(portion, error, signal);
        return;
      }
      this.#o.sampled.say(
        "mqtt retry",
        { err: error, messages: portion.deliveries.length },
        "MQTT messages wait: they cannot be stored",
      );
      await delay(pauseMs * (0.5 + Math.random() / 2), signal);
      await this.#o.ingestor.room(signal);
      try {
        await orAbort(this.#submit(portion), signal);
        return;
      } catch (again) {
        error = again;
      }
    }
  }

  /** What no other try can mend is the fault of one message: it is skipped, and the others are stored. */
  async #oneByOne(portion: Portion, error: unknown, signal: AbortSignal): Promise<void> {
    const [only, ...more] = portion.deliveries;
    if (only !== undefined && more.length === 0) {
      const detail = error instanceof Error ? error.message : String(error);
      this.#skip(only, skipped("refused", detail));
      return;
    }
    for (const [i, delivery] of portion.deliveries.entries()) {
      const readings = portion.readings.filter((_, k) => portion.origins[k] === i);
      const single = { deliveries: [delivery], readings, origins: readings.map(() => 0) };
      await this.#submit(single).catch((again: unknown) => this.#again(single, again, signal));
    }
  }

  #done(deliveries: readonly Delivery[]): void {
    let ids: number[] = [];
    let from: Connection | undefined;
    const acknowledge = () => {
      if (from !== undefined) this.#o.acknowledge(from, ids);
      ids = [];
    };
    for (const delivery of deliveries) {
      this.#heldBytes -= delivery.message.payload.length;
      if (delivery.from === undefined) continue;
      if (delivery.from !== from) {
        acknowledge();
        from = delivery.from;
      }
      ids.push(delivery.packetId);
    }
    acknowledge();
    this.#heldMessages -= deliveries.length;
    this.#changed();
    this.#roomier.tell();
  }

  #changed(): void {
    const isFull = !this.#hasRoom;
    if (isFull === this.#wasFull) return;
    this.#wasFull = isFull;
    this.#o.onRoom(!isFull);
  }
}

function toReading({ sensorId, sensorType, unit, value, location, attributes, observedUs }: MappedReading): Reading {
  return create(ReadingSchema, {
    ...{ sensorId, sensorType, unit, value },
    ...(location !== undefined && { location }),
    ...(attributes !== undefined && { attributes }),
    observedAt: toTimestamp(observedUs),
  });
}

/** An error of the ingestor about the batch itself. */
function isForGood(error: unknown): boolean {
  return error instanceof TelltaleError && error.kind === "invalid";
}
