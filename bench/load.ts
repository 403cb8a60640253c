/** A load generator: streams of readings from one process, with its own cost told. */
import { setTimeout as delay } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IngestService, StreamReadingsRequestSchema } from "../gen/es/telltale/v1/ingest_pb.ts";

export type Request = MessageInitShape<typeof StreamReadingsRequestSchema>;

export interface LoadResult {
  readonly sent: number;
  readonly accepted: number;
  readonly seconds: number;
  /** CPU seconds of this process. */
  readonly cpuSeconds: number;
  /** From the time a batch was due to its acknowledgement, milliseconds. */
  readonly durableMs: number[];
  readonly settledMs: number[];
}

/** Batches a second of each stream; undefined: as many as the server takes. */
export interface LoadOptions {
  readonly batchesPerSecond?: number;
  /** Called once with what grows while it runs. */
  readonly onStart?: (progress: Progress) => void;
}

export interface Progress extends Pick<LoadResult, "durableMs" | "settledMs"> {
  /** Batches sent. */
  batches: number;
}

/**
 * Sends the batches of each stream and waits until all are settled. With a rate it is an open loop: a batch is due at its time
 * whatever the server does, and its latency counts from then.
 */
export async function runStreams(
  url: string,
  streams: readonly (() => Generator<Request>)[],
  { batchesPerSecond, onStart }: LoadOptions = {},
): Promise<LoadResult> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const durableMs: number[] = [];
  const settledMs: number[] = [];
  const progress: Progress = { durableMs, settledMs, batches: 0 };
  onStart?.(progress);
  let sent = 0;
  let accepted = 0;
  await Promise.all(
    streams.map(async (batches, s) => {
      const client = createClient(IngestService, createGrpcTransport({ baseUrl: url }));
      const epoch = BigInt(Date.now());
      const dueAt: number[] = [];
      let durable = 0;
      let settled = 0;
      async function* requests() {
        let sequence = 0n;
        // Senders are not in step with each other: each begins a share of the interval later.
        const first = performance.now() + (s * 1000) / ((batchesPerSecond ?? 1) * streams.length);
        for (const b of batches()) {
          let due = performance.now();
          if (batchesPerSecond !== undefined) {
            due = first + (Number(sequence) * 1000) / batchesPerSecond;
            const wait = due - performance.now();
            if (wait > 0) await delay(wait);
          }
          sequence++;
          sent += (b.readings?.length ?? 0) + (b.blocks ?? []).reduce((n, x) => n + (x.values?.length ?? 0), 0);
          progress.batches++;
          dueAt.push(due);
          yield create(StreamReadingsRequestSchema, { ...b, producer: `load-${s}`, epoch, sequence });
        }
      }
      for await (const r of client.streamReadings(requests())) {
        const now = performance.now();
        for (; durable < Number(r.durableSequence); durable++) durableMs.push(now - dueAt[durable]!);
        for (; settled < Number(r.settledSequence); settled++) settledMs.push(now - dueAt[settled]!);
        accepted += Number(r.counts?.accepted ?? 0n);
      }
    }),
  );
  const used = process.cpuUsage(cpu);
  return {
    sent,
    accepted,
    seconds: (performance.now() - started) / 1000,
    cpuSeconds: (used.user + used.system) / 1e6,
    durableMs,
    settledMs,
  };
}

/** The value below which a share of the numbers lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
