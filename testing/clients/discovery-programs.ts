/** Programs from PyPI, unchanged, that describe their sensors to Home Assistant. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { hold } from "../held.ts";
import { end } from "../processes.ts";
import { DISCOVERY, pythonWith } from "../python.ts";

export interface RunningProgram {
  /** As an operator ends it: it says that it is offline. */
  stop(): Promise<void>;
}

/** penguin-metrics: the machine's figures in one object, each second. */
export async function startPenguinMetrics(port: number): Promise<RunningProgram> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-penguin-"));
  const file = join(folder, "penguin.conf");
  await writeFile(
    file,
    `mqtt { host "127.0.0.1"; port ${port}; topic_prefix "penguin"; }
homeassistant { discovery on; state_file "${join(folder, "registered.json")}"; }
defaults { update_interval 1s; }
system "machine" { cpu on; memory on; load on; uptime on; }
`,
  );
  return await started("penguin-metrics", [file], folder);
}

/** linux2mqtt, whose templates ask whether a figure is there: every five seconds, which is its fastest. */
export async function startLinux2Mqtt(port: number): Promise<RunningProgram> {
  const broker = ["--host", "127.0.0.1", "--port", String(port)];
  return await started("linux2mqtt", [...broker, "--name", "machine", "--interval", "5", "--cpu=5", "--vm", "--du=/"]);
}

/** A program of a user that is written with ha-mqtt-discoverable. */
export async function startDiscoverable(port: number): Promise<RunningProgram> {
  return await started("python", [join(import.meta.dirname, "discoverable.py"), String(port)]);
}

async function started(program: string, args: readonly string[], folder?: string): Promise<RunningProgram> {
  const path = join(await pythonWith(DISCOVERY), program);
  // What reads its input ends with it.
  const child = spawn(path, args, { stdio: ["pipe", "ignore", "ignore"] });
  const stop = hold({ ...of(child), ...(folder === undefined ? {} : { folder }) }, async () => {
    await end(child);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });
  return { stop };
}

function of({ pid }: ChildProcess): { pid?: number } {
  return pid === undefined ? {} : { pid };
}

/** What a program has said of a sensor. */
export interface DescribedSensor {
  readonly unique_id: string;
  readonly name: string;
  readonly state_topic: string;
  readonly unit_of_measurement?: string;
  readonly device_class?: string;
  readonly value_template?: string;
  readonly availability_topic?: string;
  readonly device: { readonly name: string };
}

export interface BrokerListener {
  /** Of the component `sensor`, in the order of their descriptions. */
  readonly sensors: readonly DescribedSensor[];
  /** What was published to a topic, without what the broker keeps. */
  states(topic: string): readonly string[];
  stop(): Promise<void>;
}

/** Hears all that is published at a broker. */
export async function listenToBroker(url: string): Promise<BrokerListener> {
  const client = await connectAsync(url, { protocolVersion: 5 });
  const byTopic = new Map<string, string[]>();
  const sensors: DescribedSensor[] = [];
  client.on("message", (topic, payload) => {
    const text = payload.toString();
    if (/^homeassistant\/sensor\/.*\/config$/.test(topic)) {
      if (text !== "") sensors.push(JSON.parse(text) as DescribedSensor);
      return;
    }
    const others = byTopic.get(topic);
    if (others === undefined) byTopic.set(topic, [text]);
    else others.push(text);
  });
  await client.subscribeAsync("#", { qos: 1 });
  return {
    sensors,
    states: (topic) => byTopic.get(topic) ?? [],
    stop: () => client.endAsync(),
  };
}
