/** Latencies under an open loop of load, and the time from a reading to the alert at a watcher beside it. */
import { setPriority } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IngestService, StreamReadingsRequestSchema } from "../gen/es/telltale/v1/ingest_pb.ts";
import { AlertEventType, WatchService } from "../gen/es/telltale/v1/watch_pb.ts";
import { DAY_US } from "../server/lib/time.ts";
import { quantile, runStreams } from "./load.ts";
import { BLOCK_BATCH_READINGS, type BlockLoad, nowUs, STREAMS } from "./workload.ts";

/** Probes a second: hundreds in a short run, and nothing beside the load. */
const PROBES_PER_SECOND = 25;
/** Steady readings of a probe before it jumps: twice what a sensor needs to be judged. */
const STEADY = 60;
/**
 * Load of the same kind before what is measured. Code that was compiled for a flood of large batches is compiled anew for small ones and for
 * alerts: for a second everything takes three times as long, once in the life of a process.
 */
const WARM_ROUNDS = 1;
/** Share of the alerts that are looked at as the slowest. */
const SLOWEST = 0.02;
/** Alerts that are later than this are missing. */
const ALERT_TIMEOUT_MS = 30_000;

export interface Latencies {
  readonly perSecond: number;
  /** Readings, those before what is measured included. */
  readonly sent: number;
  readonly ackMs: Spread;
  readonly settledMs: Spread;
  readonly alertMs: Spread;
  /** Alerts that the alert's times are of. */
  readonly alerts: number;
  /** Where the time of an alert went, means of all of them and of the slowest 2 %. */
  readonly alertStages: { readonly all: Stages; readonly slowest: Stages };
  /** How late this process itself was, p99: what it adds to the others. */
  readonly loadLateMs: number;
}

/** Of a jump, one after the other, milliseconds; together they are the time of its alert. */
export interface Stages {
  /** From when it was due until it was sent: this process was busy. */
  readonly sent: number;
  readonly durable: number;
  readonly settled: number;
  /** From there to the watcher; below zero where the alert came first. */
  readonly told: number;
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * `perSecond` readings in blocks as an open loop for about `seconds`. Beside it probes, sensors of their own that were steady, jump one
 * by one, each once: the time counts from when the jump was due to be sent to the alert at a watcher.
 */
export async function measureLatencies(
  url: string,
  sensors: BlockLoad,
  perSecond: number,
  seconds: number,
): Promise<Latencies> {
  const { load: warm } = await run(url, sensors, perSecond, WARM_ROUNDS);
  const late = monitorEventLoopDelay({ resolution: 1 });
  late.enable();
  const rounds = Math.max(1, Math.round((perSecond * seconds) / sensors.roundReadings));
  const { load, alerts } = await run(url, sensors, perSecond, rounds);
  late.disable();
  const slowest = alerts.toSorted((a, b) => totalOf(b) - totalOf(a)).slice(0, Math.ceil(alerts.length * SLOWEST));
  return {
    perSecond: load.sent / load.seconds,
    sent: warm.sent + load.sent,
    ackMs: spread(load.durableMs),
    settledMs: spread(load.settledMs),
    alertMs: spread(alerts.map(totalOf)),
    alerts: alerts.length,
    alertStages: { all: meanOf(alerts), slowest: meanOf(slowest) },
    loadLateMs: Math.round(late.percentile(99) / 1e4) / 100,
  };
}

/** Whole rounds: what is left out would be a gap in the series. */
async function run(url: string, sensors: BlockLoad, perSecond: number, rounds: number) {
  const seconds = (rounds * sensors.roundReadings) / perSecond;
  const probes = new Probes(url, Math.round(PROBES_PER_SECOND * seconds));
  await probes.prepare();
  goFirst();
  const [load] = await Promise.all([
    runStreams(url, sensors.next(rounds), { batchesPerSecond: perSecond / STREAMS / BLOCK_BATCH_READINGS }),
    probes.jump(seconds),
  ]);
  return { load, alerts: await probes.stages() };
}

const totalOf = ({ sent, durable, settled, told }: Stages) => sent + durable + settled + told;

function meanOf(all: readonly Stages[]): Stages {
  const mean = (stage: keyof Stages) => tenth(all.reduce((sum, of) => sum + of[stage], 0) / all.length);
  return { sent: mean("sent"), durable: mean("durable"), settled: mean("settled"), told: mean("told") };
}

const tenth = (ms: number) => Math.round(ms * 10) / 10;

/**
 * The load stands for devices on machines of their own: where it may (as root), it does not wait for what it measures. The platform
 * was started before and keeps its priority.
 */
function goFirst(): void {
  if (process.getuid?.() === 0) setPriority(process.pid, -5);
}

function spread(ms: readonly number[]): Spread {
  const rounded = (share: number) => tenth(quantile(ms, share));
  return { p50: rounded(0.5), p99: rounded(0.99), max: rounded(1) };
}

/** Sensors that are steady until each jumps once. */
class Probes {
  readonly #url: string;
  readonly #count: number;
  readonly #tag = `probe-${nowUs()}`;
  /** Two days ago: nobody takes a sensor for silent whose readings are that old. */
  readonly #startUs = nowUs() - 2 * DAY_US;
  /** When each jump was due, sent, durable, settled and told of, milliseconds of this process. */
  readonly #jumps: Jump[] = [];
  #told = 0;
  readonly #over = new AbortController();
  readonly #all = Promise.withResolvers<void>();
  #watching: Promise<void> = Promise.resolve();

