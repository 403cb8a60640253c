/** Simulated devices that send at their times whatever the platform does, by gRPC streams or by REST. */
import { Agent, request } from "node:http";
import { request as requestTls, Agent as TlsAgent } from "node:https";
import { text } from "node:stream/consumers";
import { createDeviceClient, type DeviceClient } from "../../client/index.ts";
import { RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import type { Recorder } from "./recorder.ts";

export interface DevicesOptions {
  readonly url: string;
  readonly token?: string;
  readonly connections: number;
  /** How long a reading may wait for others to share its batch, in milliseconds. */
  readonly lingerMs: number;
  readonly producer: string;
}

export interface LoadReading {
  readonly sensorId: string;
  readonly value: number;
  readonly observedAtUs: number;
}

export interface Devices {
  /** Never waits: what finds no room is recorded as an error. */
  send(device: number, reading: LoadReading, dueMs: number): void;
  /** Resolves when all is settled, or failed. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Readings that wait in this process at most: past this the platform takes less than what is asked of it. */
const MAX_WAITING = 100_000;
const NO_ROOM = "no room: the platform takes less than this rate";
const OF = { sensorType: "load", unit: "C" };
const REQUEST_TIMEOUT_MS = 60_000;

class Stream {
  readonly #client: DeviceClient;
  readonly #recorder: Recorder;
  /** When each open reading was due, oldest first; the first ones may be durable. */
  #due: number[] = [];
  #taken = 0;
  #durable = 0;

  constructor(options: DevicesOptions, index: number, recorder: Recorder) {
    this.#recorder = recorder;
    this.#client = createDeviceClient({
      url: options.url,
      ...(options.token === undefined ? {} : { token: options.token }),
      producer: `${options.producer}:${index}`,
      lingerMs: options.lingerMs,
      onRefusal: ({ refusal }) => recorder.error(`refused: ${enumName(RefusalReason, refusal.reason)}`),
      onConnection: ({ connected, reason }) => {
        if (!connected) recorder.error(`connection lost: ${reason}`);
      },
      onProgress: ({ durable, settled }) => this.#progress(durable, settled),
    });
  }

  send(reading: LoadReading, dueMs: number): void {
    if (this.#due.length >= MAX_WAITING) {
      this.#recorder.error(NO_ROOM);
      return;
    }
    this.#due.push(dueMs);
    this.#recorder.took();
    // A client that has failed says so at flush; what it did not take stays unsettled.
    this.#client.send({ ...OF, ...reading }).catch((error: Error) => this.#recorder.error(error.message));
  }

  #progress(durable: number, settled: number): void {
    for (; this.#durable < durable; this.#durable++) this.#recorder.durable(this.#due[this.#durable - this.#taken]!);
    const done = this.#due.slice(0, settled - this.#taken);
    for (const due of done) this.#recorder.settle(due);
    this.#due = this.#due.slice(done.length);
    this.#taken = settled;
  }

  async settled(): Promise<void> {
    await this.#client.flush();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

export function grpcDevices(options: DevicesOptions, recorder: Recorder): Devices {
  const streams = Array.from({ length: options.connections }, (_, index) => new Stream(options, index, recorder));
  return {
    send: (device, reading, dueMs) => streams[device % streams.length]!.send(reading, dueMs),
    settled: async () => {
      await Promise.all(streams.map((stream) => stream.settled()));
    },
    close: async () => {
      await Promise.all(streams.map((stream) => stream.close()));
    },
  };
}

/** A reading a call; it is answered when it is settled. */
export function restDevices(options: DevicesOptions, recorder: Recorder): Devices {
  const tls = options.url.startsWith("https:");
  const agent = new (tls ? TlsAgent : Agent)({ keepAlive: true, maxSockets: options.connections });
  const address = new URL("/api/v1/sensors/data", options.url);
  const headers = {
    "content-type": "application/json",
    ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
  };
  const open = new Set<Promise<void>>();
  const post = (reading: LoadReading) =>
    new Promise<string>((resolve, reject) => {
      const call = (tls ? requestTls : request)(address, {
        method: "POST",
        agent,
        headers,
        timeout: REQUEST_TIMEOUT_MS,
      });
      call.on("response", (response) => {
        if (response.statusCode === 200) response.resume().on("end", () => resolve(""));
        else text(response).then((body) => resolve(`HTTP ${response.statusCode} ${body.slice(0, 100)}`), reject);
      });
      call.on("timeout", () => call.destroy(new Error("no answer within a minute")));
      call.on("error", reject);
      const { sensorId, value, observedAtUs } = reading;
      const observed_at = new Date(observedAtUs / 1000).toISOString();
      call.end(JSON.stringify({ sensor_id: sensorId, sensor_type: OF.sensorType, unit: OF.unit, value, observed_at }));
    });
  return {
    send: (_device, reading, dueMs) => {
      if (open.size >= MAX_WAITING) {
        recorder.error(NO_ROOM);
        return;
      }
      recorder.took();
      const call = post(reading)
        .then(
          (wrong) => (wrong === "" ? recorder.settle(dueMs) : recorder.error(wrong)),
          (error: Error) => recorder.error(error.message),
        )
        .finally(() => open.delete(call));
      open.add(call);
    },
    settled: async () => {
      await Promise.all(open);
    },
    close: async () => agent.destroy(),
  };
}
