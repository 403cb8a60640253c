/** `telltale sensor retire|restore|rename|delete|deletions`. */
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { counted } from "../../formats/counted.ts";
import type { SensorDeletion } from "../../gen/es/telltale/v1/registry_pb.ts";
import { number } from "../errors.ts";
import { printList } from "../pages.ts";
import type { ServerOptions } from "../server.ts";
import { inert } from "../text.ts";
import { withRegistry } from "./registry.ts";
import { listLine, showLines } from "./text.ts";

interface DeleteOptions extends ServerOptions {
  readonly whileSending?: boolean;
  readonly yes?: boolean;
}
interface DeletionsOptions extends ServerOptions {
  readonly unfinished?: boolean;
  readonly limit?: number;
}

/** Without the server's options. */
export function lifeCycleCommands(): Command[] {
  const retire = new Command("retire")
    .description("retire sensors: no silence alerts, and not in health counts; their open alerts are resolved")
    .argument("<ids...>", "the sensors")
    .action((sensorIds: string[], options: ServerOptions) => setRetired(sensorIds, true, options));
  const restore = new Command("restore")
    .description("take the retirement of sensors back")
    .argument("<ids...>", "the sensors")
    .action((sensorIds: string[], options: ServerOptions) => setRetired(sensorIds, false, options));
  const rename = new Command("rename")
    .description("give a sensor another id; its history stays, and its former ids still lead to it")
    .argument("<id>", "the sensor")
    .argument("<new-id>", "the id that it is to have")
    .action(renameSensor);
  const remove = new Command("delete")
    .description("delete sensors with all that is stored of them, for good; without --yes only say what that would be")
    .argument("<ids...>", "the sensors")
    .option("--while-sending", "also sensors that are sending; what they send on begins them anew")
    .option("--yes", "do it")
    .action(deleteSensors);
  const deletions = new Command("deletions")
    .description("print deletions of the last 30 days and how far they are, the newest first")
    .option("--unfinished", "only those of which not everything is removed yet")
    .option("--limit <count>", "at most so many; default: all", number({ min: 1, max: 1e9, integer: true }))
    .action(listDeletions);
  return [retire, restore, rename, remove, deletions];
}

async function setRetired(sensorIds: string[], retired: boolean, options: ServerOptions): Promise<void> {
  await withRegistry(options, async (registry) => {
    const { sensors } = await (retired
      ? registry.retireSensors({ sensorIds })
      : registry.restoreSensors({ sensorIds }));
    for (const sensor of sensors) console.log(listLine(sensor));
  });
}

async function renameSensor(sensorId: string, newSensorId: string, options: ServerOptions): Promise<void> {
  await withRegistry(options, async (registry) => {
    const { sensor } = await registry.renameSensor({ sensorId, newSensorId });
    for (const line of showLines(sensor!)) console.log(line);
  });
}

async function deleteSensors(sensorIds: string[], options: DeleteOptions): Promise<void> {
  const { whileSending = false, yes = false } = options;
  await withRegistry(options, async (registry) => {
    const { deletions } = await registry.deleteSensors({ sensorIds, whileSending, dryRun: !yes });
    for (const { sensorId, readings, alerts } of deletions)
      console.log(`${inert(sensorId)}  ${counted(readings, "reading")}, ${counted(alerts, "alert")}`);
    console.error(
      yes
        ? `${counted(BigInt(deletions.length), "sensor")} deleted; what is stored of them is being removed: telltale sensor deletions`
        : "Nothing was deleted: give --yes to delete them for good.",
    );
  });
}

async function listDeletions({ unfinished = false, ...options }: DeletionsOptions): Promise<void> {
  await withRegistry(options, async (registry) => {
    await printList({
      page: async (asked) => {
        const { deletions, nextPageToken } = await registry.listSensorDeletions({ ...asked, unfinished });
        return { items: deletions, nextPageToken };
      },
      line: deletionLine,
      most: options.limit,
      none: unfinished ? "No unfinished deletions." : "No deletions in the last 30 days.",
    });
  });
}

function deletionLine({
  sensorId,
  deletedAt,
  deletedBy,
  finishedAt,
  readings,
  removedReadings,
}: SensorDeletion): string {
  const at = deletedAt === undefined ? "" : timestampDate(deletedAt).toISOString();
  const how =
    finishedAt === undefined
      ? `${removedReadings} of ${counted(readings, "reading")} removed`
      : `finished, ${counted(readings, "reading")}`;
  return [inert(sensorId), `deleted ${at} by ${inert(deletedBy)}`, how].join("  ");
}