  constructor(url: string, count: number) {
    this.#url = url;
    this.#count = count;
  }

  /** Makes them steady, and puts the watch in place. */
  async prepare(): Promise<void> {
    const ingest = createClient(IngestService, createGrpcTransport({ baseUrl: this.#url }));
    const blocks = Array.from({ length: this.#count }, (_, k) => ({
      ...this.#series(k),
      baseTimeUs: BigInt(this.#startUs),
      timeDeltasUs: new Array<number>(STEADY).fill(1_000_000),
      values: Array.from({ length: STEADY }, (_, i) => 5 + ((i * 7 + k) % 5) / 100),
    }));
    await ingest.submitReadings({ blocks });
    const inPlace = Promise.withResolvers<void>();
    this.#watching = this.#watch(inPlace.resolve).catch((error: unknown) => {
      if (!this.#over.signal.aborted) this.#all.reject(error);
    });
    await inPlace.promise;
  }

  #series(k: number) {
    return { sensorId: `${this.#tag}-${k}`, sensorType: "probe", unit: "V" };
  }

  async #watch(inPlace: () => void): Promise<void> {
    const watch = createClient(WatchService, createGrpcTransport({ baseUrl: this.#url }));
    for await (const { event } of watch.watchAlerts({}, { signal: this.#over.signal })) {
      inPlace();
      const alert = event?.type === AlertEventType.OPENED ? event.alert! : undefined;
      const jump = alert?.sensorId.startsWith(this.#tag) ? this.#jumps[indexOf(alert.sensorId)] : undefined;
      if (jump === undefined) continue;
      jump.told = performance.now();
      if (++this.#told === this.#count) this.#all.resolve();
    }
  }

  /** One after another, evenly over so many seconds, whatever became of the ones before. */
  async jump(seconds: number): Promise<void> {
    const ingest = createClient(IngestService, createGrpcTransport({ baseUrl: this.#url }));
    let durable = 0;
    let settled = 0;
    for await (const r of ingest.streamReadings(this.#requests(seconds))) {
      const now = performance.now();
      for (; durable < Number(r.durableSequence); durable++) this.#jumps[durable]!.durable = now;
      for (; settled < Number(r.settledSequence); settled++) this.#jumps[settled]!.settled = now;
    }
  }

  async *#requests(seconds: number) {
    const first = performance.now();
    const us = this.#startUs + 2 * STEADY * 1e6;
    const observedAt = { seconds: BigInt(Math.floor(us / 1e6)), nanos: 0 };
    for (let k = 0; k < this.#count; k++) {
      const due = first + (k * seconds * 1000) / this.#count;
      const wait = due - performance.now();
      if (wait > 0) await delay(wait);
      this.#jumps.push({ due, sent: performance.now(), durable: 0, settled: 0, told: 0 });
      const readings = [{ ...this.#series(k), value: 500, observedAt }];
      yield create(StreamReadingsRequestSchema, { producer: this.#tag, epoch: 1n, sequence: BigInt(k + 1), readings });
    }
  }

  /** From each jump to its alert, once all have come. */
  async stages(): Promise<readonly Stages[]> {
    const timer = setTimeout(() => {
      const missing = `${this.#count - this.#told} of ${this.#count} probes raised no alert`;
      this.#all.reject(new Error(missing));
    }, ALERT_TIMEOUT_MS);
    try {
      await this.#all.promise;
    } finally {
      clearTimeout(timer);
      this.#over.abort();
      await this.#watching;
    }
    return this.#jumps.map(({ due, sent, durable, settled, told }) => ({
      sent: sent - due,
      durable: durable - sent,
      settled: settled - durable,
      told: told - settled,
    }));
  }
}

type Jump = { due: number } & Record<keyof Stages, number>;

const indexOf = (sensorId: string) => Number(sensorId.slice(sensorId.lastIndexOf("-") + 1));
