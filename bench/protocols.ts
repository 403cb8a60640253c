/** Ingest protocols of others beside the contract's own blocks and single readings, against one platform, one after another. */
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  AggregationTemporality,
  ExportMetricsServiceRequestSchema as ExportSchema,
} from "../gen/es/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { type Platform, startPlatform } from "../testing/platform.ts";
import { labels1, writeRequest1, writeRequest2 } from "../testing/remote-write.ts";
import { cpuInside, difference, sum } from "./cpu.ts";
import { measure } from "./embedded.ts";
import { hundredths, type Row } from "./row.ts";
import { named } from "./sessions.ts";
import { uploadRows } from "./uploads.ts";
import { BlockLoad, nowUs, SingleLoad } from "./workload.ts";

/** Requests under way at a time. */
const SENDERS = 8;
/** Series of each protocol. Each sender has its share, and a sample of each of them in a request, as a scrape has. */
const SERIES = 16_000;
/** Before the retention ends, and not in the future. */
const HISTORY_MS = 20 * 86_400_000;
/** What a sender waits when it is told to come later. */
const LATER_MS = 50;

interface Sent {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A request of one sender: a sample at the time of each of its series. */
type Encode = (sender: number, timeMs: number, step: number) => Sent;

const value = (step: number, i: number) => Math.round(2150 + 300 * Math.sin(step / 50 + i)) / 100;
const each = <T>(make: (i: number) => T) => Array.from({ length: SERIES / SENDERS }, (_, i) => make(i));
const labels = (sender: number, i: number) => ({
  ...{ instance: `host-${sender}:9100`, job: "plant", line: String(i % 7), machine: `machine-${i}` },
});

const PROTOCOLS: Readonly<Record<string, Encode>> = {
  remote_write_1: (sender, timeMs, step) => {
    const timestamp = BigInt(timeMs);
    const timeseries = each((i) => ({
      labels: labels1({ __name__: "bench_celsius", ...labels(sender, i) }),
      samples: [{ timestamp, value: value(step, i) }],
    }));
    return { path: "/api/v1/write", ...writeRequest1({ timeseries }) };
  },
  remote_write_2: (sender, timeMs, step) => {
    const timestamp = BigInt(timeMs);
    const symbols = [""];
    const known = new Map<string, number>();
    const ref = (text: string) => {
      const at = known.get(text) ?? symbols.push(text) - 1;
      known.set(text, at);
      return at;
    };
    const timeseries = each((i) => ({
      labelsRefs: Object.entries({ __name__: "bench2_celsius", ...labels(sender, i) }).flatMap((label) =>
        label.map(ref),
      ),
      samples: [{ timestamp, value: value(step, i) }],
    }));
    return { path: "/api/v1/write", ...writeRequest2({ symbols, timeseries }) };
  },
  otlp: (sender, timeMs, step) => {
    const timeUnixNano = BigInt(timeMs) * 1_000_000n;
    const text = ([key, of]: [string, string]) => ({
      key,
      value: { value: { case: "stringValue" as const, value: of } },
    });
    const dataPoints = each((i) => ({
      attributes: Object.entries(labels(sender, i)).map(text),
      timeUnixNano,
      value: { case: "asDouble" as const, value: value(step, i) },
    }));
    const aggregationTemporality = AggregationTemporality.CUMULATIVE;
    const metrics = [{ name: "bench", data: { case: "sum" as const, value: { dataPoints, aggregationTemporality } } }];
    const resource = { attributes: [text(["service.name", "bench"])] };
    const message = create(ExportSchema, { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] });
    const headers = { "content-type": "application/x-protobuf" };
    return { path: "/v1/metrics", headers, body: toBinary(ExportSchema, message) };
  },
  line_protocol: (sender, timeMs, step) => {
    const tags = (i: number) =>
      Object.entries(labels(sender, i))
        .map(([key, of]) => `,${key}=${of}`)
        .join("");
    const lines = each((i) => `bench${tags(i)} value=${value(step, i)} ${timeMs}`);
    return { path: "/api/v2/write?precision=ms", headers: {}, body: Buffer.from(lines.join("\n")) };
  },
};

