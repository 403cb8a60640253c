/** The flow of docs/guides/mqtt.md in Node-RED, while the platform is killed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { type FlowNode, nodeRed, startNodeRed } from "../../testing/clients/node-red.ts";
import { fetched } from "../../testing/fetched.ts";
import { until } from "../../testing/metric.ts";
import { startMosquitto } from "../../testing/mosquitto.ts";
import { connectedToBroker } from "../../testing/mqtt-connected.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";
import { allReadings } from "../../testing/readings.ts";

const SENSORS = { mqtt: "hall-1/press", http: 'press.pressure{line="3"}' };
/** Of each way, before and after the kill. */
const TAKEN_BETWEEN = 10;

describeWith(["mosquitto"], "Node-RED with the flow of the guide", () => {
  vi.setConfig({ testTimeout: 240_000 });
  const { add, started, installation } = cleanupAfterEach();

  test("loses nothing by MQTT or line protocol through kill -9 of the platform, and stores nothing twice", async (context) => {
    await fetched(context, "Node-RED", nodeRed);
    const broker = await started(startMosquitto({ lines: ["max_queued_messages 0"] }));
    const port = await freePort();
    const environment = { DATA_DIR: await installation(), MQTT_URL: broker.url, PORT: String(port) };
    let platform = await startPlatform(environment);
    add(() => platform.stop());
    await connectedToBroker(platform);
    const { lines, stop } = await started(startNodeRed(flow(broker.port, port)));
    /** What a way has begun to send, or has taken for stored: time in milliseconds, and value. */
    const logged = (what: string) =>
      lines.flatMap((line) => {
        const [, timeMs, value] = new RegExp(`${what} (\\S+) (\\S+)$`).exec(line) ?? [];
        return timeMs === undefined ? [] : [[Number(timeMs), Number(value)] as const];
      });
    const both = async (count: number) =>
      await until(() => Object.keys(SENSORS).every((way) => logged(`taken by ${way}`).length >= count));
    await both(TAKEN_BETWEEN);
    await end(platform.process, "SIGKILL");
    const away = logged("measured").length;
    await until(() => logged("measured").length >= away + TAKEN_BETWEEN);
    platform = await startPlatform(environment);
    const back = logged("measured").length + TAKEN_BETWEEN;
    await both(back);
    await stop();
    for (const [way, sensorId] of Object.entries(SENSORS)) {
      const taken = new Map(logged(`taken by ${way}`));
      const found = async () =>
        (await allReadings(platform.grpc, sensorId)).map(
          ({ observedAt, value }) => [Number(observedAt!.seconds) * 1e3 + observedAt!.nanos / 1e6, value] as const,
        );
      // A broker's acknowledgement is the broker's.
      await until(async () => (await found()).length >= taken.size);
      const readings = await found();
      const byTime = new Map(readings);
      expect(byTime.size, `${way}: a reading is stored twice`).toBe(readings.length);
      expect(
        [...taken].filter(([timeMs, value]) => byTime.get(timeMs) !== value),
        `${way}: lost`,
      ).toEqual([]);
      const measured = new Map(logged("measured"));
      expect([...byTime].filter(([timeMs, value]) => measured.get(timeMs) !== value)).toEqual([]);
    }
  });
});

/** The guide's flow with the addresses of here, faster, and with nodes that log what is measured and what is taken. */
function flow(brokerPort: number, httpPort: number): FlowNode[] {
  const guide = readFileSync(join(import.meta.dirname, "../../docs/guides/mqtt.md"), "utf8");
  const nodes = JSON.parse(/^```json\n(\[\n.*?\n\])\n```$/ms.exec(guide)![1]!) as FlowNode[];
  const node = (id: string) => nodes.find((each) => each.id === id)!;
  const changes: Record<string, object> = {
    broker: { port: String(brokerPort) },
    measure: { repeat: "0.05", wires: [["reading", "line", "log-measured"]] },
    post: { url: (node("post").url as string).replace(":8000/", `:${httpPort}/`) },
    answer: { wires: [["log-http"], ...(node("answer").wires as string[][]).slice(1)] },
  };
  const log = (id: string, what: string, value: string): FlowNode => ({
    ...{ id, type: "function", z: "telltale", func: `node.log(["${what}", msg.time, ${value}].join(" "));`, wires: [] },
  });
  return [
    ...nodes.map((each) => ({ ...each, ...changes[each.id] })),
    { id: "published", type: "complete", z: "telltale", scope: ["publish"], wires: [["log-mqtt"]] },
    log("log-measured", "measured", "msg.payload"),
    // By then the payload is the text that was sent.
    log("log-mqtt", "taken by mqtt", "JSON.parse(msg.payload).value"),
    log("log-http", "taken by http", "msg.value"),
  ];
}
