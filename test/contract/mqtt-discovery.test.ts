/** Devices that describe themselves to Home Assistant: a broker, their messages, and the platform as a process of its own. */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { emptyInstallation } from "../../testing/cleanup.ts";
import { metric, until } from "../../testing/metric.ts";
import { startMosquitto, type TestMosquitto } from "../../testing/mosquitto.ts";
import { connectedToBroker } from "../../testing/mqtt-connected.ts";
import { type Publisher, startPublisher } from "../../testing/mqtt-publisher.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { allReadings, allValues } from "../../testing/readings.ts";

const porch = {
  ...{ name: "Temperature of the porch", uniq_id: "porch_t", dev_cla: "temperature", unit_of_meas: "°C" },
  ...{ stat_t: "zigbee2mqtt/porch", val_tpl: "{{ value_json.temperature }}", dev: { name: "Porch" } },
};
describeWith(["mosquitto"], "devices that describe themselves", () => {
  let broker: TestMosquitto;
  let devices: Publisher;
  let dataDir: string;
  let platform: Platform;
  const start = () => startPlatform({ MQTT_URL: broker.url, MQTT_DISCOVERY: "homeassistant", DATA_DIR: dataDir });
  beforeAll(async () => {
    broker = await startMosquitto({ lines: ["max_queued_messages 0"] });
    devices = await startPublisher(broker.url);
    await devices.publish("homeassistant/sensor/porch/temperature/config", porch, { retain: true });
    dataDir = await emptyInstallation();
    platform = await start();
    await connectedToBroker(platform);
  });
  afterAll(async () => {
    await devices?.stop();
    await platform?.stop();
    await broker?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  test("are stored with the name and the unit that they say", async () => {
    await devices.publish("zigbee2mqtt/porch", { temperature: 21.5, battery: 80 });
    await until(async () => (await allValues(platform.grpc, "porch_t")).length === 1);
    const [reading] = await allReadings(platform.grpc, "porch_t");
    expect(reading).toMatchObject({ value: 21.5, unit: "°C", sensorType: "temperature" });
    const registry = createClient(RegistryService, createGrpcTransport({ baseUrl: platform.grpc }));
    const { sensor } = await registry.getSensor({ sensorId: "porch_t" });
    expect(sensor?.displayName).toBe("Temperature of the porch");
    expect(sensor?.attributes).toMatchObject({ device: "Porch" });
  });

  test("are taken from the moment that they do, and no more when they take it back", async () => {
    const topic = "homeassistant/binary_sensor/gate/config";
    await devices.publish(topic, { uniq_id: "gate", stat_t: "site/gate" }, { retain: true });
    await until(async () => {
      await devices.publish("site/gate", "ON");
      return (await allValues(platform.grpc, "gate")).length > 0;
    });
    await devices.publish("homeassistant/light/lamp/config", { uniq_id: "lamp", stat_t: "site/lamp" });
    const left = 'telltale_mqtt_messages_skipped_total{reason="other_component"}';
    await until(async () => (await metric(platform.http, left)) === 1);
    await devices.publish(topic, "", { retain: true });
    const count = async () => await metric(platform.http, "telltale_mqtt_messages_total");
    await until(async () => {
      const before = await count();
      await devices.publish("site/gate", "OFF");
      // One that is subscribed comes after it, on the same connection.
      await devices.publish("telltale/mark", "1");
      await until(async () => (await count()) > before);
      return (await count()) === before + 1;
    });
  });

  test("are known before their states that waited while the platform was away", async () => {
    const gone = once(platform.process, "exit");
    platform.process.kill("SIGKILL");
    await gone;
    for (const temperature of [22, 23, 24]) await devices.publish("zigbee2mqtt/porch", { temperature });
    platform = await start();
    await until(async () => (await allValues(platform.grpc, "porch_t")).length >= 4);
    expect(await allValues(platform.grpc, "porch_t")).toEqual([21.5, 22, 23, 24]);
  });
});
