/** Messages of a broker, QoS 1: how many a second reach the store, and what one costs, beside single readings over gRPC in the same run. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { metric } from "../testing/metric.ts";
import { startMosquitto } from "../testing/mosquitto.ts";
import { startPlatform } from "../testing/platform.ts";
import { cpuOf, difference, sum } from "./cpu.ts";
import { measure } from "./embedded.ts";
import type { StorageRow } from "./storage-queries.ts";
import { SingleLoad } from "./workload.ts";

const SENSORS = 1_000;
const LOOK_MS = 250;
const STORED = 'telltale_readings_total{outcome="accepted"}';

/**
 * The broker fills a queue first, while the platform is away: what is measured is how fast the platform empties it, not how fast a device
 * publishes.
 *
 * @param rounds messages of each sensor
 */
export async function mqttRows(rounds: number): Promise<StorageRow[]> {
  const broker = await startMosquitto({
    lines: ["max_queued_messages 0", "max_inflight_messages 0", "log_type error"],
  });
  const messages = SENSORS * rounds;
  try {
    const subscriber = await startPlatform({ MQTT_URL: broker.url, MQTT_KEEPALIVE_SECONDS: "600" });
    let perSecond = 0;
    let cpuUs = 0;
    let used: Record<string, number> = {};
    try {
      while ((await metric(subscriber.http, "telltale_mqtt_connected")) !== 1) await pause();
      // The process stands still: its socket fills, and the broker keeps the rest.
      subscriber.process.kill("SIGSTOP");
      await publish(broker.url, rounds);
      const before = cpuOf([subscriber.process.pid!]);
      const startedMs = performance.now();
      subscriber.process.kill("SIGCONT");
      while ((await metric(subscriber.http, STORED)) < messages) await pause();
      perSecond = messages / ((performance.now() - startedMs) / 1_000);
      used = difference(before, cpuOf([subscriber.process.pid!]));
      cpuUs = (sum(used) * 1e6) / messages;
      const singles = await measure(subscriber.grpc, [subscriber.process.pid!], new SingleLoad(SENSORS).next(rounds));
      return [
        {
          name: "mqtt_messages_per_s",
          value: perSecond,
          unit: "messages/s",
          beside: {
            messages,
            grpc_singles_ratio: Math.round((100 * perSecond) / singles.perSecond) / 100,
            cpu_seconds: used,
          },
        },
        {
          name: "cpu_us_mqtt",
          value: cpuUs,
          unit: "µs/reading",
          beside: { grpc_singles_cpu_us: Math.round(singles.cpuUs * 10) / 10 },
        },
      ];
    } finally {
      subscriber.process.kill("SIGCONT");
      await subscriber.stop();
    }
  } finally {
    await broker.stop();
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_MS));

/** In a process of its own: it would else share the core with what measures. */
async function publish(url: string, rounds: number): Promise<void> {
  const script = fileURLToPath(new URL("mqtt-load.ts", import.meta.url));
  const child = spawn(process.execPath, [script, url, String(SENSORS), String(rounds)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  createInterface({ input: child.stdout! }).on("line", () => {});
  const [code] = (await once(child, "exit")) as [number];
  if (code !== 0) throw new Error(`the load ended with ${code}`);
}