/** @param samples of each protocol, about */
export async function protocolRows(samples: number): Promise<Row[]> {
  const platform = await startPlatform();
  const pids = [platform.process.pid!];
  const rows: Row[] = [];
  try {
    const blockLoad = new BlockLoad(2_000);
    await measure(platform.grpc, pids, blockLoad.next(1));
    const blocks = await measure(platform.grpc, pids, blockLoad.next(2));
    const singleLoad = new SingleLoad(SERIES);
    await measure(platform.grpc, pids, singleLoad.next(WARM_STEPS));
    const singles = await measure(platform.grpc, pids, singleLoad.next(Math.ceil(samples / SERIES)));
    for (const [name, encode] of Object.entries(PROTOCOLS)) {
      const run = await measureProtocol(platform, encode, Math.ceil(samples / SERIES));
      rows.push({
        name: `protocol_${name}_per_s`,
        value: run.perSecond,
        unit: "readings/s",
        beside: {
          cpu_us: hundredths(run.cpuUs),
          to_grpc_blocks: hundredths(run.perSecond / blocks.perSecond),
          to_grpc_singles: hundredths(run.perSecond / singles.perSecond),
          cpu_to_grpc_blocks: hundredths(run.cpuUs / blocks.cpuUs),
          cpu_to_grpc_singles: hundredths(run.cpuUs / singles.cpuUs),
          cpu_us_of: run.of,
          ...{ readings: run.sent, told_to_wait: run.waits },
        },
      });
    }
    rows.push(...(await uploadRows(platform.http, pids, samples, blocks)));
    const beside = {
      cpu_us: hundredths(blocks.cpuUs),
      singles_per_s: Math.round(singles.perSecond),
      singles_cpu_us: hundredths(singles.cpuUs),
    };
    rows.push({ name: "protocol_grpc_blocks_per_s", value: blocks.perSecond, unit: "readings/s", beside });
    return rows;
  } finally {
    await platform.stop();
  }
}

/** Bodies are made before the time counts. The first steps meet every series for the first time. */
async function measureProtocol(platform: Platform, encode: Encode, steps: number) {
  const { http: url, dataDir } = platform;
  const pid = platform.process.pid!;
  const startMs = Math.floor(nowUs() / 1000) - HISTORY_MS;
  const bodies = (sender: number, from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => encode(sender, startMs + 1000 * (from + i), from + i));
  const senders = Array.from({ length: SENDERS }, (_, sender) => sender);
  await sendAll(
    url,
    senders.map((sender) => bodies(sender, 0, WARM_STEPS)),
  );
  const measured = senders.map((sender) => bodies(sender, WARM_STEPS, WARM_STEPS + steps));
  const before = cpuInside(pid);
  const began = performance.now();
  const waits = await sendAll(url, measured);
  const seconds = (performance.now() - began) / 1000;
  const sent = steps * SERIES;
  const cpu = difference(before, cpuInside(pid));
  const us = (s: number) => (s * 1e6) / sent;
  const of = Object.entries(await named(cpu, dataDir)).map(([name, s]) => [name, hundredths(us(s))] as const);
  const largestFirst = of.filter(([, each]) => each >= LEAST_US).sort(([, a], [, b]) => b - a);
  return { sent, waits, of: Object.fromEntries(largestFirst), perSecond: sent / seconds, cpuUs: us(sum(cpu)) };
}

const WARM_STEPS = 3;
/** Threads and sessions that take less, a reading, are not named. */
const LEAST_US = 0.05;

/** Each sender one request after another; answers with how often one was told to come later. */
async function sendAll(url: string, senders: readonly (readonly Sent[])[]): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  let waits = 0;
  const send = async (sent: Sent) => {
    for (;;) {
      const status = await post(agent, url, sent);
      if (status === 200 || status === 204) return;
      if (status !== 429 && status !== 503) throw new Error(`${sent.path} was answered with ${status}`);
      waits++;
      await delay(LATER_MS);
    }
  };
  await Promise.all(
    senders.map(async (all) => {
      for (const sent of all) await send(sent);
    }),
  );
  agent.destroy();
  return waits;
}

function post(agent: Agent, url: string, { path, headers, body }: Sent): Promise<number> {
  return new Promise((resolve, reject) => {
    const length = { "content-length": String(body.length) };
    const sent = request(url + path, { agent, method: "POST", headers: { ...headers, ...length } }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode ?? 0));
    });
    sent.once("error", reject);
    sent.end(body);
  });
}
