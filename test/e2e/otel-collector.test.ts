/** The OpenTelemetry Collector, unchanged, with the configurations of docs/guides/opentelemetry.md. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import {
  type CollectorExporter,
  type OtelCollector,
  startOtelCollector,
} from "../../testing/clients/otel-collector.ts";
import { until } from "../../testing/metric.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";
import { allValues } from "../../testing/readings.ts";

/** Points that are stored, or taken by the collector, before something is killed. */
const BETWEEN = 10;
const PACE_MS = 100;

interface Sender {
  /** Points that the collector has acknowledged: those with the values from 1 to this. */
  readonly taken: () => number;
  stop(): Promise<void>;
}

/** Counts, one point after the other, each until the collector has it. */
function startSender({ otlp }: OtelCollector): Sender {
  const firstMs = Date.now() - 3_600_000;
  let taken = 0;
  let isEnding = false;
  async function send(): Promise<void> {
    while (!isEnding) {
      if (await isTaken(otlp, firstMs + taken + 1, taken + 1)) taken++;
      await delay(PACE_MS);
    }
  }
  const sending = send();
  return {
    taken: () => taken,
    stop: async () => {
      isEnding = true;
      await sending;
    },
  };
}

async function isTaken(otlp: string, timeMs: number, value: number): Promise<boolean> {
  const point = { timeUnixNano: `${timeMs}000000`, asDouble: value };
  const metrics = [{ name: "count", gauge: { dataPoints: [point] } }];
  const attributes = [{ key: "service.name", value: { stringValue: "counter" } }];
  const body = JSON.stringify({ resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics }] }] });
  const headers = { "content-type": "application/json" };
  return await fetch(`${otlp}/v1/metrics`, { method: "POST", headers, body }).then(
    ({ ok }) => ok,
    () => false, // it is not there now
  );
}

async function isKnown(http: string, name: string): Promise<boolean> {
  const answer = await fetch(`${http}/api/v1/label/__name__/values`);
  return ((await answer.json()) as { data: string[] }).data.includes(name);
}

/** What they make of the same point, and of the load that the collector itself measures. */
const EXPORTERS: Readonly<Record<CollectorExporter, { sensor: string; load: string; keepsQueue: boolean }>> = {
  otlphttp: { sensor: 'count{service.name="counter"}', load: "system.cpu.load_average.1m", keepsQueue: true },
  otlp: { sensor: 'count{service.name="counter"}', load: "system.cpu.load_average.1m", keepsQueue: true },
  prometheusremotewrite: { sensor: 'count{job="counter"}', load: "system_cpu_load_average_1m", keepsQueue: false },
};

describeWith(["otelcol"], "the OpenTelemetry Collector with the configuration of the guide", () => {
  vi.setConfig({ testTimeout: 240_000 });
  const { add, started, installation } = cleanupAfterEach();

  test.each(Object.keys(EXPORTERS) as CollectorExporter[])(
    "%s: loses nothing through kill -9 of the platform and, where it keeps its queue, of itself, and stores nothing twice",
    async (exporter) => {
      const { sensor, load, keepsQueue } = EXPORTERS[exporter];
      const ports = { PORT: String(await freePort()), GRPC_PORT: String(await freePort()) };
      const environment = { DATA_DIR: await installation(), ...ports };
      let platform = await startPlatform(environment);
      add(() => platform.stop());
      const { grpc } = platform;
      const collector = await started(startOtelCollector(exporter, platform));
      const sender = await started(Promise.resolve(startSender(collector)));
      const stored = async () => (await allValues(grpc, sensor)).length;
      await until(async () => (await stored()) >= BETWEEN && (await isKnown(platform.http, load)));
      for (const killsCollector of [false, keepsQueue]) {
        await end(platform.process, "SIGKILL");
        if (killsCollector) await collector.killAndRestart();
        const away = sender.taken();
        await until(() => sender.taken() >= away + BETWEEN);
        platform = await startPlatform(environment);
        const back = sender.taken();
        await until(async () => (await stored()) >= back + BETWEEN);
      }
      await sender.stop();
      await until(async () => (await stored()) >= sender.taken());
      const values = await allValues(grpc, sensor);
      expect(values).toEqual(Array.from(values, (_, i) => i + 1));
      expect(collector.lines.filter((line) => /Dropping data|Partial success/.test(line))).toEqual([]);
    },
  );
});
