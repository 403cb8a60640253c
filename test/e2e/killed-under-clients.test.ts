/** Clients of others, unchanged, while the platform is killed again and again: what they take for stored is stored, and once. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ExportResultCode } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  type DataPoint,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
  type ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import { expect, test, vi } from "vitest";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { hold } from "../../testing/held.ts";
import { until } from "../../testing/metric.ts";
import { startMosquitto } from "../../testing/mosquitto.ts";
import { connectedToBroker } from "../../testing/mqtt-connected.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";
import { KILLED_CLIENTS, pythonWith } from "../../testing/python.ts";
import { allReadings } from "../../testing/readings.ts";

const KILLS = 3;
/** Of each client, between two kills. */
const STORED_BETWEEN = 10;
/** Clients try and fail for so long, once they have begun to. */
const AWAY_MS = 1_000;

interface Client {
  readonly sensorId: string;
  /** What it takes for stored: time in microseconds, and value. */
  readonly stored: (readonly [timeUs: number, value: number])[];
  /** Resolves when it sends nothing more. */
  close(): Promise<void>;
  /** Whether it sends each reading again until it is taken, so that none may be missing. */
  readonly isComplete: boolean;
}

async function python(file: string, address: string, sensorId: string, isComplete: boolean): Promise<Client> {
  const bin = await pythonWith(KILLED_CLIENTS);
  const path = join(import.meta.dirname, "../../testing/clients", file);
  const child = spawn(join(bin, "python"), [path, address], { stdio: ["pipe", "pipe", "ignore"] });
  const release = hold({ ...(child.pid === undefined ? {} : { pid: child.pid }) }, () => end(child, "SIGKILL"));
  const stored: [number, number][] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [timeUs = "", value = ""] = line.split(" ");
    stored.push([Number(timeUs), Number(value)]);
  });
  const close = async () => {
    const exit = child.exitCode === null ? once(child, "close") : undefined;
    child.stdin.end();
    await exit;
    await release();
  };
  return { sensorId, stored, close, isComplete };
}

/** OpenTelemetry's SDK for Node, over HTTP. */
function node(address: string): Client {
  const stored: [number, number][] = [];
  class Telling extends OTLPMetricExporter {
    override export(metrics: ResourceMetrics, done: Parameters<OTLPMetricExporter["export"]>[1]): void {
      super.export(metrics, (result) => {
        if (result.code === ExportResultCode.SUCCESS) stored.push(...metrics.scopeMetrics.flatMap(pointsOf));
        done(result);
      });
    }
  }
  const reader = new PeriodicExportingMetricReader({
    exporter: new Telling({ url: `${address}/v1/metrics` }),
    exportIntervalMillis: 3_600_000,
  });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": "node" }),
    readers: [reader],
  });
  const counter = provider.getMeter("plant").createCounter("counted");
  let isClosed = false;
  const sending = (async () => {
    while (!isClosed) {
      counter.add(1);
      await reader.forceFlush();
    }
  })();
  const close = async () => {
    isClosed = true;
    await sending;
    await provider.shutdown();
  };
  return { sensorId: 'counted{service.name="node"}', stored, close, isComplete: false };
}

function pointsOf({ metrics }: ScopeMetrics): [number, number][] {
  const points = metrics.flatMap(({ dataPoints }) => dataPoints as DataPoint<number>[]);
  return points.map(({ endTime: [seconds, nanos], value }) => [seconds * 1e6 + Math.floor(nanos / 1e3), value]);
}

describeWith(["python3", "mosquitto"], "clients of others", () => {
  vi.setConfig({ testTimeout: 300_000 });
  const { add, started, installation } = cleanupAfterEach();

  test("lose nothing that they take for stored, and store nothing twice, through kill -9 of the platform", async () => {
    const broker = await started(startMosquitto({ lines: ["max_queued_messages 0"] }));
    const environment = {
      ...{ DATA_DIR: await installation(), PORT: String(await freePort()), GRPC_PORT: String(await freePort()) },
      MQTT_URL: broker.url,
    };
    let platform = await startPlatform(environment);
    add(() => platform.stop());
    // From then on the broker keeps what comes for it.
    await connectedToBroker(platform);
    const clients = await Promise.all([
      python("paho_publisher.py", String(broker.port), "paho", true),
      python("influx_writer.py", platform.http, "influx.count", true),
      python("otel_counter.py", platform.grpc, 'counted{service.name="python"}', false),
      node(platform.http),
    ]);
    let isClosed = false;
    const close = async () => {
      if (!isClosed) await Promise.all(clients.map((client) => client.close()));
      isClosed = true;
    };
    add(close);
    for (let kill = 0; kill <= KILLS; kill++) {
      const before = clients.map(({ stored }) => stored.length);
      await until(() => clients.every(({ stored }, i) => stored.length >= before[i]! + STORED_BETWEEN));
      if (kill === KILLS) break;
      await end(platform.process, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
      platform = await startPlatform(environment);
    }
    await close();
    for (const { sensorId, stored, isComplete } of clients) {
      const found = async () =>
        (await allReadings(platform.grpc, sensorId)).map(
          ({ observedAt, value }) => [Number(observedAt!.seconds) * 1e6 + observedAt!.nanos / 1e3, value] as const,
        );
      // A broker's acknowledgement is the broker's: what it keeps comes when the platform has taken it.
      await until(async () => (await found()).length >= stored.length);
      const readings = (await found()).reverse();
      const times = readings.map(([timeUs]) => timeUs);
      expect(new Set(times).size, `${sensorId}: a reading is stored twice`).toBe(times.length);
      const byTime = new Map(readings);
      expect(
        stored.filter(([timeUs, value]) => byTime.get(timeUs) !== value),
        `${sensorId}: lost`,
      ).toEqual([]);
      if (isComplete) expect(readings, sensorId).toEqual(stored);
    }
  });
});
