/** What is published reaches the store once, whatever ends meanwhile: the platform, the connection, the broker. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test, vi } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { until } from "../../testing/metric.ts";
import { startMosquitto } from "../../testing/mosquitto.ts";
import { connectedToBroker } from "../../testing/mqtt-connected.ts";
import { type Publisher, startPublisher } from "../../testing/mqtt-publisher.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startProxy } from "../../testing/proxy.ts";
import { Random } from "../../testing/random.ts";
import { allReadings } from "../../testing/readings.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const SENSORS = 10;
/** Each test starts platforms, several of them twice. */
const TIMEOUT_MS = 300_000;
const EACH = 120;

/** Without these, mosquitto throws away what it cannot send at once. */
const KEEP_ALL = { lines: ["max_queued_messages 0", "max_inflight_messages 200"] };

describeWith(["mosquitto"], `messages of a broker under faults (seed ${seed})`, () => {
  vi.setConfig({ testTimeout: TIMEOUT_MS });
  const { add, started, installation } = cleanupAfterEach();

  /** Publishes every sensor's readings, whose values count up, as a device would: one after the other, the sensors side by side. */
  async function publishAll(devices: Publisher, payload: (value: number) => unknown, pace: () => Promise<unknown>) {
    for (let value = 0; value < EACH; value++) {
      const all = Array.from({ length: SENSORS }, (_, s) => devices.publish(`telltale/s${s}`, payload(value)));
      await Promise.all(all);
      await pace();
    }
  }

  /** Once all sensors have as many readings as were sent, none of them may be there twice or be missing. */
  async function expectAllOnce(platform: Platform) {
    const values = Array.from({ length: EACH }, (_, value) => value);
    for (let s = 0; s < SENSORS; s++) {
      await until(async () => (await allReadings(platform.grpc, `s${s}`)).length >= EACH);
      const stored = (await allReadings(platform.grpc, `s${s}`)).map(({ value }) => value);
      expect(stored.sort((a, b) => a - b)).toEqual(values);
    }
  }

  const timed = (value: number) => ({ value, timestamp: Date.UTC(2026, 10, 1) + value * 1_000 });

  test("kill -9 of the platform loses no message, and stores none with a time twice", async () => {
    const random = new Random(seed);
    const broker = await started(startMosquitto(KEEP_ALL));
    const devices = await started(startPublisher(broker.url));
    const dataDir = await installation();
    const environment = { MQTT_URL: broker.url, DATA_DIR: dataDir };
    let platform = await startPlatform(environment);
    add(() => platform.stop());
    await connectedToBroker(platform);
    const sending = publishAll(devices, timed, () => delay(random.between(0, 20)));
    for (let kills = 0; kills < 2; kills++) {
      await delay(random.between(200, 900));
      const gone = once(platform.process, "exit");
      platform.process.kill("SIGKILL");
      await gone;
      platform = await startPlatform(environment);
    }
    await sending;
    await expectAllOnce(platform);
  });

  test.each(["5", "3.1.1"])(
    "a connection that breaks loses no message and stores none twice, also of those without a time (MQTT %s)",
    async (version) => {
      const random = new Random(seed);
      const broker = await started(startMosquitto(KEEP_ALL));
      const devices = await started(startPublisher(broker.url));
      const proxy = await started(startProxy(() => [broker.port]));
      const url = `mqtt://127.0.0.1:${proxy.port}`;
      const platform = await started(startPlatform({ MQTT_URL: url, MQTT_VERSION: version }));
      await connectedToBroker(platform);
      let over = false;
      const sending = publishAll(devices, String, () => delay(10)).finally(() => {
        over = true;
      });
      while (!over) {
        await delay(random.between(100, 600));
        proxy.cut();
      }
      await sending;
      await expectAllOnce(platform);
    },
  );

  test("what is published while the platform is down waits in the broker, also over the broker's restart", async () => {
    const broker = await started(startMosquitto(KEEP_ALL));
    let devices = await started(startPublisher(broker.url));
    const dataDir = await installation();
    const environment = { MQTT_URL: broker.url, DATA_DIR: dataDir };
    const first = await startPlatform(environment);
    await connectedToBroker(first);
    const gone = once(first.process, "exit");
    first.process.kill("SIGTERM");
    await gone;
    await publishAll(devices, String, () => delay(0));
    await devices.stop();
    await broker.shutdown();
    // A platform that starts before its broker runs without it, and says so.
    const platform = await started(startPlatform(environment));
    const query = createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
    const health = async () => (await query.getPlatformHealth({})).components.find(({ name }) => name === "mqtt");
    await until(async () => (await health())?.detail.includes("ECONNREFUSED") === true);
    expect((await health())?.healthy).toBe(false);
    const page = await (await fetch(`${platform.http}/api/v1/monitoring/health`)).json();
    expect(page).toMatchObject({ status: "degraded" });
    await broker.start();
    await expectAllOnce(platform);
    devices = await started(startPublisher(broker.url));
    await devices.publish("telltale/after", "1");
    await until(async () => (await allReadings(platform.grpc, "after")).length === 1);
  });

  test("replicas that share a group each store a part, and together all", async () => {
    const broker = await started(startMosquitto(KEEP_ALL));
    const devices = await started(startPublisher(broker.url));
    const group = { MQTT_URL: broker.url, MQTT_SHARED_GROUP: "plant" };
    // Two installations here, so that it shows which of them stored what.
    const [one, other] = await Promise.all([
      started(startPlatform({ ...group, MQTT_CLIENT_ID: "one" })),
      started(startPlatform({ ...group, MQTT_CLIENT_ID: "other" })),
    ]);
    await Promise.all([connectedToBroker(one), connectedToBroker(other)]);
    await publishAll(devices, String, () => delay(0));
    const stored = async (sensorId: string) => {
      const [a, b] = await Promise.all([allReadings(one.grpc, sensorId), allReadings(other.grpc, sensorId)]);
      return { a, b };
    };
    const shares = { one: 0, other: 0 };
    for (let s = 0; s < SENSORS; s++) {
      await until(async () => {
        const { a, b } = await stored(`s${s}`);
        return a.length + b.length >= EACH;
      });
      const { a, b } = await stored(`s${s}`);
      shares.one += a.length;
      shares.other += b.length;
      const values = [...a, ...b].map(({ value }) => value).sort((x, y) => x - y);
      expect(values).toEqual(Array.from({ length: EACH }, (_, value) => value));
    }
    expect(Math.min(shares.one, shares.other)).toBeGreaterThan(0);
  });
});
