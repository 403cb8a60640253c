/** Readings of a broker: mosquitto, devices that publish by mqtt.js, and the platform as a process of its own. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { readMapping } from "../../server/ingest/protocols/mqtt/mapping-file.ts";
import { type Authority, createAuthority } from "../../testing/certificates.ts";
import { metric, until } from "../../testing/metric.ts";
import { startMosquitto, type TestMosquitto } from "../../testing/mosquitto.ts";
import { type Publisher, startPublisher } from "../../testing/mqtt-publisher.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { freePort } from "../../testing/processes.ts";
import { allReadings } from "../../testing/readings.ts";

/** Every stored reading of a sensor, oldest first, once there are so many. */
async function readings(platform: Platform, sensorId: string, count: number): Promise<ScoredReading[]> {
  for (;;) {
    const all = await allReadings(platform.grpc, sensorId);
    if (all.length >= count) return all.reverse();
    await delay(50);
  }
}

const plain = (all: readonly ScoredReading[]) => all.map(({ value, unit, sensorType }) => [value, unit, sensorType]);

const timeOf = ({ observedAt }: ScoredReading) => Number(observedAt!.seconds);

describeWith(["mosquitto"], "a broker as the source of readings", () => {
  let broker: TestMosquitto;
  let platform: Platform;
  let devices: Publisher;
  beforeAll(async () => {
    broker = await startMosquitto({ lines: ["max_queued_messages 0"] });
    devices = await startPublisher(broker.url);
    // Retained before anybody subscribes: what a subscriber then gets first.
    await devices.publish("telltale/old/untimed", "5", { retain: true });
    await devices.publish("telltale/old/timed", { value: 6, timestamp: "2026-11-01T00:00:00Z" }, { retain: true });
    platform = await startPlatform({ MQTT_URL: broker.url });
    await until(async () => (await metric(platform.http, "telltale_mqtt_connected")) === 1);
  });
  afterAll(async () => {
    await devices?.stop();
    await platform?.stop();
    await broker?.stop();
  });

  test("takes a number, and an object with value, unit, type and timestamp", async () => {
    await devices.publish("telltale/hall/boiler-1", "61.5");
    await devices.publish("telltale/hall/boiler-1", " 6.25e1\n");
    expect(plain(await readings(platform, "hall/boiler-1", 2))).toEqual([
      [61.5, "1", "mqtt"],
      [62.5, "1", "mqtt"],
    ]);
    const full = { value: 20.5, unit: "C", type: "temperature", timestamp: "2026-11-02T03:04:05Z" };
    await devices.publish("telltale/hall/boiler-2", full);
    const [reading] = await readings(platform, "hall/boiler-2", 1);
    expect(plain([reading!])).toEqual([[20.5, "C", "temperature"]]);
    expect(timeOf(reading!)).toBe(Date.UTC(2026, 10, 2, 3, 4, 5) / 1000);
  });

  test("makes a sensor of each number of an object without value", async () => {
    await devices.publish("telltale/attic", { temperature: 18.5, humidity: 61, open: true, firmware: "1.2" });
    expect(plain(await readings(platform, "attic/temperature", 1))).toEqual([[18.5, "1", "temperature"]]);
    expect(plain(await readings(platform, "attic/humidity", 1))).toEqual([[61, "1", "humidity"]]);
    expect(plain(await readings(platform, "attic/open", 1))).toEqual([[1, "1", "open"]]);
    expect(await allReadings(platform.grpc, "attic/firmware")).toEqual([]);
  });

  test("takes a retained message that has a time, and skips one that has none", async () => {
    expect(await readings(platform, "old/timed", 1)).toHaveLength(1);
    expect(await allReadings(platform.grpc, "old/untimed")).toEqual([]);
    expect(await metric(platform.http, 'telltale_mqtt_messages_skipped_total{reason="retained"}')).toBe(1);
    // Published just now, it is no old one: that it is to be retained as well changes nothing.
    await devices.publish("telltale/old/live", "7", { retain: true });
    expect(plain(await readings(platform, "old/live", 1))).toEqual([[7, "1", "mqtt"]]);
  });

  test("counts what it cannot read by reason, and goes on", async () => {
    const skipped = (reason: string) =>
      metric(platform.http, `telltale_mqtt_messages_skipped_total{reason="${reason}"}`);
    await devices.publish("telltale/bad/1", "on");
    await devices.publish("telltale/bad/2", { unit: "C" });
    await devices.publish("telltale/bad/3", { value: 1, timestamp: "noon" });
    await devices.publish("telltale/bad/4", Buffer.from([0xff, 0xfe]));
    await devices.publish("telltale/bad/5", Buffer.alloc(300_000, 0x31));
    await devices.publish("telltale/bad/6", { value: 1, timestamp: "2090-01-01T00:00:00Z" });
    await devices.publish("telltale/good", "1");
    expect(await readings(platform, "good", 1)).toHaveLength(1);
    expect(await skipped("not_a_number")).toBe(2);
    expect(await skipped("no_value")).toBe(1);
    expect(await skipped("bad_time")).toBe(1);
    expect(await skipped("too_large")).toBe(1);
    expect(await metric(platform.http, 'telltale_refusals_total{reason="future"}')).toBe(1);
  });

  test("stores each of many readings of one sensor that come within a millisecond", async () => {
    await Promise.all(Array.from({ length: 500 }, (_, i) => devices.publish("telltale/fast", String(i))));
    const all = await readings(platform, "fast", 500);
    expect(all.map(({ value }) => value)).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  test("shows the broker among the parts of the platform", async () => {
    const query = createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
    const { components } = await query.getPlatformHealth({});
    expect(components.find(({ name }) => name === "mqtt")).toMatchObject({ healthy: true, detail: broker.url });
  });
});

describeWith(["mosquitto", "mosquitto_passwd", "openssl"], "a broker with TLS and passwords", () => {
  let authority: Authority;
  let broker: TestMosquitto;
  let folder: string;
  beforeAll(async () => {
    authority = createAuthority();
    folder = await mkdtemp(join(tmpdir(), "telltale-mqtt-tls-"));
    const { certFile, keyFile } = authority.issue("broker");
    // The broker gives up its rights before it reads them.
    for (const file of [certFile, keyFile]) await chmod(file, 0o644);
    await chmod(dirname(certFile), 0o755);
    const file = join(folder, "passwords");
    execFileSync(program("mosquitto_passwd")!, ["-b", "-c", file, "telltale", "right"], { stdio: "pipe" });
    broker = await startMosquitto({ passwords: await readFile(file, "utf8"), tls: { certFile, keyFile } });
  });
  afterAll(async () => {
    await broker?.stop();
    authority?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  // A platform starts, and a wrong password is tried before the right one.
  vi.setConfig({ testTimeout: 240_000 });

  test("is used with the authority's certificate and a password of a file, and a wrong one is named", async () => {
    const passwordFile = join(folder, "password");
    await writeFile(passwordFile, "wrong\n");
    const platform = await startPlatform({
      ...{ MQTT_URL: broker.url, MQTT_CA_FILE: authority.caFile, MQTT_VERSION: "3.1.1", MQTT_TOPICS: "plant/+/press" },
      ...{ MQTT_USERNAME: "telltale", MQTT_PASSWORD_FILE: passwordFile },
    });
    try {
      const query = createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
      const health = async () => (await query.getPlatformHealth({})).components.find(({ name }) => name === "mqtt");
      const refused = /refuses the connection: (the user name or password is wrong|this client is not authorized)/;
      await until(async () => refused.test((await health())?.detail ?? ""));
      await writeFile(passwordFile, "right\n");
      await until(async () => (await metric(platform.http, "telltale_mqtt_connected")) === 1);
      const login = { username: "telltale", password: "right", ca: authority.ca };
      const devices = await startPublisher(broker.url, login);
      await devices.publish("plant/3/press", "7");
      expect(plain(await readings(platform, "3/press", 1))).toEqual([[7, "1", "mqtt"]]);
      await devices.stop();
    } finally {
      await platform.stop();
    }
  });
});

/** Code of the guide, by the language that stands at its beginning. */
const inGuide = (language: string) => {
  const guide = readFileSync(new URL("../../docs/guides/mqtt.md", import.meta.url), "utf8");
  return [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) => code!);
};

describeWith(["mosquitto"], "the guide", () => {
  test("has a configuration with which mosquitto starts and takes messages", async () => {
    const [text = ""] = inGuide("conf");
    const port = await freePort();
    const lines = text.replace("listener 1883", `listener ${port} 127.0.0.1`).split("\n");
    expect(lines).toContain(`listener ${port} 127.0.0.1`);
    const broker = await startMosquitto({ lines, port });
    const devices = await startPublisher(broker.url);
    await devices.publish("telltale/x", "1");
    await devices.stop();
    await broker.stop();
  });

  test("has a mapping file that is one", () => {
    const rules = inGuide("yaml").filter((code) => code.startsWith("rules:"));
    expect(rules.flatMap((code) => readMapping(code)).map(({ topic }) => topic.filter)).toEqual([
      "zigbee2mqtt/+",
      "plant/+/#",
    ]);
  });
});
