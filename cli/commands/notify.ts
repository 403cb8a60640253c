import { Command } from "commander";
import { counted } from "../../formats/counted.ts";
import { type NotifyConfig, parseNotifyConfig, routesOf } from "../../server/notify/index.ts";
import { problemLine } from "../notify/file.ts";
import { serverCommands } from "../notify/server.ts";
import { readConfigFiles } from "../notify/templates.ts";
import { receiverLines, treeLines } from "../notify/tree.ts";
import { wayLines } from "../notify/way.ts";
import { readPair } from "../pair.ts";
import { timeOption } from "../time.ts";

interface RoutesOptions {
  readonly label?: readonly (readonly [string, string])[];
  readonly at?: number;
}

/** `telltale notify`: who is notified of alerts. `check` and `routes` look at a file and need no running platform. */
export function notifyCommand(): Command {
  const check = new Command("check")
    .description("check a file in Alertmanager's format; print what is wrong by line, or its routes as a tree")
    .argument("<file>", "YAML")
    .action(checkFile);
  const routes = new Command("routes")
    .description("print which receivers would be notified of an alert, by which route, and what would mute it")
    .argument("<file>", "YAML in Alertmanager's format")
    .option("--label <name=value...>", "labels of the alert", readPair)
    .option("--at <time>", "when it would be notified, for time intervals; default: now", timeOption)
    .action(showRoutes);
  const command = new Command("notify").description("who is notified of alerts");
  for (const each of [check, routes, ...serverCommands()]) command.addCommand(each);
  return command;
}

async function checkFile(file: string): Promise<void> {
  const config = await readConfig(file);
  for (const line of treeLines(config.route)) console.log(line);
  console.log("");
  for (const line of receiverLines(config.receivers)) console.log(line);
  const parts = [
    counted(config.receivers.length, "receiver"),
    counted(config.inhibitRules.length, "inhibit rule"),
    counted(config.timeIntervals.length, "time interval"),
    counted(config.schedules.length, "schedule"),
    counted(config.escalations.length, "escalation"),
    counted(config.heartbeats.length, "heartbeat"),
    counted(config.pings.length, "ping"),
  ];
  console.error(`${file}: nothing wrong; ${parts.join(", ")}`);
}

async function showRoutes(file: string, { label = [], at = Date.now() * 1_000 }: RoutesOptions): Promise<void> {
  const config = await readConfig(file);
  const labels = Object.fromEntries(label);
  for (const route of routesOf(config.route, labels))
    for (const line of wayLines(config, { route, labels, atUs: at })) console.log(line);
}

async function readConfig(file: string): Promise<NotifyConfig> {
  const { text, templates } = await readConfigFiles(file);
  const parsed = parseNotifyConfig(text, templates);
  if ("config" in parsed) return parsed.config;
  throw new Error(parsed.problems.map((problem) => problemLine(file, problem)).join("\n"));
}
