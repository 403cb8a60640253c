/** The detector's settings as they stand in the store, read as far as they have grown since the last question. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type DetectorConfig, DetectorConfigSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { ignoreRejection } from "../lib/signals.ts";
import type { WideScope } from "../registry/wanted-settings.ts";
import type { Queries } from "../store/queries.ts";

/** The settings of one scope. */
export interface ScopeSettings {
  readonly config: DetectorConfig;
  /** Of a type: whether an absent field is that of all types. Of settings made before it could be, only the reorder buffer is. */
  readonly inherits: boolean;
}

/** The newest settings of an asset or a type in a partition, and the record that made them. */
export interface LoggedSettings extends ScopeSettings {
  readonly controlId: string;
  /** The record, a `Control` in binary form. */
  readonly control: Uint8Array;
  /** When the log took it, microseconds since 1970; 0 where the store does not say. */
  readonly receivedUs: number;
  /** Whether nothing is set. */
  readonly empty: boolean;
}

/** The time zone of the platform, and the version of the database that its rules come from. */
export interface PlatformZone {
  readonly timeZone: string;
  readonly database: string;
}

/** Of one partition: settings of types are in every one, those of a sensor only in its own. */
interface Partition {
  /** Where reading goes on. */
  next: number;
  platform?: PlatformZone;
  /** Also where the newest sets nothing. */
  readonly byType: Map<string, LoggedSettings>;
  readonly byAsset: Map<string, LoggedSettings>;
  /** In binary form: there may be many. */
  readonly bySensor: Map<string, Uint8Array>;
  reading: Promise<void>;
}

export class SettingsBook {
  readonly #queries: Pick<Queries, "settingsFrom">;
  readonly #partitions: Partition[];

  constructor(queries: Pick<Queries, "settingsFrom">, partitions: number) {
    this.#queries = queries;
    this.#partitions = Array.from({ length: partitions }, () => ({
      ...{ next: 0, byType: new Map(), byAsset: new Map(), bySensor: new Map(), reading: Promise.resolve() },
    }));
  }

  /** What the partition's log says up to now. */
  async of(partition: number): Promise<Settings> {
    const p = this.#partitions[partition]!;
    // One reads at a time, and goes on where one before failed: its own caller has heard of that; whoever asked later hears of what was committed meanwhile.
    const reading = p.reading.catch(ignoreRejection).then(() => this.#readOn(partition, p));
    p.reading = reading;
    await reading;
    return new Settings(p);
  }

  async #readOn(partition: number, p: Partition): Promise<void> {
    for (const { offset, receivedUs, control } of await this.#queries.settingsFrom(partition, p.next)) {
      p.next = offset + 1;
      const { id, action, timeZoneRules } = fromBinary(ControlSchema, control);
      if (action.case === "deleteSensors") for (const id of action.value.sensorIds) p.bySensor.delete(id);
      if (action.case === "platform") {
        p.platform = { timeZone: action.value.timeZone, database: timeZoneRules?.database ?? "" };
      }
      const by = { controlId: id, control, receivedUs };
      if (action.case === "assetSettings" && action.value.config !== undefined) noteAsset(p, action.value.config, by);
      if (action.case === "settings" || action.case === "config") note(p, action, by);
    }
  }
}

/** The record that settings come from. */
type By = Pick<LoggedSettings, "controlId" | "control" | "receivedUs">;

function noteAsset({ byAsset }: Partition, config: DetectorConfig, by: By): void {
  if (isEmpty(config)) byAsset.delete(config.asset);
  else byAsset.set(config.asset, { ...by, config, inherits: true, empty: false });
}

/** Whether nothing is set. */
export function isEmpty(config: DetectorConfig): boolean {
  return SETTING_FIELDS.every((field) => !isSet(config, field));
}

function note(
  { byType, bySensor }: Partition,
  { case: kind, value: config }: { readonly case: "settings" | "config"; readonly value: DetectorConfig },
  by: By,
): void {
  const { sensorId, sensorType } = config;
  const inherits = kind === "settings";
  if (sensorId === "") {
    // An empty one of a type of before stands in the way of those of all types.
    const empty = isEmpty(config) && (inherits || sensorType === "");
    byType.set(sensorType, { ...by, config, inherits, empty });
  } else if (isEmpty(config)) bySensor.delete(sensorId);
  else bySensor.set(sensorId, toBinary(DetectorConfigSchema, config));
}

/** The settings of a partition at one time. */
export class Settings {
  readonly #byType: ReadonlyMap<string, LoggedSettings>;
  readonly #byAsset: ReadonlyMap<string, LoggedSettings>;
  readonly #bySensor: ReadonlyMap<string, Uint8Array>;

  /** Undefined: it was never set. */
  readonly platform: PlatformZone | undefined;

  constructor({
    byType,
    byAsset,
    bySensor,
    platform,
  }: Pick<Partition, "byType" | "byAsset" | "bySensor" | "platform">) {
    this.platform = platform;
    this.#byType = byType;
    this.#byAsset = byAsset;
    this.#bySensor = bySensor;
  }

  /** Sensors with settings of their own. */
  get sensors(): number {
    return this.#bySensor.size;
  }

  ofSensor(sensorId: string): DetectorConfig | undefined {
    const bytes = this.#bySensor.get(sensorId);
    return bytes === undefined ? undefined : fromBinary(DetectorConfigSchema, bytes);
  }

  /** Assets with settings. */
  get assets(): ReadonlyMap<string, LoggedSettings> {
    return this.#byAsset;
  }

  /** Types whose settings were ever made, "" for all types: the newest of each, also those that set nothing. */
  get types(): ReadonlyMap<string, LoggedSettings> {
    return this.#byType;
  }

  /** What is set for an asset, a type or all types; undefined: nothing. */
  logged({ asset, sensorType }: WideScope): LoggedSettings | undefined {
    const found = asset === "" ? this.#byType.get(sensorType) : this.#byAsset.get(asset);
    return found?.empty === false ? found : undefined;
  }

  /** Of a type; of all types for "". */
  ofType(sensorType: string): ScopeSettings {
    const nothing = { config: create(DetectorConfigSchema, { sensorType }), inherits: true };
    return this.logged({ asset: "", sensorType }) ?? nothing;
  }
}

/** Fields of the contract's settings but those that name the scope, in their order. */
export const SETTING_FIELDS: readonly (typeof DetectorConfigSchema.fields)[number][] = DetectorConfigSchema.fields
  .filter(({ name }) => name !== "sensor_type" && name !== "sensor_id" && name !== "asset")
  .sort((a, b) => a.number - b.number);

/** Whether the field is set: an enum's zero is not. */
export function isSet(config: DetectorConfig, field: (typeof SETTING_FIELDS)[number]): boolean {
  const value = config[field.localName as keyof DetectorConfig];
  return field.enum === undefined ? value !== undefined : value !== 0;
}
