/** Edge nodes of Sparkplug B at a broker, with Telltale as their host application, a process of its own. */
import { once } from "node:events";
import { fromBinary } from "@bufbuild/protobuf";
import { expect, test, vi } from "vitest";
import { PayloadSchema } from "../../gen/es/sparkplug/v1/payload_pb.ts";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { until } from "../../testing/metric.ts";
import { startMosquitto, type TestMosquitto } from "../../testing/mosquitto.ts";
import { type Publisher, startPublisher } from "../../testing/mqtt-publisher.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { startPostgres } from "../../testing/postgres.ts";
import { startProxy } from "../../testing/proxy.ts";
import { allReadings, allValues } from "../../testing/readings.ts";
import { bdSeq, born, changed, payload } from "../../testing/sparkplug.ts";

const HOST = { MQTT_SPARKPLUG_HOST_ID: "telltale" };
const TIMEOUT_MS = 240_000;

/** An edge node that hears what its host says. */
class Edge {
  readonly #devices: Publisher;
  /** The last STATE of the host. */
  online: boolean | undefined;
  rebirths = 0;

  private constructor(devices: Publisher) {
    this.#devices = devices;
  }

  static async connect(broker: TestMosquitto): Promise<Edge> {
    const will = { topic: "spBv1.0/plant/NDEATH/e1", payload: payload([bdSeq(0)]), qos: 1 as const, retain: false };
    const edge = new Edge(await startPublisher(broker.url, { will, reconnectPeriod: 0 }));
    edge.#devices.client.on("message", (topic, bytes) => {
      if (topic.includes("/STATE/")) edge.online = (JSON.parse(String(bytes)) as { online: boolean }).online;
      else if (fromBinary(PayloadSchema, bytes).metrics.some(({ name }) => name === "Node Control/Rebirth"))
        edge.rebirths++;
    });
    await edge.#devices.client.subscribeAsync(["spBv1.0/STATE/telltale", "spBv1.0/plant/NCMD/e1"], { qos: 1 });
    return edge;
  }

  say(kind: string, bytes: Buffer, device = ""): Promise<void> {
    return this.#devices.publish(`spBv1.0/plant/${kind}/e1${device}`, bytes, { qos: 0 });
  }

  /** Without a goodbye: the broker sends the will. */
  die(): void {
    this.#devices.client.stream.destroy();
  }

  stop(): Promise<void> {
    return this.#devices.stop();
  }
}

describeWith(["mosquitto"], "a Sparkplug host application", () => {
  vi.setConfig({ testTimeout: TIMEOUT_MS });
  const { started } = cleanupAfterEach();

  test("takes births and data, asks for a rebirth where a message is missing, and notes a death at once", async () => {
    const broker = await started(startMosquitto());
    const edge = await started(Edge.connect(broker));
    const platform = await started(startPlatform({ MQTT_URL: broker.url, ...HOST }));
    await until(() => edge.online === true);
    const at = Date.now() - 60_000;
    await edge.say("NBIRTH", payload([bdSeq(0), born("load", 1, 5)], 0, at));
    await edge.say("DBIRTH", payload([born("t", 2, 20)], 1, at), "/press");
    await edge.say("DDATA", payload([changed(2, 21)], 2, at + 1_000), "/press");
    await until(async () => (await allValues(platform.grpc, "plant/e1/press/t")).length === 2);
    expect(await allValues(platform.grpc, "plant/e1/press/t")).toEqual([20, 21]);
    expect(await allValues(platform.grpc, "plant/e1/load")).toEqual([5]);
    // What the edge node kept while it was away: its times are old.
    const historical = changed(2, 20.5, { timestamp: BigInt(at + 500), isHistorical: true });
    await edge.say("DDATA", payload([historical], 3, at + 2_000), "/press");
    await until(async () => (await allValues(platform.grpc, "plant/e1/press/t")).length === 3);
    const late = (await allReadings(platform.grpc, "plant/e1/press/t")).filter((reading) => reading.late);
    expect(late.map(({ value }) => value)).toEqual([20.5]);
    expect(edge.rebirths).toBe(0);
    await edge.say("NDATA", payload([changed(1, 6)], 5, at + 3_000));
    await until(() => edge.rebirths === 1);
    expect(await allValues(platform.grpc, "plant/e1/load")).toEqual([5, 6]);
    edge.die();
    await until(async () => (await allValues(platform.grpc, "plant/e1/press/$online")).length === 2);
    expect(await allValues(platform.grpc, "plant/e1/$online")).toEqual([1, 0]);
    expect(await allValues(platform.grpc, "plant/e1/press/$online")).toEqual([1, 0]);
  });

  test("is offline for its edge nodes from its end on, whether it was stopped or killed", async () => {
    const broker = await started(startMosquitto());
    const edge = await started(Edge.connect(broker));
    // One of its own would outlive a platform that is killed for a moment.
    const { url } = await started(startPostgres());
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const platform = await started(startPlatform({ MQTT_URL: broker.url, DATABASE_URL: url, ...HOST }));
      await until(() => edge.online === true);
      const gone = once(platform.process, "exit");
      platform.process.kill(signal);
      await gone;
      await until(() => edge.online === false);
    }
  });

  test("is online only while the log takes data", async () => {
    const broker = await started(startMosquitto());
    const edge = await started(Edge.connect(broker));
    const postgres = await started(startPostgres());
    const database = await started(startProxy(() => [postgres.port]));
    const url = postgres.url.replace(`:${postgres.port}/`, `:${database.port}/`);
    const platform = await started(startPlatform({ MQTT_URL: broker.url, DATABASE_URL: url, ...HOST }));
    await until(() => edge.online === true);
    await edge.say("NBIRTH", payload([bdSeq(0), born("load", 1, 5)], 0));
    await until(async () => (await allValues(platform.grpc, "plant/e1/load")).length === 1);
    database.swallow(true);
    await edge.say("NDATA", payload([changed(1, 6)], 1));
    await until(() => edge.online === false);
    database.swallow(false);
    await until(() => edge.online === true);
    await until(async () => (await allValues(platform.grpc, "plant/e1/load")).length === 2);
  });
});
