import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { Command, InvalidArgumentError, Option } from "commander";
import { connect } from "../../client/transport.ts";
import {
  type DetectorConfig,
  type DetectorConfigOrigin,
  DetectorConfigSchema,
  DetectorConfigSource,
  DetectorService,
  Direction,
  type Holidays,
  SignalKind,
  type Weekday,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import { enumName, enumValue } from "../../server/lib/enum-name.ts";
import { alertLine } from "../alerts.ts";
import { directionOption } from "../direction.ts";
import { number } from "../errors.ts";
import { datesOption, holidaysText, weekdayOption } from "../holidays.ts";
import { readText } from "../input.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";
import { inert } from "../text.ts";

/** A dry run takes as long as the server lets it: a minute, and what is around it. */
const DRY_RUN_MS = 80_000;
const ANY = { min: -Number.MAX_VALUE, max: Number.MAX_VALUE };
const POSITIVE = { min: 1e-9, max: Number.MAX_VALUE };

/** Names of the kinds of signals. */
const KINDS = Object.keys(SignalKind)
  .filter((name) => name !== "UNSPECIFIED")
  .map((name) => name.toLowerCase());

interface ScopeOptions extends ServerOptions {
  readonly sensorId?: string;
  readonly asset?: string;
  readonly sensorType?: string;
}

interface ClearOptions extends ScopeOptions {
  readonly dryRun?: true;
}

interface SetOptions extends ClearOptions {
  readonly unset?: readonly string[];
  readonly alarmsPerSensorDay?: number;
  readonly rangeMin?: number;
  readonly rangeMax?: number;
  readonly maxRatePerSecond?: number;
  readonly stuckSeconds?: number;
  readonly silenceSeconds?: number;
  readonly reorderHoldMs?: number;
  readonly counter?: boolean;
  readonly direction?: Direction;
  readonly off?: boolean;
  readonly timeZone?: string;
  readonly holidayDates?: readonly string[];
  readonly holidaysFile?: string;
  readonly holidaysLike?: Weekday;
  readonly signalKind?: SignalKind;
  readonly earlyAlertHours?: number;
}

/** `telltale config show|set|clear`: the detector's settings of a sensor, an asset, a sensor type, or all types. */
export function configCommand(): Command {
  const shown = new Command("show").description("print the settings in force, and where each comes from").action(show);
  const set = new Command("set")
    .description("change settings of a sensor, an asset, a type, or all types; those that are not named stay")
    .option("--alarms-per-sensor-day <n>", "alarm budget on normal data", number({ min: 1e-6, max: 1000 }))
    .option("--range-min <value>", "values below are impossible", number(ANY))
    .option("--range-max <value>", "values above are impossible", number(ANY))
    .option("--max-rate-per-second <rate>", "faster changes are impossible", number(POSITIVE))
    .option("--stuck-seconds <seconds>", "a value unchanged for this long is stuck", number(POSITIVE))
    .option("--silence-seconds <seconds>", "no reading for this long is silence", number(POSITIVE))
    .option(
      "--reorder-hold-ms <ms>",
      "readings are buffered this long to be put in order",
      number({ min: 0, max: 60_000, integer: true }),
    )
    .option("--counter <yes|no>", "the value only grows and starts again from zero", yesOrNo)
    .option("--direction <both|high|low>", "on which side of what is expected readings are abnormal", directionOption)
    .option("--off <yes|no>", "the sensor is not judged; it goes on learning", yesOrNo)
    .option("--time-zone <name>", "the zone of its days and weeks, such as Europe/Berlin")
    .option("--holiday-dates <dates>", "days that run like a Sunday: none, or YYYY-MM-DD,…", datesOption)
    .option("--holidays-file <file>", "the same, from an iCalendar file (.ics), beside those that are named")
    .option("--holidays-like <day>", "the day of the week that holidays run like, in place of sunday", weekdayOption)
    .option("--signal-kind <kind>", `what is said of its signal: ${KINDS.join(", ")}`, signalKindOption)
    .option(
      "--early-alert-hours <hours>",
      "how far ahead of an end of the range an early alert opens; 0: never",
      number({ min: 0, max: 168 }),
    )
    .option("--unset <names...>", "settings to remove, such as range_min: those of the next wider scope count again")
    .action(change);
  const clear = new Command("clear")
    .description("remove all settings of a sensor, an asset, a type, or all types")
    .action(clearAll);
  for (const each of [set, clear]) {
    each.option("--dry-run", "change nothing; print which alerts of the last 30 days it would have avoided and added");
  }
  const command = new Command("config").description("settings of the detector");
  for (const each of [shown, set, clear]) command.addCommand(withServer(withScope(each)));
  return command;
}

function withScope(command: Command): Command {
  return command
    .addOption(new Option("-s, --sensor-id <id>", "of this sensor").conflicts(["asset", "sensorType"]))
    .addOption(new Option("--asset <path>", "of all sensors in this asset, such as site/line").conflicts("sensorType"))
    .option("--sensor-type <type>", "of this sensor type; with neither, of all types");
}

async function show(options: ScopeOptions): Promise<void> {
  await withService(options, async (service) => print(await service.getDetectorConfig(scopeOf(options)), options));
}

async function change(options: SetOptions): Promise<void> {
  const { unset = [] } = options;
  const unknown = unset.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new Error(`There is no setting ${unknown}. Wanted some of ${NAMES.join(", ")}.`);
  const { holidaysFile } = options;
  const holidaysIcalendar = holidaysFile === undefined ? "" : await readText(holidaysFile);
  await withService(options, async (service) => {
    const config = await ownOf(service, options);
    for (const name of unset) config[localOf(name)] = undefined;
    for (const name of NAMES.map(localOf)) config[name] = options[name as keyof SetOptions] ?? config[name];
    config.holidays = holidaysOf(config.holidays as Holidays | undefined, options);
    await apply(service, config, { ...options, holidaysIcalendar });
  });
}

/** Holidays with what the options say of them. A file takes the place of the days that there were. */
function holidaysOf(before: Holidays | undefined, options: SetOptions) {
  const { holidayDates, holidaysFile, holidaysLike } = options;
  if (holidayDates === undefined && holidaysFile === undefined && holidaysLike === undefined) return before;
  const dates = holidayDates ?? (holidaysFile === undefined ? (before?.dates ?? []) : []);
  return { dates: [...dates], like: holidaysLike ?? before?.like ?? 0 };
}

async function clearAll(options: ClearOptions): Promise<void> {
  await withService(options, (service) => apply(service, {}, options));
}

type Fields = Record<string, unknown>;

interface ApplyOptions extends ClearOptions {
  readonly holidaysIcalendar?: string;
}

async function apply(service: Client<typeof DetectorService>, fields: Fields, options: ApplyOptions): Promise<void> {
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const config = { ...given, ...scopeOf(options) } as MessageInitShape<typeof DetectorConfigSchema>;
  const { dryRun = false, holidaysIcalendar = "" } = options;
  const request = { config, dryRun, holidaysIcalendar };
  const answer = await service.setDetectorConfig(request, dryRun ? { timeoutMs: DRY_RUN_MS } : {});
  print(answer, options);
  if (answer.effect === undefined) return;
  const { summary, avoided, added } = answer.effect;
  console.log(`Nothing was changed. ${summary}`);
  for (const alert of avoided) console.log(`- ${alertLine(alert)}`);
  for (const alert of added) console.log(`+ ${alertLine(alert)}`);
}

/** The fields that the scope itself sets. */
async function ownOf(service: Client<typeof DetectorService>, options: ScopeOptions): Promise<Fields> {
  const scope = scopeOf(options);
  const own =
    scope.sensorId !== ""
      ? DetectorConfigSource.SENSOR
      : scope.asset !== ""
        ? DetectorConfigSource.ASSET
        : scope.sensorType !== ""
          ? DetectorConfigSource.SENSOR_TYPE
          : DetectorConfigSource.ALL_TYPES;
  const answer = await service.getDetectorConfig(scope).catch((error: unknown) => {
    // A sensor may have settings before its first reading.
    if (ConnectError.from(error).code === Code.NotFound) return undefined;
    throw error;
  });
  const origins = answer?.origins ?? [];
  const set = origins.filter((o) => o.source === own && o.asset === scope.asset).map(({ field }) => localOf(field));
  return Object.fromEntries(set.map((name) => [name, answer?.config?.[name as keyof DetectorConfig]]));
}

function print(
  {
    config,
    origins,
    pending,
  }: {
    readonly config?: DetectorConfig | undefined;
    readonly origins: readonly DetectorConfigOrigin[];
    readonly pending: bigint;
  },
  options: ScopeOptions,
): void {
  console.log(`Settings of ${nameOf(scopeOf(options))}:`);
  for (const { field, source, asset } of origins) {
    const value = textOf(field, config?.[localOf(field) as keyof DetectorConfig], source);
    const from = source === DetectorConfigSource.ASSET ? `set for asset ${inert(asset)}` : (SOURCES[source] ?? source);
    console.log(`  ${field.padEnd(22)} ${value.padEnd(12)} ${from}`);
  }
  if (pending > 0n) {
    const changes = pending === 1n ? "1 change is on its" : `${pending} changes are on their`;
    console.log(`Not in force for all sensors yet: ${changes} way into the log.`);
  }
}

function nameOf({ sensorId, asset, sensorType }: ReturnType<typeof scopeOf>): string {
  if (sensorId !== "") return `sensor ${inert(sensorId)}`;
  if (asset !== "") return `asset ${inert(asset)}`;
  return sensorType !== "" ? `type ${inert(sensorType)}` : "all types";
}

const SOURCES: Readonly<Record<number, string>> = {
  [DetectorConfigSource.SENSOR]: "set for the sensor",
  [DetectorConfigSource.SENSOR_TYPE]: "set for its type",
  [DetectorConfigSource.ALL_TYPES]: "set for all types",
  [DetectorConfigSource.PLATFORM]: "default",
  [DetectorConfigSource.LEARNT]: "from the sensor's readings",
};

function textOf(field: string, value: unknown, source: DetectorConfigSource): string {
  if (field === "direction") return enumName(Direction, value as number);
  if (field === "signal_kind") return value === 0 ? "recognised" : enumName(SignalKind, value as number);
  if (field === "holidays") return value === undefined ? "none" : holidaysText(value as Holidays);
  if (value !== undefined) return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
  if (field === "counter") return "recognised";
  return source === DetectorConfigSource.LEARNT ? "learnt" : "none";
}

/** Names of the settings, as the contract has them. */
const NAMES = DetectorConfigSchema.fields
  .map(({ name }) => name)
  .filter((name) => !/^(sensor_(id|type)|asset)$/.test(name));

/** The name of a setting in code. */
function localOf(name: string): string {
  return DetectorConfigSchema.fields.find((field) => field.name === name)!.localName;
}

function scopeOf({ sensorId = "", asset = "", sensorType = "" }: ScopeOptions) {
  return { sensorId, asset, sensorType };
}

function signalKindOption(text: string): SignalKind {
  const found = enumValue(SignalKind, text);
  if (found !== undefined && found !== SignalKind.UNSPECIFIED) return found;
  throw new InvalidArgumentError(`Wanted one of ${KINDS.join(", ")}.`);
}

function yesOrNo(text: string): boolean {
  if (text === "yes" || text === "no") return text === "yes";
  throw new InvalidArgumentError("Wanted yes or no.");
}

async function withService(
  options: ServerOptions,
  act: (service: Client<typeof DetectorService>) => Promise<void>,
): Promise<void> {
  const connection = connect(credentials(options));
  try {
    await act(createClient(DetectorService, connection.transport));
  } finally {
    connection.close();
  }
}
