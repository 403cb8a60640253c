import { ConnectError, type Client as ServiceClient } from "@connectrpc/connect";
import type {
  IngestCounts,
  IngestService,
  Refusal,
  StreamReadingsRequest,
  StreamReadingsResponse,
} from "../gen/es/telltale/v1/ingest_pb.ts";
import { readingAt } from "./batch.ts";
import type { Batch, Buffer } from "./buffer.ts";
import type { DeviceClientOptions } from "./types.ts";

/** Readings that may be on their way before the server has named its own credit. */
const FIRST_CREDIT = 10_000;

export interface StreamEvents {
  /** These, the oldest in the queue, are settled and were taken from it. */
  settled(batches: readonly Batch[], counts: IngestCounts | undefined): void;
  /** These are durable. */
  durable(batches: readonly Batch[]): void;
}

/** One stream: sends the queue from its head on, within the credit, and takes from the queue what the server settles. */
export class StreamRun {
  readonly #queue: Batch[];
  readonly #buffer: Buffer;
  readonly #options: DeviceClientOptions;
  readonly #events: StreamEvents;
  /**
   * Producer and epoch are fixed for a stream, and its sequences have no gap: it ends where the queue goes over to another epoch, or lacks
   * a batch, as after a power failure.
   */
  readonly #epoch: bigint;
  /** Of the batch that was sent last. */
  #last: bigint | undefined;
  /** Of the queue, how many were sent on this stream. */
  #sent = 0;
  /** Sent here and not yet durable. */
  #open: Batch[] = [];
  #openReadings = 0;
  #credit = FIRST_CREDIT;
  #ended = false;
  #wake: () => void = () => {};
  /** Whether the server answered at all. */
  progressed = false;

  constructor(queue: Batch[], buffer: Buffer, options: DeviceClientOptions, events: StreamEvents) {
    this.#queue = queue;
    this.#buffer = buffer;
    this.#options = options;
    this.#events = events;
    this.#epoch = queue[0]!.epoch;
  }

  /** More is in the queue, or it is over. */
  wake(): void {
    this.#wake();
  }

  /** Resolves when the stream has ended: with the error, or undefined where it ended because all that it may send is settled. */
  async run(service: ServiceClient<typeof IngestService>, signal: AbortSignal): Promise<ConnectError | undefined> {
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    signal.addEventListener("abort", end, { once: true });
    try {
      for await (const response of service.streamReadings(this.#requests(), { signal })) await this.#take(response);
      const [next] = this.#queue;
      const isOver = next === undefined || (this.#sent === 0 && !this.#follows(next));
      return isOver ? undefined : new ConnectError("the server ended the stream");
    } catch (error) {
      return ConnectError.from(error);
    } finally {
      signal.removeEventListener("abort", end);
      end();
    }
  }

  async *#requests(): AsyncGenerator<StreamReadingsRequest> {
    while (!this.#ended) {
      const batch = this.#queue[this.#sent];
      if (batch && !this.#follows(batch)) return;
      if (batch === undefined || !this.#fits(batch)) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const request = await this.#buffer.load(batch);
      this.#sent++;
      this.#last = batch.sequence;
      this.#open.push(batch);
      this.#openReadings += batch.count;
      yield request;
    }
  }

  #follows({ epoch, sequence }: Batch): boolean {
    return epoch === this.#epoch && (this.#last === undefined || sequence === this.#last + 1n);
  }

  /** One batch may always be on its way, so that a credit below its size does not stop the stream. */
  #fits(batch: Batch): boolean {
    return this.#open.length === 0 ? this.#credit > 0 : this.#openReadings + batch.count <= this.#credit;
  }

  async #take(response: StreamReadingsResponse): Promise<void> {
    if (!this.progressed) this.#options.onConnection?.({ connected: true });
    this.progressed = true;
    this.#credit = response.credit;
    const durable: Batch[] = [];
    while (this.#open[0] && this.#open[0].sequence <= response.durableSequence) durable.push(this.#open.shift()!);
    for (const batch of durable) this.#openReadings -= batch.count;
    this.#events.durable(durable);
    await this.#refusals(response);
    const settled = this.#queue.findIndex(
      ({ epoch, sequence }) => epoch !== this.#epoch || sequence > response.settledSequence,
    );
    const count = Math.min(this.#sent, settled === -1 ? this.#queue.length : settled);
    const batches = this.#queue.splice(0, count);
    this.#sent -= count;
    if (count > 0 || durable.length > 0) this.#events.settled(batches, response.counts);
    this.#wake();
  }

  async #refusals({ refusals }: StreamReadingsResponse): Promise<void> {
    const onRefusal = this.#options.onRefusal;
    if (!onRefusal) return;
    const requests = new Map<bigint, StreamReadingsRequest>();
    for (const refusal of byReading(refusals)) {
      const { sequence } = refusal;
      if (!requests.has(sequence)) {
        const batch = this.#queue.find((each) => each.epoch === this.#epoch && each.sequence === sequence);
        if (batch) requests.set(sequence, await this.#buffer.load(batch));
      }
      const request = requests.get(sequence);
      if (request) onRefusal({ refusal, reading: readingAt(request, refusal.index) });
    }
  }
}

/** One for each reading: where several of its fields are bad, the first with the messages of all. */
function byReading(refusals: readonly Refusal[]): Refusal[] {
  const merged: Refusal[] = [];
  for (const refusal of refusals) {
    const last = merged.at(-1);
    if (last === undefined || last.sequence !== refusal.sequence || last.index !== refusal.index) merged.push(refusal);
    else merged[merged.length - 1] = { ...last, message: `${last.message}; ${refusal.message}` };
  }
  return merged;
}
