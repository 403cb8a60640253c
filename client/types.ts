import type { JsonObject } from "@bufbuild/protobuf";
import type { IngestCounts, Refusal } from "../gen/es/telltale/v1/ingest_pb.ts";

/** A measurement, as a device hands it over. The limits are those of `telltale.v1.Reading`; the server checks them. */
export interface DeviceReading {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly value: number;
  /** Whole microseconds since 1970-01-01T00:00:00Z. Absent: the server's clock when the reading arrives. */
  readonly observedAtUs?: number;
  readonly location?: string;
  /** Kept with the reading. */
  readonly metadata?: JsonObject;
  /** What is known of the sensor: given once or with every reading, kept where it changes. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Readings of one sensor in columns: cheaper by far than one by one. */
export interface DeviceBlock extends Omit<DeviceReading, "value" | "observedAtUs" | "metadata"> {
  /** Whole microseconds since 1970-01-01T00:00:00Z, not falling. */
  readonly timesUs: ArrayLike<number>;
  /** As many as `timesUs`. */
  readonly values: ArrayLike<number>;
}

export interface RefusedReading {
  /** Where several fields are bad: of the first of them, with a message about all. */
  readonly refusal: Refusal;
  /** The reading as it was sent. */
  readonly reading: DeviceReading;
}

/** A part of a file of the buffer that holds no whole batch: what was in it is lost, if it was not settled before. */
export interface BufferDamage {
  readonly path: string;
  /** Where it begins in the file, and how long it is, bytes. */
  readonly at: number;
  readonly bytes: number;
}

export interface Counts extends Readonly<Record<Exclude<keyof IngestCounts, `$${string}`>, bigint>> {}

export interface Progress {
  /** Readings handed over to this client, with those that its buffer kept from a run before. */
  readonly taken: number;
  /** Of those, in the buffer, now or before: the first ones, as they are put in in their order. */
  readonly buffered: number;
  /** Of those, saved by the server. */
  readonly durable: number;
  /** Of those, scored and committed. */
  readonly settled: number;
  /** What became of the settled ones. */
  readonly counts: Counts;
}

export interface DeviceClientOptions {
  /** Of the gRPC endpoint, for example "http://127.0.0.1:50051"; "https:" uses TLS. */
  readonly url: string;
  /** Names this sender, stable over its restarts. 1 to 100 characters. */
  readonly producer: string;
  /**
   * Sent as `Authorization: Bearer …`. A function is asked at every connection: a sender that the server refuses is then tried
   * again, because the next token may be another.
   */
  readonly token?: string | (() => string | Promise<string>);
  /** PEM texts: whom to trust besides the system's authorities, and who we are (mTLS). */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /**
   * Folder of the store-and-forward buffer: what is in it survives the death of this process and is sent by the next client on
   * the same folder. Absent: in memory only.
   */
  readonly bufferDir?: string;
  /**
   * Most bytes kept, on disk (256 MiB) or in memory (64 MiB). `send` waits while the buffer is full: nothing is dropped.
   */
  readonly maxBufferBytes?: number;
  /**
   * "never" (default): a reading in the buffer survives the death of this process, but not a power failure. "batch": each batch
   * is on disk before it is sent.
   */
  readonly fsync?: "never" | "batch";
  /** Most readings in a batch; 1,000 by default, at most 10,000. */
  readonly batchReadings?: number;
  /** How long a reading may wait for others to share its batch; 20 ms by default. */
  readonly lingerMs?: number;
  /** Longest pause between two tries to connect; 5,000 ms by default. The first is about 100 ms. */
  readonly maxBackoffMs?: number;
  /** Called with each reading that the server did not store. */
  readonly onRefusal?: (refused: RefusedReading) => void;
  /**
   * Called at the start for each part of the buffer on disk that is left out: a batch whose bytes have changed, or one at the end
   * that a crash or a power failure has cut off. The file is removed when the other batches in it are settled.
   */
  readonly onDamage?: (damage: BufferDamage) => void;
  /** Called when the connection is established, and when it is lost and why. */
  readonly onConnection?: (state: {
    readonly connected: boolean;
    readonly reason?: string;
    readonly retryInMs?: number;
  }) => void;
  /** Called whenever readings became durable or settled. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface DeviceClient {
  /**
   * Takes a reading; resolves when it is buffered, which is at once unless the buffer is full. Rejects after `close`, and when
   * the server refuses the sender itself (wrong token, wrong address): then nothing more can be delivered.
   */
  send(reading: DeviceReading): Promise<void>;
  /** The same for many readings of one sensor. */
  sendBlock(block: DeviceBlock): Promise<void>;
  /**
   * Resolves when everything taken so far is in the buffer: with `bufferDir` it survives the death of this process from then on,
   * with `fsync: "batch"` a power failure too. Waits while the buffer is full. Rejects as `send`, and where the folder cannot be
   * written.
   */
  buffered(): Promise<void>;
  /** Resolves, with the counts so far, when everything taken is settled. Rejects as `send`. */
  flush(): Promise<Counts>;
  readonly progress: Progress;
  /**
   * Ends the connection. What is not settled stays in the buffer if that is on disk, and is lost if not: flush first. Rejects
   * where the folder of the buffer could not be used, and readings were therefore lost.
   */
  close(): Promise<void>;
}
