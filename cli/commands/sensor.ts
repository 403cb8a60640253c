import { readFile } from "node:fs/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { Command, Option } from "commander";
import { counted } from "../../formats/counted.ts";
import { BadRequestSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { type RegisteredSensor, SensorSort } from "../../gen/es/telltale/v1/registry_pb.ts";
import { fileTrouble, number } from "../errors.ts";
import { itemsOf } from "../pages.ts";
import { readPair } from "../pair.ts";
import { type Change, changeOf, type Entry, FileProblem } from "../sensor/change.ts";
import { csvRows, readCsv } from "../sensor/csv.ts";
import { lifeCycleCommands } from "../sensor/life-cycle.ts";
import { type Registry, withRegistry } from "../sensor/registry.ts";
import { differenceLines, listLine, showLines } from "../sensor/text.ts";
import { readYaml, yamlEntry } from "../sensor/yaml.ts";
import { type ServerOptions, withServer } from "../server.ts";

const SORTS: Readonly<Record<string, SensorSort>> = {
  id: SensorSort.ID,
  name: SensorSort.NAME,
  "last-reading": SensorSort.LAST_READING,
  severity: SensorSort.SEVERITY,
};
/** Of one call, and so of one transaction. */
const MAX_CHANGES = 10_000;

interface FilterOptions extends ServerOptions {
  readonly search?: string;
  readonly match?: readonly string[];
}
interface ListOptions extends FilterOptions {
  readonly sort: string;
  readonly desc?: boolean;
  readonly limit?: number;
}
interface SetOptions extends ServerOptions {
  readonly name?: string;
  readonly description?: string;
  readonly owner?: string;
  readonly runbook?: string;
  readonly asset?: string;
  readonly tag?: readonly string[];
  readonly attribute?: readonly (readonly [string, string])[];
  readonly removeAttribute?: readonly string[];
}

/** `telltale sensor …`: sensors as people know them, and their life cycle. */
export function sensorCommand(): Command {
  const list = withFilters(new Command("list").description("print sensors with their states"))
    .addOption(new Option("--sort <by>", "what they are sorted by").choices(Object.keys(SORTS)).default("id"))
    .option("--desc", "from the greatest to the least")
    .option("--limit <count>", "at most so many; default: all", number({ min: 1, max: 1e9, integer: true }))
    .action(listSensors);
  const show = new Command("show")
    .description("print all that is known of a sensor")
    .argument("<id>", "the sensor")
    .action(showSensor);
  const set = new Command("set")
    .description("change what people say of a sensor; an empty text removes it")
    .argument("<id>", "the sensor; it may have no reading yet")
    .option("--name <name>", "what people call it")
    .option("--description <text>", "for people")
    .option("--owner <owner>", "who is responsible for it")
    .option("--runbook <url>", "what to do when it alerts")
    .option("--asset <path>", "where it belongs, such as site/line/machine")
    .option("--tag <tags...>", 'all its tags; "" for none')
    .option(
      "--attribute <name=value...>",
      "set attributes; an empty value hides the one that the sensor sends",
      readPair,
    )
    .option("--remove-attribute <names...>", "remove what was said of attributes: what the sensor sends counts again")
    .action(setSensor);
  const apply = new Command("apply")
    .description("change many sensors as a file says, in one transaction; fields that it leaves out stay")
    .argument("<file>", "YAML, or CSV where its name ends in .csv; as `telltale sensor export` prints them")
    .option("--dry-run", "change nothing, only print the difference")
    .action(applyFile);
  const exported = withFilters(new Command("export").description("print profiles as a file for apply"))
    .addOption(new Option("--format <format>", "form of the file").choices(["yaml", "csv"]).default("yaml"))
    .option("--all", "also sensors without a profile")
    .action(exportSensors);
  const command = new Command("sensor").description("sensors as people know them: names, owners, places, tags");
  for (const each of [list, show, set, apply, exported, ...lifeCycleCommands()]) command.addCommand(withServer(each));
  return command;
}

function withFilters(command: Command): Command {
  return command
    .option("--search <text>", "part of the id, the name or an attribute's value")
    .option("--match <matchers...>", `as in Alertmanager, such as 'line="3"' 'sensor_type=~"temp.*"' 'state!="ok"'`);
}

/** The sensors of all pages. */
function all(registry: Registry, filter: Parameters<Registry["listSensors"]>[0], most?: number) {
  return itemsOf(async (asked) => {
    const { sensors, nextPageToken } = await registry.listSensors({ ...filter, ...asked });
    return { items: sensors, nextPageToken };
  }, most);
}

const filtersOf = ({ search = "", match = [] }: FilterOptions) => ({ search, matchers: [...match] });

async function listSensors(options: ListOptions): Promise<void> {
  await withRegistry(options, async (registry) => {
    const { counts } = await registry.listSensors({ ...filtersOf(options), limit: 0, withCounts: true });
    const asked = { ...filtersOf(options), sort: SORTS[options.sort]!, descending: options.desc ?? false };
    for await (const sensor of all(registry, asked, options.limit)) console.log(listLine(sensor));
    const { total = 0n, alerting = 0n, stale = 0n, ok = 0n, retired = 0n } = counts ?? {};
    const more = retired === 0n ? "" : `; ${retired} retired`;
    console.error(`${counted(total, "sensor")}: ${alerting} alerting, ${stale} stale, ${ok} ok${more}`);
  });
}

async function showSensor(sensorId: string, options: ServerOptions): Promise<void> {
  await withRegistry(options, async (registry) => {
    const { sensor } = await registry.getSensor({ sensorId });
    for (const line of showLines(sensor!)) console.log(line);
  });
}

async function setSensor(sensorId: string, options: SetOptions): Promise<void> {
  await withRegistry(options, async (registry) => {
    const before = await known(registry, sensorId);
    const { name, description, owner, runbook, asset, tag, attribute = [], removeAttribute = [] } = options;
    const attributes = { ...before?.editedAttributes, ...Object.fromEntries(attribute) };
    for (const each of removeAttribute) delete attributes[each];
    const texts = { displayName: name, description, owner, runbookUrl: runbook, asset };
    const given = Object.entries(texts).filter(([, text]) => text !== undefined);
    const { sensor } = await registry.updateSensor({
      profile: {
        sensorId,
        // Nobody may have changed it since it was read.
        revision: before?.revision ?? 0n,
        ...Object.fromEntries(given),
        ...(tag === undefined ? {} : { tags: tag.filter((each) => each !== "") }),
        attributes,
      },
      updateFields: [
        ...given.map(([field]) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
        ...(tag === undefined ? [] : ["tags"]),
        "attributes",
      ],
    });
    for (const line of showLines(sensor!)) console.log(line);
  });
}

async function known(registry: Registry, sensorId: string): Promise<RegisteredSensor | undefined> {
  try {
    return (await registry.getSensor({ sensorId })).sensor;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    throw error;
  }
}

async function applyFile(file: string, options: ServerOptions & { readonly dryRun?: boolean }): Promise<void> {
  const entries = await readEntries(file);
  const changes = entries.map((entry) => changeOf(file, entry));
  if (changes.length > MAX_CHANGES)
    throw new FileProblem(`${file} has ${changes.length} sensors: one transaction takes ${MAX_CHANGES}; split it.`);
  const dryRun = options.dryRun ?? false;
  await withRegistry(options, async (registry) => {
    const { differences, created, changed, unchanged } = await inLines(file, entries, () =>
      registry.applySensors({ changes: changes as Change[], dryRun }),
    );
    for (const difference of differences) for (const line of differenceLines(difference)) console.log(line);
    const left = Number(created + changed) - differences.length;
    if (left > 0) console.log(`and ${counted(left, "sensor")} more`);
    const what = `${created} new, ${changed} changed, ${unchanged} unchanged`;
    console.error(dryRun ? `${what}; this was a dry run: nothing was changed` : what);
  });
}

async function readEntries(file: string): Promise<Entry[]> {
  try {
    const bytes = await readFile(file);
    return /\.csv$/i.test(file) ? await readCsv(file, chunks(bytes)) : readYaml(file, bytes.toString("utf8"));
  } catch (error) {
    if (error instanceof FileProblem) throw error;
    throw new Error(fileTrouble(file, error) ?? (error as Error).message, { cause: error });
  }
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** What the server finds wrong with a change, by the line that it stands on. */
async function inLines<T>(file: string, entries: readonly Entry[], call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const violations =
      error instanceof ConnectError ? error.findDetails(BadRequestSchema)[0]?.fieldViolations : undefined;
    if (violations === undefined || violations.length === 0) throw error;
    const lines = violations.map(({ field, description }) => {
      const [, index, name = ""] = /^changes\[(\d+)\](?:\.profile)?\.?(.*)$/.exec(field) ?? [];
      const entry = index === undefined ? undefined : entries[Number(index)];
      if (entry === undefined) return `${file}: ${field}: ${description}`;
      const line = entry.lines.get(name.replace(/[[.].*$/, "")) ?? entry.line;
      return `${file}, line ${line}: ${name} ${description.replace(/changes\[(\d+)\]\.profile/g, (_, i) => `line ${entries[Number(i)]?.line}`)}`;
    });
    throw new FileProblem(`${lines.join("\n")}\nNothing was changed.`, { cause: error });
  }
}

async function exportSensors(
  options: FilterOptions & { readonly format: "yaml" | "csv"; readonly all?: boolean },
): Promise<void> {
  await withRegistry(options, async (registry) => {
    const wanted = ({ revision }: RegisteredSensor) => options.all === true || revision > 0n;
    const found: RegisteredSensor[] = [];
    let exported = 0;
    if (options.format === "yaml") process.stdout.write("sensors:\n");
    for await (const sensor of all(registry, filtersOf(options))) {
      if (!wanted(sensor)) continue;
      exported++;
      if (options.format === "yaml") process.stdout.write(yamlEntry(sensor));
      else found.push(sensor);
    }
    // The columns are those of all rows.
    if (options.format === "csv") for (const row of csvRows(found)) process.stdout.write(row);
    if (exported === 0)
      console.error(`No sensors${options.all ? "" : " with a profile: --all exports also those without"}.`);
  });
}
