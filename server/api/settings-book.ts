/** The detector's settings as they stand in the store, read as far as they have grown since the last question. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type DetectorConfig, DetectorConfigSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { ignoreRejection } from "../lib/signals.ts";
import type { Queries } from "../store/queries.ts";

/** The settings of one scope. */
export interface ScopeSettings {
  readonly config: DetectorConfig;
  /** Of a type: whether an absent field is that of all types. Of settings made before it could be, only the reorder buffer is. */
  readonly inherits: boolean;
}

/** The settings of an asset, and the record that made them. */
export interface OfAsset {
  readonly config: DetectorConfig;
  readonly controlId: string;
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
  readonly byType: Map<string, ScopeSettings>;
  readonly byAsset: Map<string, OfAsset>;
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
    for (const { offset, control } of await this.#queries.settingsFrom(partition, p.next)) {
      p.next = offset + 1;
      const { id, action, timeZoneRules } = fromBinary(ControlSchema, control);
      if (action.case === "deleteSensors") for (const id of action.value.sensorIds) p.bySensor.delete(id);
      if (action.case === "platform") {
        p.platform = { timeZone: action.value.timeZone, database: timeZoneRules?.database ?? "" };
      }
      if (action.case === "assetSettings" && action.value.config !== undefined) noteAsset(p, action.value.config, id);
      if (action.case !== "settings" && action.case !== "config") continue;
      note(p, action.value, action.case === "settings");
    }
  }
}

function noteAsset({ byAsset }: Partition, config: DetectorConfig, controlId: string): void {
  if (isEmpty(config)) byAsset.delete(config.asset);
  else byAsset.set(config.asset, { config, controlId });
}

/** Whether nothing is set. */
export function isEmpty(config: DetectorConfig): boolean {
  return SETTING_FIELDS.every((field) => !isSet(config, field));
}

function note({ byType, bySensor }: Partition, config: DetectorConfig, inherits: boolean): void {
  const { sensorId, sensorType } = config;
  const empty = isEmpty(config);
  if (sensorId !== "") {
    if (empty) bySensor.delete(sensorId);
    else bySensor.set(sensorId, toBinary(DetectorConfigSchema, config));
  } else if (empty && (inherits || sensorType === "")) byType.delete(sensorType);
  else byType.set(sensorType, { config, inherits });
}

/** The settings of a partition at one time. */
export class Settings {
  readonly #byType: ReadonlyMap<string, ScopeSettings>;
  readonly #byAsset: ReadonlyMap<string, OfAsset>;
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
  get assets(): number {
    return this.#byAsset.size;
  }

  ofAsset(asset: string): OfAsset | undefined {
    return this.#byAsset.get(asset);
  }

  /** Of a type; of all types for "". */
  ofType(sensorType: string): ScopeSettings {
    return this.#byType.get(sensorType) ?? { config: create(DetectorConfigSchema, { sensorType }), inherits: true };
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
