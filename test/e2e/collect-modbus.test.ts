/** `telltale collect modbus` against a device of pymodbus, an implementation of others. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { runCli } from "../../testing/cli.ts";
import { startCollector, writeConfig } from "../../testing/collect/collector.ts";
import { startPython } from "../../testing/collect/python-server.ts";
import { until } from "../../testing/metric.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";
import { PYMODBUS } from "../../testing/python.ts";
import { allValues } from "../../testing/readings.ts";

describeWith(["python3"], "telltale collect modbus", () => {
  vi.setConfig({ testTimeout: 240_000 });
  const { add, started, installation } = cleanupAfterEach();

  function folder(): string {
    const path = mkdtempSync(join(tmpdir(), "telltale-collect-"));
    add(async () => rmSync(path, { recursive: true, force: true }));
    return path;
  }
  const device = () => started(startPython("modbus_device.py", PYMODBUS));

  test("--check reads every register once, neighbours together, and names those that the device does not have", async () => {
    const { port, lines } = await device();
    const config = writeConfig(folder(), {
      devices: [
        {
          host: "127.0.0.1",
          port,
          registers: [
            { sensor_id: "tenths", address: 100, scale: 0.1, unit: "C" },
            { sensor_id: "float", address: 102, type: "float32" },
            { sensor_id: "swapped words", address: 104, type: "float32", word_order: "little" },
            { sensor_id: "swapped bytes", address: 106, type: "float32", byte_order: "little" },
            { sensor_id: "long", address: 108, type: "int64" },
            { sensor_id: "double", address: 112, type: "float64" },
            { sensor_id: "bit", address: 116, type: "bit", bit: 3 },
            { sensor_id: "nan", address: 117, type: "float32" },
            { sensor_id: "input", table: "input", address: 2 },
            { sensor_id: "coil", table: "coil", address: 2 },
            { sensor_id: "discrete", table: "discrete", address: 3 },
            { sensor_id: "busy", address: 900 },
            { sensor_id: "none", address: 500 },
          ],
        },
      ],
    });
    const check = runCli("collect", "modbus", config, "--check");
    expect(await check.ended).toBe(1);
    const found = new Map(
      check
        .stdout()
        .trim()
        .split("\n")
        .map((line) => line.split("  ", 2) as [string, string]),
    );
    expect(Object.fromEntries(found)).toEqual({
      ...{ tenths: "23.5 C", float: "61.5 1", "swapped words": "61.5 1", "swapped bytes": "61.5 1" },
      ...{ long: "-5000000000 1", double: "0.001 1", bit: "1 1", input: "3 1", coil: "1 1", discrete: "0 1" },
      ...{ nan: "–", busy: "–", none: "–" },
    });
    expect(check.stdout()).toContain("the device answers with exception 2 (illegal data address");
    expect(check.stdout()).toContain("the device answers with exception 6 (busy)");
    expect(check.stderr()).toContain("3 of 13 give no reading.");
    expect(lines).toContain("read 3 102 17"); // what lies side by side, in one request
  });

  test("no reading is lost or stored twice through kill -9 of the platform, of the collector and of the device", async () => {
    const { port, lines, kill, start } = await device();
    /** The value of the counter, which rises with each request. */
    const counted = () => lines.filter((line) => line === "read 3 0 2").length;
    const grpcPort = await freePort();
    const environment = { DATA_DIR: await installation(), GRPC_PORT: String(grpcPort) };
    let platform = await startPlatform(environment);
    add(() => platform.stop());
    const config = writeConfig(folder(), {
      producer: "hall-1",
      platform: { url: `http://127.0.0.1:${grpcPort}` },
      devices: [
        {
          ...{ host: "127.0.0.1", port, interval: "20ms", timeout: "500ms" },
          registers: [
            { sensor_id: "counter", address: 0, type: "uint32", attributes: { line: "3" } },
            { sensor_id: "none", address: 500 },
          ],
        },
      ],
    });
    const stored = async () => await allValues(platform.grpc, "counter");
    const first = startCollector("modbus", config);
    add(first.kill);
    await until(async () => (await stored()).length > 20);
    await end(platform.process, "SIGKILL");
    const away = counted();
    await until(() => counted() > away + 50);
    await first.kill();
    const killed = counted();
    const second = startCollector("modbus", config);
    add(second.kill);
    await second.logged("readings of before are in the spool");
    await until(() => counted() > killed + 20);
    platform = await startPlatform(environment);
    await until(async () => (await stored()).length > killed);
    await kill();
    await second.logged("no connection to the device");
    const ended = counted();
    await start(); // the device counts from 1 again
    await until(() => counted() > ended + 20);
    expect(await second.stop()).toBe(0);
    expect(second.stderr()).toContain("stopped; everything is settled");
    expect(second.stderr()).toContain("illegal data address"); // of the register that there is not

    const values = await stored();
    const restart = values.findIndex((value, i) => i > 0 && value < values[i - 1]!);
    const [before, after] = [values.slice(0, restart), values.slice(restart)];
    for (const part of [before, after]) expect(part).toEqual([...new Set(part)].sort((a, b) => a - b));
    // What the killed collector had read and not yet stored, and the request under way when the device was killed.
    const missing = Array.from({ length: ended }, (_, i) => i + 1).filter((value) => !before.includes(value));
    const wanted = missing.filter((value) => Math.abs(value - killed) > 5 && value !== ended);
    expect(wanted).toEqual([]);
    expect(after.length).toBeGreaterThanOrEqual(20);
  });
});
