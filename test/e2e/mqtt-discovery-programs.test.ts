/** Programs that others wrote describe their sensors to Home Assistant: what they say of them and what they measure arrives as it is. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test, vi } from "vitest";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import {
  type BrokerListener,
  type DescribedSensor,
  listenToBroker,
  startDiscoverable,
  startLinux2Mqtt,
  startPenguinMetrics,
} from "../../testing/clients/discovery-programs.ts";
import { fetched } from "../../testing/fetched.ts";
import { metric } from "../../testing/metric.ts";
import { startMosquitto } from "../../testing/mosquitto.ts";
import { connectedToBroker } from "../../testing/mqtt-connected.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { DISCOVERY, pythonWith } from "../../testing/python.ts";
import { allReadings, allValues } from "../../testing/readings.ts";

/** States of each sensor that are stored before the programs are ended. */
const ENOUGH = 2;

describeWith(["mosquitto", "python3"], "programs that describe their sensors", () => {
  vi.setConfig({ testTimeout: 240_000 });
  const { started } = cleanupAfterEach();

  async function start() {
    const broker = await started(startMosquitto({ lines: ["max_queued_messages 0"] }));
    const heard = await started(listenToBroker(broker.url));
    const platform = await started(startPlatform({ MQTT_URL: broker.url, MQTT_DISCOVERY: "homeassistant" }));
    await connectedToBroker(platform);
    const registry = createClient(RegistryService, createGrpcTransport({ baseUrl: platform.grpc }));
    return { ...{ heard, platform, registry }, port: broker.port };
  }

  /** The values that a sensor's program has published, in their order. */
  function published(heard: BrokerListener, { state_topic, value_template }: DescribedSensor): number[] {
    const name = /value_json\.(\w+)/.exec(value_template ?? "")?.[1];
    return heard.states(state_topic).map((text) => Number(name === undefined ? text : JSON.parse(text)[name]));
  }

  /** All from the first one that the platform had asked for, and nothing else. */
  async function untilStored(grpc: string, heard: BrokerListener, sensor: DescribedSensor) {
    const isStored = async () => {
      const stored = await allValues(grpc, sensor.unique_id);
      const all = published(heard, sensor);
      return stored.length >= ENOUGH && JSON.stringify(stored) === JSON.stringify(all.slice(-stored.length));
    };
    await expect.poll(isStored, { message: sensor.unique_id }).toBe(true);
  }

  test.for([
    ["penguin-metrics", startPenguinMetrics, 10],
    ["linux2mqtt", startLinux2Mqtt, 3],
    ["ha-mqtt-discoverable", startDiscoverable, 1],
  ] as const)("%s: names, units, devices and values", async ([name, startProgram, atLeast], context) => {
    await fetched(context, name, () => pythonWith(DISCOVERY));
    const { heard, platform, registry, port } = await start();
    const program = await started(startProgram(port));
    const numeric = () =>
      heard.sensors.filter(
        (each) => each.device_class !== "timestamp" && published(heard, each).some((value) => !Number.isNaN(value)),
      );
    const { grpc } = platform;
    // Those of the last look: what a program says of more of them while it ends has too few values.
    let sensors: DescribedSensor[] = [];
    const missing = async () => {
      sensors = numeric();
      const counts = await Promise.all(sensors.map(async (each) => (await allValues(grpc, each.unique_id)).length));
      const few = sensors.filter((_, index) => counts[index]! < ENOUGH).map((each) => each.unique_id);
      return sensors.length < atLeast ? [`all but ${sensors.length} of ${atLeast}`, ...few] : few;
    };
    await expect.poll(missing, { timeout: 120_000 }).toEqual([]);
    await program.stop();
    for (const each of sensors) {
      await untilStored(grpc, heard, each);
      const [reading] = await allReadings(grpc, each.unique_id);
      const { unit_of_measurement: unit = "1", device_class: sensorType = "sensor" } = each;
      expect(reading, each.unique_id).toMatchObject({ unit, sensorType });
      const { sensor } = await registry.getSensor({ sensorId: each.unique_id });
      expect(sensor).toMatchObject({
        displayName: each.name,
        attributes: { device: each.device.name, availability_topic: each.availability_topic },
      });
    }
    const bad = 'telltale_mqtt_messages_skipped_total{reason="bad_config"}';
    expect(await metric(platform.http, bad)).toBe(0);
  });
});
