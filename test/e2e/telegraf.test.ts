/** Telegraf, unchanged, with the configuration of docs/guides/influx.md. */
import { hostname } from "node:os";
import { expect, test, vi } from "vitest";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { startTelegraf, type Telegraf } from "../../testing/clients/telegraf.ts";
import { until } from "../../testing/metric.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";
import { allValues } from "../../testing/readings.ts";

const KILLS = 2;
/** Of each output, between two kills. */
const STORED_BETWEEN = 15;
const HOST = hostname();

/** The sensors of one line by each output. */
const SENSORS = {
  influxdb_v2: `press.parts{host="${HOST}"}`,
  opentelemetry: `press_parts{host="${HOST}"}`,
  prometheusremotewrite: `rw_press_parts{host="${HOST}"}`,
};

/** Those of OpenTelemetry and remote_write, for the same readings. */
const moreOutputs = (http: string, grpc: string) => `
[[outputs.opentelemetry]]
  service_address = "${new URL(grpc).host}"
  namepass = ["press"]

[[outputs.http]]
  url = "${http}/api/v1/write"
  data_format = "prometheusremotewrite"
  namepass = ["press"]
  name_prefix = "rw_"
  [outputs.http.headers]
    Content-Type = "application/x-protobuf"
    Content-Encoding = "snappy"
    X-Prometheus-Remote-Write-Version = "0.1.0"
`;

describeWith(["telegraf"], "Telegraf with the configuration of the guide", () => {
  vi.setConfig({ testTimeout: 240_000 });
  const { add, started, installation } = cleanupAfterEach();

  async function start(more: NodeJS.ProcessEnv = {}) {
    const ports = { PORT: String(await freePort()), GRPC_PORT: String(await freePort()) };
    const environment = { DATA_DIR: await installation(), ...ports, ...more };
    let platform = await startPlatform(environment);
    add(() => platform.stop());
    return {
      platform: () => platform,
      /** Comes back when each of the outputs has tried and failed. */
      restart: async ({ lines }: Telegraf, outputs: readonly string[], changes: NodeJS.ProcessEnv = {}) => {
        await end(platform.process, "SIGKILL");
        const since = lines.length;
        const hasFailed = (output: string) =>
          lines.slice(since).some((line) => line.includes(`E! [agent] Error writing to outputs.${output}: `));
        await until(() => outputs.every(hasFailed));
        platform = await startPlatform({ ...environment, ...changes });
      },
    };
  }

  /** All that it has collected, each once and in order. */
  async function expectWhole({ grpc }: Platform, sensorId: string, atLeast: number) {
    const values = await allValues(grpc, sensorId);
    expect(values, sensorId).toEqual(Array.from(values, (_, i) => i + 1));
    expect(values.length, sensorId).toBeGreaterThanOrEqual(atLeast);
  }

  /** A line of a batch that is refused is sent once, and costs none of the others. */
  function expectOneRefusal({ lines }: Telegraf) {
    expect(lines.filter((line) => line.includes("E! [outputs.influxdb_v2] failed to write metrics"))).toEqual([
      expect.stringMatching(/will be dropped: 400 Bad Request\): invalid: partial write: 1 refused, .*ahead\.parts/),
    ]);
  }

  test("loses nothing by line protocol or OTLP through kill -9 of the platform, and stores nothing twice", async () => {
    const { platform, restart } = await start();
    const { http, grpc } = platform();
    const telegraf = await started(startTelegraf(http, moreOutputs(http, grpc)));
    const stored = async () =>
      Math.min(...(await Promise.all(Object.values(SENSORS).map(async (id) => (await allValues(grpc, id)).length))));
    let wanted = STORED_BETWEEN;
    for (let kill = 0; kill <= KILLS; kill++) {
      await until(async () => (await stored()) >= wanted);
      if (kill < KILLS) await restart(telegraf, ["influxdb_v2", "opentelemetry", "http"]);
      wanted = (await stored()) + STORED_BETWEEN;
    }
    await telegraf.stop();
    expectOneRefusal(telegraf);
    for (const sensorId of [SENSORS.influxdb_v2, SENSORS.opentelemetry])
      await expectWhole(platform(), sensorId, wanted - STORED_BETWEEN);
    // Of the values of a series in a batch Telegraf's serialiser sends the newest alone.
    const some = await allValues(grpc, SENSORS.prometheusremotewrite);
    expect(some).toEqual([...new Set(some)].sort((a, b) => a - b));
    // The inputs of the guide.
    expect((await allValues(grpc, `mem.used_percent{host="${HOST}"}`)).length).toBeGreaterThan(0);
  });

  test("is told to wait where it sends more often than it may, and loses nothing", async () => {
    const { platform, restart } = await start({ LIMIT_CALLS_PER_SECOND: "1" });
    const telegraf = await started(startTelegraf(platform().http));
    await until(() => telegraf.lines.some((line) => /will retry in [\d.]+m?s\. \(429 Too Many Requests\)/.test(line)));
    // The limit holds for those who ask what is stored, too.
    await restart(telegraf, ["influxdb_v2"], { LIMIT_CALLS_PER_SECOND: "0" });
    const stored = async () => (await allValues(platform().grpc, SENSORS.influxdb_v2)).length;
    const kept = await stored();
    await until(async () => (await stored()) >= kept + STORED_BETWEEN);
    await telegraf.stop();
    expectOneRefusal(telegraf);
    await expectWhole(platform(), SENSORS.influxdb_v2, kept + STORED_BETWEEN);
  });
});
