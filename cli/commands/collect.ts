/** `telltale collect …`: collectors that run beside devices and servers, and keep what they read until the platform has it. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Command, Option } from "commander";
import type { BrowseOptions } from "../../collect/opcua/index.ts";
import type { Collector, Sample } from "../../collect/source.ts";
import { fileTrouble, sentence } from "../errors.ts";
import { inert } from "../text.ts";

interface CollectOptions {
  readonly check?: true;
}

/** @throws Error with all that is wrong with the configuration */
type Open = (file: string, text: string) => Promise<Collector>;

export function collectCommand(): Command {
  const modbus = collector("modbus", "read registers of Modbus TCP devices", async (...of) =>
    (await import("../../collect/modbus/index.ts")).modbusCollector(...of),
  );
  const mqtt = collector("mqtt", "take the messages of an MQTT broker, as the platform itself would", async (...of) =>
    (await import("../../collect/mqtt/index.ts")).mqttCollector(...of),
  );
  const opcua = collector("opcua", "subscribe to nodes of an OPC UA server", async (...of) =>
    (await import("../../collect/opcua/index.ts")).opcuaCollector(...of),
  );
  opcua.addCommand(browseCommand());
  return new Command("collect")
    .description("read devices, servers and brokers, and keep the readings on disk until the platform has them")
    .addCommand(opcua)
    .addCommand(modbus)
    .addCommand(mqtt);
}

function collector(name: string, description: string, open: Open): Command {
  return new Command(name)
    .description(description)
    .argument("<config>", "the configuration, in YAML")
    .option("--check", "read everything once, print it, ask the platform who the collector is, and store nothing")
    .addHelpText(
      "after",
      "\ndocs/guides/collectors.md has a configuration to copy. Ctrl-C ends it; what is not sent yet stays for the next start.",
    )
    .action(async (file: string, options: CollectOptions) => {
      const opened = await open(file, await readText(file));
      await (options.check ? check(opened) : run(opened));
    });
}

function browseCommand(): Command {
  return new Command("browse")
    .description("print the variables of an OPC UA server that have a number, as YAML to edit")
    .argument("<server>", "its address (opc.tcp://…), or a configuration where it wants security or a user")
    .option("--root <node>", "only what is below this node, such as ns=2;s=Hall")
    .addOption(
      new Option("--format <format>", "a configuration for collect opcua, or profiles for `telltale sensor apply`")
        .choices(["config", "sensors"])
        .default("config"),
    )
    .action(async (server: string, options: BrowseOptions) => {
      const { browseOpcua } = await import("../../collect/opcua/index.ts");
      const address = /^opc\.tcp:/.test(server);
      if (!address && !existsSync(server)) {
        throw new Error(`There is no file ${server}; the address of a server begins with opc.tcp://`);
      }
      const of = address ? { address: server } : { file: server, text: await readText(server) };
      process.stdout.write(await browseOpcua(of, options));
    });
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Error(fileTrouble(file, error) ?? String(error), { cause: error });
  }
}

async function run(opened: Collector): Promise<void> {
  const { runCollector } = await import("../../collect/collector.ts");
  const stop = new AbortController();
  const onSignal = () => {
    // A second one ends the process, as without a listener.
    for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, onSignal);
    stop.abort(new Error("the collector was told to end"));
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, onSignal);
  await runCollector(opened, stop.signal);
  // A library may still wait for a server that does not answer.
  process.exit();
}

async function check(opened: Collector): Promise<void> {
  const { checkPlatform } = await import("../../collect/platform.ts");
  const { platform } = opened.settings;
  const troubles: string[] = [];
  // What the platform says is of use also where the device says nothing.
  const samples = await opened.sample().catch((error: unknown) => {
    troubles.push(sentence(error));
    return [];
  });
  for (const sample of samples) console.log(inert(sampleLine(sample)));
  const missing = samples.filter(({ found }) => typeof found === "string").length;
  if (missing > 0) troubles.push(`${missing} of ${samples.length} give no reading.`);
  const sensorIds = samples.map(({ sensorId }) => sensorId);
  const answer = await checkPlatform(platform, sensorIds);
  if (answer.caller !== undefined) console.log(inert(`platform  ${platform.url}  ${answer.caller}`));
  troubles.push(...answer.troubles);
  if (troubles.length > 0) throw new Error(troubles.join("\n"));
}

function sampleLine({ sensorId, origin, found }: Sample): string {
  if (typeof found === "string") return `${sensorId}  –  ${origin}: ${found}`;
  const { sensorType, unit, value, observedAtUs } = found;
  const at = observedAtUs === undefined ? "" : `  ${new Date(observedAtUs / 1_000).toISOString()}`;
  return `${sensorId}  ${value} ${unit}  ${sensorType}${at}  ${origin}`.trimEnd();
}
