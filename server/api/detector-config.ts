/** The detector's settings: which are in force, where each comes from, changing them, and trying a change. */

import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { assetsAround } from "../../formats/assets.ts";
import { counted } from "../../formats/counted.ts";
import {
  type DetectorConfig,
  DetectorConfigSchema,
  DetectorConfigSource,
  Direction,
  type GetDetectorConfigRequest,
  HolidaysSchema,
  type SetDetectorConfigRequest,
  Weekday,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { PREVIEW_READINGS, PREVIEW_SENSORS, type Preview } from "../backtest/jobs.ts";
import type { BacktestRunner } from "../backtest/runner.ts";
import type { Clock } from "../clock.ts";
import { DEFAULT_EARLY_ALERT_HOURS, MAX_HOLIDAYS } from "../detect/index.ts";
import { TelltaleError } from "../errors.ts";
import { partitionOf } from "../ingest/series.ts";
import { CalendarError, daysOfCalendar } from "../lib/icalendar.ts";
import { quoted } from "../lib/quoted.ts";
import { within } from "../lib/signals.ts";
import { settingsAction, withZoneRules } from "../lib/zone-rules.ts";
import type { Logger } from "../observe/logger.ts";
import { toAlert } from "../scoring/alert.ts";
import { canAccessSensor } from "../security/principal.ts";
import type { Queries } from "../store/queries.ts";
import { checkConfig, checkScope, type Scope } from "./detector-backtest.ts";
import { principalOf } from "./principal.ts";
import { invalid } from "./query.ts";
import { isEmpty, isSet, SETTING_FIELDS, type Settings, type SettingsBook } from "./settings-book.ts";
import type { SettingsSync } from "./settings-sync.ts";

/** Sensors of one partition that may have settings of their own: their scorer keeps these in memory, about 500 bytes each. */
const MAX_OWN_SETTINGS = 100_000;
/** Assets that may have settings: each partition's scorer keeps them. */
const MAX_ASSETS = 10_000;
/** So long a change waits until the log has it for all sensors of an asset or a type; what is left is `pending` then, and goes on. */
const WIDE_MS = 7_000;
/** A dry run without a deadline ends before that of a gateway, which is 10 s; with one, in so much of it, and at most after so long. */
const DRY_RUN_MS = 7_000;
const DRY_RUN_SHARE = 0.75;
const LONGEST_DRY_RUN_MS = 60_000;

export interface ConfigOptions {
  readonly queries: Queries;
  readonly partitions: number;
  readonly clock: Clock;
  readonly runner: BacktestRunner;
  /** Alarms per sensor and day where no setting says otherwise. */
  readonly alarmsPerSensorDay: number;
  /** Logs a control in the partition of that number, and resolves when it is committed. */
  readonly log: (action: Control["action"], context: HandlerContext, partition: number) => Promise<void>;
  readonly book: Pick<SettingsBook, "of">;
  readonly settings: Pick<SettingsSync, "want" | "wanted" | "run" | "pending">;
  readonly logger: Logger;
}

/** A scope's settings with every default filled in, and the source of each. */
interface Resolved {
  readonly config: DetectorConfig;
  readonly origins: { readonly field: string; readonly source: DetectorConfigSource; readonly asset: string }[];
}

export function createConfig(o: ConfigOptions) {
  const { book } = o;
  // The log has the settings of a sensor by its key, in the partition of that.
  const keyOf = async (sensorId: string) => (sensorId === "" ? "" : o.queries.keyOf(sensorId));
  const partitionFor = (key: string) => (key === "" ? 0 : partitionOf(key, o.partitions));
  const ownOf = async ({ sensorId, asset }: Scope) => {
    const key = await keyOf(sensorId);
    const [settings, place] = await Promise.all([
      book.of(partitionFor(key)),
      key === "" ? asset : o.queries.placeOf(key),
    ]);
    return { settings, place, own: key === "" ? undefined : settings.ofSensor(key) };
  };
  const typeOf = ({ sensorId, sensorType }: Scope) => (sensorId === "" ? sensorType : o.queries.sensorType(sensorId));

  /** An asset in which the caller may see no sensor is as one that there is not. */
  async function checkAsset(asset: string, context: HandlerContext): Promise<void> {
    const { sensorPrefix } = principalOf(context);
    if (sensorPrefix === "" || (await o.queries.isAssetSeen(asset, sensorPrefix))) return;
    throw new TelltaleError("not_found", `there is no asset ${quoted(asset)} with sensors "${sensorPrefix}…"`);
  }

  async function get(scope: GetDetectorConfigRequest, context: HandlerContext) {
    checkScope(scope, "");
    const { sensorId, asset } = scope;
    if (asset !== "") await checkAsset(asset, context);
    const unknown = () =>
      new TelltaleError("not_found", `sensor ${quoted(sensorId)} has neither readings nor settings of its own`);
    // An id that leads to a sensor which the caller may not see finds nothing, also where that has settings.
    if (sensorId !== "" && !canAccessSensor(principalOf(context), await o.queries.shownOf(sensorId))) throw unknown();
    // Of an asset or a type what people want, be it in the log or not: whoever changes one of its settings and keeps the others must not lose any.
    const wanted = sensorId === "" ? o.settings.wanted(scope) : undefined;
    const [{ settings, ...of }, type, change] = await Promise.all([ownOf(scope), typeOf(scope), wanted]);
    if (type === undefined && of.own === undefined) throw unknown();
    const resolved = resolve(layersOf(scope, settings, type, { ...of, change }), scope, platformOf(o, settings));
    const { sensorPrefix } = principalOf(context);
    return { ...resolved, pending: sensorId === "" ? BigInt(await o.settings.pending(scope, sensorPrefix)) : 0n };
  }

  /** What would be in force. Throws TelltaleError "invalid" where it contradicts itself, "exhausted" where there are too many. */
  async function check(config: DetectorConfig): Promise<Resolved> {
    checkConfig(config);
    const { sensorId, asset } = config;
    const [{ settings, ...of }, type] = await Promise.all([ownOf(config), typeOf(config)]);
    const { own } = of;
    if (asset !== "" && settings.assets.size >= MAX_ASSETS && settings.logged(config) === undefined) {
      throw new TelltaleError(
        "exhausted",
        `${settings.assets.size} assets have settings, which is the limit: set those of an asset that they are in instead, or remove some`,
      );
    }
    if (sensorId !== "" && settings.sensors >= MAX_OWN_SETTINGS && own === undefined) {
      throw new TelltaleError(
        "exhausted",
        `${settings.sensors} sensors of this partition have settings of their own, which is the limit: set those of a type instead, ` +
          "or remove some by setting them without any field",
      );
    }
    const resolved = resolve(
      layersOf(config, settings, type, { ...of, change: config }),
      config,
      platformOf(o, settings),
    );
    checkRange(resolved);
    return resolved;
  }

  async function set(request: SetDetectorConfigRequest, context: HandlerContext) {
    const config = withCalendarFile(request.config!, request.holidaysIcalendar, o.clock.nowUs() / 1000);
    const resolved = await check(config);
    if (request.dryRun) return { ...resolved, effect: await effectOf(config, context) };
    if (config.sensorId === "") return { ...resolved, pending: await setWide(config, context) };
    const sensorId = await keyOf(config.sensorId);
    await o.log({ case: "settings", value: { ...config, sensorId } }, context, partitionFor(sensorId));
    return resolved;
  }

  /**
   * Kept first: whatever happens then, it will be in the log of every partition, with the places of an asset's sensors before it. So what
   * fails then is no failure of the change.
   *
   * @returns what is pending; where it cannot be counted, 1
   */
  async function setWide(config: DetectorConfig, context: HandlerContext): Promise<bigint> {
    const { asset, sensorType } = config;
    const by = { id: randomUUID(), principal: principalOf(context).name };
    const control = create(ControlSchema, { ...by, ...withZoneRules(settingsAction(config)) });
    await o.settings.want({ asset, sensorType, control: toBinary(ControlSchema, control), empty: isEmpty(config) });
    try {
      await within(WIDE_MS, o.settings.run(), context.signal).catch((error: unknown) => later(error, config));
      return BigInt(await o.settings.pending(config));
    } catch (error) {
      later(error, config);
      return 1n;
    }
  }

  function later(error: unknown, { asset, sensorType }: DetectorConfig): void {
    o.logger.warn({ err: error, asset, sensorType }, "settings are kept, and logged later");
  }

  async function effectOf(config: DetectorConfig, context: HandlerContext) {
    const given = context.timeoutMs();
    const ms = given === undefined ? DRY_RUN_MS : Math.min(LONGEST_DRY_RUN_MS, DRY_RUN_SHARE * given);
    const job = {
      kind: "preview",
      config: toBinary(DetectorConfigSchema, config),
      nowUs: o.clock.nowUs(),
      untilMs: Date.now() + ms,
    } as const;
    const preview = await o.runner.preview(job, context.signal);
    return {
      alertsAvoided30d: BigInt(preview.avoidedCount),
      alertsAdded30d: BigInt(preview.addedCount),
      avoided: preview.avoided.map(toAlert),
      added: preview.added.map(toAlert),
      sensors: BigInt(preview.sensors),
      sensorsConcerned: BigInt(preview.concerned),
      readings: BigInt(preview.readings),
      summary: summarise(preview),
    };
  }

  return { get, set };
}

/** The settings with the days of an iCalendar file among their holidays. */
function withCalendarFile(config: DetectorConfig, file: string, nowMs: number): DetectorConfig {
  if (file === "") return config;
  const { dates = [], like = Weekday.UNSPECIFIED } = config.holidays ?? {};
  const all = [...new Set([...dates, ...daysOfFile(file, nowMs)])].sort();
  if (all.length > MAX_HOLIDAYS) {
    throw invalid(
      "holidays_icalendar",
      `with it there are ${all.length} holidays, and at most ${MAX_HOLIDAYS} are kept`,
    );
  }
  return { ...config, holidays: create(HolidaysSchema, { dates: all, like }) };
}

function daysOfFile(file: string, nowMs: number): string[] {
  try {
    return daysOfCalendar(file, nowMs);
  } catch (error) {
    if (error instanceof CalendarError) throw invalid("holidays_icalendar", error.message);
    throw error;
  }
}

/** What holds where no layer says otherwise. */
function platformOf({ alarmsPerSensorDay }: ConfigOptions, { platform }: Settings) {
  const timeZone = platform?.timeZone ?? "UTC";
  return {
    alarmsPerSensorDay,
    reorderHoldMs: 0,
    direction: Direction.BOTH,
    off: false,
    timeZone,
    earlyAlertHours: DEFAULT_EARLY_ALERT_HOURS,
  };
}

interface Layer {
  readonly source: DetectorConfigSource;
  /** Of an asset's settings. */
  readonly asset?: string;
  readonly config: DetectorConfig;
  /** Names of the only fields of it that count; absent: all. */
  readonly only?: readonly string[];
}

/** A type of before takes of all types' settings this alone. */
const ALWAYS_INHERITED = ["reorder_hold_ms"];

/**
 * The layers of a scope, the narrowest first; `own`: those of the sensor; `place`: the asset, or that of the sensor; `change` in place of the
 * scope's own settings.
 */
function layersOf(
  scope: Scope,
  settings: Settings,
  type: string | undefined,
  {
    own,
    place,
    change,
  }: {
    readonly own: DetectorConfig | undefined;
    readonly place: string;
    readonly change?: DetectorConfig | undefined;
  },
): Layer[] {
  const { SENSOR, ASSET, SENSOR_TYPE, ALL_TYPES } = DetectorConfigSource;
  const layers: Layer[] = [];
  const { sensorId } = scope;
  if (sensorId !== "") {
    const config = change ?? own;
    if (config !== undefined) layers.push({ source: SENSOR, config });
  }
  for (const asset of assetsAround(place)) {
    const config =
      asset === scope.asset && change !== undefined ? change : settings.logged({ asset, sensorType: "" })?.config;
    if (config !== undefined) layers.push({ source: ASSET, asset, config });
  }
  let inherits = true;
  if (type !== undefined && type !== "") {
    const typed = settings.ofType(type);
    const changed = sensorId === "" ? change : undefined;
    layers.push({ source: SENSOR_TYPE, config: changed ?? typed.config });
    inherits = changed !== undefined || typed.inherits;
  }
  const ofAll = sensorId === "" && scope.asset === "" && type === "" ? change : undefined;
  const wide = { source: ALL_TYPES, config: ofAll ?? settings.ofType("").config };
  return [...layers, inherits ? wide : { ...wide, only: ALWAYS_INHERITED }];
}

/** What the detector learns from the sensor where it is not set. */
const LEARNT = ["stuck_seconds", "silence_seconds", "counter", "signal_kind"];

/** Field by field: of each the first layer that sets it. */
function resolve(
  layers: readonly Layer[],
  { sensorId, asset, sensorType }: Scope,
  platform: ReturnType<typeof platformOf>,
): Resolved {
  const values: Record<string, unknown> = { ...platform };
  const origins = SETTING_FIELDS.map((field) => {
    const { name, localName } = field;
    const from = layers.find(({ config, only }) => isSet(config, field) && (only?.includes(name) ?? true));
    if (from !== undefined) values[localName] = from.config[localName as keyof DetectorConfig];
    const otherwise = LEARNT.includes(name) ? DetectorConfigSource.LEARNT : DetectorConfigSource.PLATFORM;
    return { field: name, source: from?.source ?? otherwise, asset: from?.asset ?? "" };
  });
  return { config: create(DetectorConfigSchema, { ...values, sensorId, asset, sensorType }), origins };
}

const OF = {
  [DetectorConfigSource.SENSOR]: "the sensor's own settings",
  [DetectorConfigSource.ASSET]: "the settings of the asset",
  [DetectorConfigSource.SENSOR_TYPE]: "the settings of the type",
  [DetectorConfigSource.ALL_TYPES]: "the settings for all types",
} as const;

/** Also where one end of the range is the scope's own and the other is not. */
function checkRange({ config: { rangeMin, rangeMax }, origins }: Resolved): void {
  if (rangeMin === undefined || rangeMax === undefined || rangeMin < rangeMax) return;
  const from = (name: string) => OF[origins.find(({ field }) => field === name)!.source as keyof typeof OF];
  const said = `${rangeMin} (of ${from("range_min")}) is not below range_max ${rangeMax} (of ${from("range_max")})`;
  throw invalid("config.range_min", `${said}: set both`);
}

function summarise(p: Preview): string {
  if (p.concerned === 0) return "No sensor that the settings concern has a reading.";
  const all = p.sensors === p.concerned;
  const over = all ? `the ${counted(p.sensors, "sensor")}` : `${p.sensors} of the ${p.concerned} sensors`;
  const said =
    `Over their last 30 days, ${over} concerned would have raised ${p.avoidedCount} fewer and ${counted(p.addedCount, "more alert")} ` +
    "with the change.";
  const limits: string[] = [];
  if (p.outOfTime)
    limits.push("The others were not replayed in the call's time: with a longer deadline, of up to 80 s, more are.");
  else if (!all)
    limits.push(`The others were not replayed: at most ${PREVIEW_SENSORS} are, those with the newest readings.`);
  if (p.shortened > 0) {
    limits.push(`Of ${counted(p.shortened, "sensor")} only the newest ${PREVIEW_READINGS} readings were replayed.`);
  }
  return [said, ...limits].join(" ");
}
