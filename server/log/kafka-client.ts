import { createRequire } from "node:module";
import { promisify } from "node:util";
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from "node:zlib";
import kafkajs, { type Kafka, type KafkaConfig } from "kafkajs";
import type { Logger } from "pino";
import type { StickyAssigner } from "./kafka-assigner.ts";

// A CommonJS package whose names Node cannot all see from outside.
const { CompressionCodecs, CompressionTypes, logLevel } = kafkajs;

export interface KafkaAddress {
  /** `host:port` of some brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  /** How this process names itself to the brokers. */
  readonly clientId?: string;
  /** TLS and credentials, as kafkajs takes them. */
  readonly security?: Pick<KafkaConfig, "ssl" | "sasl">;
}

/** A request without an answer for so long has failed, in milliseconds; shorter than the time an append may wait. */
export const requestTimeoutMs = 10_000;

/** One client for producer, consumer and administration. Its log lines go to ours, failures as warnings: it retries them. */
export function openKafka({ brokers, clientId = "telltale", security = {} }: KafkaAddress, logger: Logger): Kafka {
  prepareLibrary();
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: 5_000,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 10 },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => {
      const { message, timestamp: _, logger: __, ...details } = entry.log;
      const level = entry.level === logLevel.INFO || entry.level === logLevel.DEBUG ? "debug" : "warn";
      logger[level]({ ...details, part: `kafkajs ${entry.namespace}` }, message);
    },
    ...security,
  });
}

/** Largest record batch that is unpacked: well above the largest that is written, so that a broken one cannot fill the memory. */
const maxUnpackedBytes = 64 * 1024 * 1024;

/** Level 1: a third of the CPU of gzip's fastest, and smaller (docs/decisions/log.md). */
const packing = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const unpacking = { maxOutputLength: maxUnpackedBytes };
/** Smaller ones are packed and unpacked at once, in less than a millisecond: handing them to another thread costs 0.13 ms each. */
const handedOverBytes = 256 * 1024;
const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const zstd = {
  compress: async ({ buffer }: { buffer: Buffer }) =>
    buffer.length < handedOverBytes ? zstdCompressSync(buffer, packing) : compress(buffer, packing),
  decompress: async (packed: Buffer) =>
    packed.length < handedOverBytes / 4 ? zstdDecompressSync(packed, unpacking) : decompress(packed, unpacking),
};

let prepared = false;

/** What the library lacks or does wrong, once for the process. */
function prepareLibrary(): void {
  if (prepared) return;
  prepared = true;
  process.env.KAFKAJS_NO_PARTITIONER_WARNING = "1"; // every record names its partition
  (CompressionCodecs as Record<number, () => typeof zstd>)[CompressionTypes.ZSTD] = () => zstd;
  const load = createRequire(import.meta.url);
  quietTimers((load("kafkajs/src/network/requestQueue") as { prototype: RequestQueue }).prototype);
  keepMembership((load("kafkajs/src/consumer/consumerGroup") as { prototype: ConsumerGroup }).prototype);
}

/** After every answer it sets a timer for a time in the past, also when nothing waits; Node warns of the first one. */
function quietTimers(queue: RequestQueue): void {
  const schedule = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}

/**
 * A consumer that is started again after a failure would join as a stranger, and the group would wait until its former self has
 * expired. It joins under its old name instead; where that is not known any more, the library joins as new by itself. Its heartbeat is
 * handed out, because the library says that it lives between two fetches only.
 */
function keepMembership(group: ConsumerGroup): void {
  const join = group.joinAndSync;
  group.joinAndSync = function (this: ConsumerGroup) {
    this.memberId ??= this.assigners.find(({ memberId }) => memberId)?.memberId ?? null;
    for (const assigner of this.assigners) assigner.heartbeat = (interval) => this.heartbeat({ interval });
    return join.call(this);
  };
}

interface ConsumerGroup {
  memberId: string | null;
  readonly assigners: readonly StickyAssigner[];
  joinAndSync(): Promise<void>;
  heartbeat(options: { interval: number }): Promise<void>;
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}
