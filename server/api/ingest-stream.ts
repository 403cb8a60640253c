/** One sender's stream of batches: what it has sent, how far that is saved and settled, and how much more it may send. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Refusal,
  StreamReadingsRequest,
  StreamReadingsResponseSchema,
} from "../../gen/es/telltale/v1/ingest_pb.ts";
import { TelltaleError } from "../errors.ts";
import type { Batch } from "../ingest/accept.ts";
import type { Ingestor, Submission } from "../ingest/ingestor.ts";
import { MAX_REFUSALS_DETAILED } from "../ingest/limits.ts";
import type { BatchCounts, SettledBatch } from "../ingest/settled.ts";
import { Changes, orAbort } from "../lib/signals.ts";
import type { Principal } from "../security/principal.ts";
import { countsMessage } from "./counts.ts";

/** Batches of a stream that may be on their way to the log; half the window by which resent ones are recognised. */
const MAX_UNSAVED_BATCHES = 256;
/** Batches of a stream that may wait for their scores: bounds what is remembered of it. */
const MAX_UNSETTLED_BATCHES = 4096;
/** Readings that a sender may have unsaved: its credit at the most. */
const MAX_CREDIT = 100_000;

interface InFlight {
  readonly sequence: bigint;
  readonly readings: number;
  durable: boolean;
  settled: SettledBatch | undefined;
}

export class IngestStream {
  readonly #ingestor: Pick<Ingestor, "submit" | "room">;
  readonly #principal: Principal;
  /** Batches in the order of their sequences, from the first that is not durable. */
  readonly #unsaved: InFlight[] = [];
  readonly #unsettled: InFlight[] = [];
  #unsavedReadings = 0;
  #durable = 0n;
  #settled = 0n;
  #failure: unknown;
  #ended = false;
  readonly #changes = new Changes();

  constructor(ingestor: Pick<Ingestor, "submit" | "room">, principal: Principal) {
    this.#ingestor = ingestor;
    this.#principal = principal;
  }

  wake(): void {
    this.#changes.tell();
  }

  /** Takes batches in while there is room; not reading on is what slows the sender. */
  async read(requests: AsyncIterable<StreamReadingsRequest>, signal: AbortSignal): Promise<void> {
    let producer: string | undefined;
    let epoch = 0n;
    let last = 0n;
    try {
      for await (const request of requests) {
        if (producer === undefined) {
          producer = checkProducer(request.producer);
          epoch = request.epoch;
          last = request.sequence - 1n;
          this.#durable = last;
          this.#settled = last;
        }
        checkOrder(request, producer, epoch, last);
        last = request.sequence;
        await this.#room(signal);
        // The stream has been answered: nobody would learn what becomes of the rest.
        signal.throwIfAborted();
        this.#take({ ...request, producer, epoch, echo: false });
      }
    } finally {
      this.#ended = true;
      this.wake();
    }
  }

  async #room(signal: AbortSignal): Promise<void> {
    await this.#ingestor.room(signal);
    while (
      this.#unsaved.length >= MAX_UNSAVED_BATCHES ||
      this.#unsettled.length >= MAX_UNSETTLED_BATCHES ||
      this.#unsavedReadings >= MAX_CREDIT
    ) {
      if (this.#failure !== undefined) throw this.#failure;
      await orAbort(this.#changes.next, signal);
    }
  }

  #take(batch: Batch): void {
    const submission = this.#ingestor.submit(batch, this.#principal);
    const { sequence } = batch;
    const item: InFlight = { sequence, readings: submission.readings, durable: false, settled: undefined };
    this.#unsaved.push(item);
    this.#unsettled.push(item);
    this.#unsavedReadings += item.readings;
    this.#follow(item, submission);
  }

  #follow(item: InFlight, { durable, settled }: Submission): void {
    const fail = (error: unknown) => {
      this.#failure ??= error;
      this.wake();
    };
    durable.then(() => {
      item.durable = true;
      this.wake();
    }, fail);
    settled.then((batch) => {
      item.settled = batch;
      this.wake();
    }, fail);
  }

  /** A response whenever something moved, until everything taken is settled. */
  async *responses(reading: Promise<void>, signal: AbortSignal) {
    for (;;) {
      const changed = this.#changes.next;
      const response = this.#progress();
      if (response !== undefined) yield response;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) {
        // A refusal of a message ends the stream once what was taken before it is told.
        if (this.#unsettled.length === 0) {
          await reading;
          return;
        }
      }
      if (response === undefined) await orAbort(changed, signal);
    }
  }

  #progress(): MessageInitShape<typeof StreamReadingsResponseSchema> | undefined {
    let moved = false;
    while (this.#unsaved[0]?.durable === true) {
      const item = this.#unsaved.shift()!;
      this.#durable = item.sequence;
      this.#unsavedReadings -= item.readings;
      moved = true;
    }
    const counts: BatchCounts[] = [];
    const refusals: Refusal[] = [];
    while (this.#unsettled[0]?.settled !== undefined && this.#unsettled[0].durable) {
      const { sequence, settled } = this.#unsettled[0];
      // One response describes so many refusals; the next batch waits for the next response.
      const more = settled.refusals;
      if (refusals.length > 0 && refusals.length + more.length > MAX_REFUSALS_DETAILED) break;
      this.#unsettled.shift();
      this.#settled = sequence;
      refusals.push(...more);
      counts.push(settled.counts);
      moved = true;
    }
    if (!moved) return undefined;
    return {
      durableSequence: this.#durable,
      settledSequence: this.#settled,
      counts: countsMessage(counts),
      refusals,
      credit: Math.max(0, MAX_CREDIT - this.#unsavedReadings),
    };
  }
}

function checkProducer(producer: string): string {
  if (producer.length > 0 && producer.length <= 100) return producer;
  const description = `producer has ${producer.length} characters: name the sender with 1 to 100 in the first message`;
  throw new TelltaleError("invalid", description, { violations: [{ field: "producer", description }] });
}

function checkOrder(r: StreamReadingsRequest, producer: string, epoch: bigint, last: bigint): void {
  const refuse = (field: string, description: string) => {
    throw new TelltaleError("invalid", description, { violations: [{ field, description }] });
  };
  if (r.producer !== "" && r.producer !== producer) {
    refuse("producer", `producer changed from "${producer}" to "${r.producer}": open another stream for it`);
  }
  // An absent epoch in a later message means the same one.
  if (r.epoch !== epoch && !(r.producer === "" && r.epoch === 0n)) {
    refuse("epoch", `epoch changed from ${epoch} to ${r.epoch}: open another stream for it`);
  }
  if (r.sequence < 1n || r.sequence > BigInt(Number.MAX_SAFE_INTEGER)) {
    refuse("sequence", `sequence is ${r.sequence}: begin at 1 and count up`);
  }
  if (r.sequence !== last + 1n) refuse("sequence", `sequence ${r.sequence} follows ${last}: send ${last + 1n}`);
}
