/** `telltale collect mqtt` between a broker and a platform that is away for a while. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { runCli } from "../../testing/cli.ts";
import { startCollector, writeConfig } from "../../testing/collect/collector.ts";
import { until } from "../../testing/metric.ts";
import { startMosquitto } from "../../testing/mosquitto.ts";
import { startPublisher } from "../../testing/mqtt-publisher.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { freePort } from "../../testing/processes.ts";
import { allReadings, allValues } from "../../testing/readings.ts";

/** Without it, mosquitto throws away what it cannot send at once. */
const KEEP_ALL = { lines: ["max_queued_messages 0"] };

describeWith(["mosquitto"], "telltale collect mqtt", () => {
  vi.setConfig({ testTimeout: 240_000 });
  const { add, started, installation } = cleanupAfterEach();

  async function plant({ mqtt = {}, spool = {} }: { readonly mqtt?: object; readonly spool?: object } = {}) {
    const broker = await started(startMosquitto(KEEP_ALL));
    const devices = await started(startPublisher(broker.url));
    const folder = mkdtempSync(join(tmpdir(), "telltale-collect-"));
    add(async () => rmSync(folder, { recursive: true, force: true }));
    const grpcPort = await freePort();
    const environment = { DATA_DIR: await installation(), GRPC_PORT: String(grpcPort) };
    const config = writeConfig(folder, {
      ...{ producer: "hall-1", platform: { url: `http://127.0.0.1:${grpcPort}` } },
      mqtt: { url: broker.url, ...mqtt },
      spool: { folder: join(folder, "spool"), ...spool },
    });
    return { devices, config, environment };
  }
  const timed = (value: number) => ({ value, timestamp: Date.UTC(2026, 10, 1) + value * 1_000 });

  test("no message is lost or stored twice while the platform is away and the collector is killed", async () => {
    const { devices, config, environment } = await plant();
    const first = startCollector("mqtt", config);
    add(first.kill);
    await first.logged("connected to the MQTT broker");
    let published = 0;
    const publishing = (async () => {
      for (; published < 300; published++) await devices.publish("telltale/timed", timed(published));
    })();
    await until(() => published > 100);
    await first.kill();
    await publishing;
    const second = startCollector("mqtt", config);
    add(second.kill);
    await second.logged("readings of before are in the spool");
    // Without a time, they have that of their arrival in the spool.
    for (let value = 0; value < 50; value++) await devices.publish("telltale/plain", String(value));
    const platform = await startPlatform(environment);
    add(() => platform.stop());
    const values = (count: number) => Array.from({ length: count }, (_, i) => i);
    await until(async () => (await allValues(platform.grpc, "timed")).length >= 300);
    await until(async () => (await allValues(platform.grpc, "plain")).length >= 50);
    expect(await second.stop()).toBe(0);
    expect(await allValues(platform.grpc, "timed")).toEqual(values(300));
    expect(await allValues(platform.grpc, "plain")).toEqual(values(50));
  });

  test("a full spool holds the broker back, which keeps the messages until there is room", async () => {
    const { devices, config, environment } = await plant({ spool: { max_mebibytes: 1 }, mqtt: { max_in_flight: 5 } });
    const collector = startCollector("mqtt", config);
    add(collector.kill);
    await collector.logged("connected to the MQTT broker");
    // Together more than the spool holds, about 35 kB each.
    const fields = (value: number) => Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`f${i}`, value]));
    for (let value = 0; value < 45; value++) await devices.publish("telltale/many", fields(value));
    await collector.logged("the spool is full");
    const platform = await startPlatform(environment);
    add(() => platform.stop());
    await until(async () => (await allValues(platform.grpc, "many/f899")).length >= 45);
    expect(await collector.stop()).toBe(0);
    expect(collector.stderr()).toContain("the spool has room again");
    for (const sensor of ["many/f0", "many/f899"]) {
      expect((await allValues(platform.grpc, sensor)).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 45 }, (_, i) => i),
      );
    }
  });

  test("--check prints what comes, stores nothing and takes nothing from the collector's session", async () => {
    const { devices, config, environment } = await plant();
    const collector = startCollector("mqtt", config);
    add(collector.kill);
    await collector.logged("connected to the MQTT broker");
    await collector.stop();
    await devices.publish("telltale/before", "1");
    const platform = await startPlatform(environment);
    add(() => platform.stop());
    const check = runCli("collect", "mqtt", config, "--check");
    await until(() => check.stderr().includes("connected to the MQTT broker"));
    await devices.publish("telltale/hall/boiler", { value: 61.5, unit: "C", type: "temperature" });
    expect(await check.ended).toBe(0);
    expect(check.stdout()).toMatch(/^hall\/boiler {2}61\.5 C {2}temperature {2}2\d{3}-/);
    expect(check.stdout()).not.toContain("before");
    expect(await allReadings(platform.grpc, "hall/boiler")).toEqual([]);
    const again = startCollector("mqtt", config);
    add(again.kill);
    await again.logged("connected to the MQTT broker");
    await until(() => again.stderr().includes('"sessionPresent":true'));
    expect(await again.stop()).toBe(0);
    expect(again.stderr()).toContain('"spooled":2');
  });

  test("--check fails where no reading comes, and names the broker and the topics", async () => {
    const { config } = await plant();
    const check = runCli("collect", "mqtt", config, "--check");
    expect(await check.ended).toBe(1);
    expect(check.stderr()).toMatch(
      /No reading came from mqtt:\/\/127\.0\.0\.1:\d+ within 5 s for telltale\/#\.\nThe platform cannot be reached at /,
    );
  });

  test("a configuration that is wrong is refused with the names of the file", async () => {
    const { config } = await plant({
      mqtt: {
        url: "http://127.0.0.1",
        topics: ["plant/#/x"],
        version: 4,
        discovery: "ha",
        cert_file: "a.pem",
        user: "x",
      },
      spool: { max_mebibytes: 0 },
    });
    const refused = runCli("collect", "mqtt", config);
    expect(await refused.ended).toBe(1);
    for (const fault of [
      /mqtt\.url is "http:\/\/127\.0\.0\.1", but it must be an address that begins with mqtt:\/\//,
      /mqtt\.topics is "plant\/#\/x", but it must be /,
      /mqtt\.version is "4", but it must be 5 or 3\.1\.1/,
      /mqtt\.discovery is "ha", but it must be one of none, homeassistant/,
      /mqtt\.cert_file and key_file belong together/,
      /mqtt\.user is no setting/,
      /spool\.max_mebibytes is "0", but it must be/,
    ])
      expect(refused.stderr()).toMatch(new RegExp(`collect\\.yaml, line \\d+: ${fault.source}`));
  });
});
