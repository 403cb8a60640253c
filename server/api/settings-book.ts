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
      ...{ next: 0, byType: new Map(), bySensor: new Map(), reading: Promise.resolve() },
    }));
  }

  /** What the partition's log says up to now. */
  async of(partition: number): Promise<Settings> {
    const p = this.#partitions[partition]!;
    // One reads at a time, and goes on where one before failed: its own caller has heard of that; whoever asked later hears of what was committed meanwhile.
    const reading = p.reading.catch(ignoreRejection).then(() => this.#readOn(partition, p));
    p.reading = reading;
    await reading;
    return new Settings(p.byType, p.bySensor, p.platform);
  }

  async #readOn(partition: number, p: Partition): Promise<void> {
    for (const { offset, control } of await this.#queries.settingsFrom(partition, p.next)) {
      p.next = offset + 1;
      const { action, timeZoneRules } = fromBinary(ControlSchema, control);
      if (action.case === "deleteSensors") for (const id of action.value.sensorIds) p.bySensor.delete(id);
      if (action.case === "platform") {
        p.platform = { timeZone: action.value.timeZone, database: timeZoneRules?.database ?? "" };
      }
      if (action.case !== "settings" && action.case !== "config") continue;
      note(p, action.value, action.case === "settings");
    }
  }
}

function note({ byType, bySensor }: Partition, config: DetectorConfig, inherits: boolean): void {
  const { sensorId, sensorType } = config;
  const empty = SETTING_FIELDS.every((field) => !isSet(config, field));
  if (sensorId !== "") {
    if (empty) bySensor.delete(sensorId);
    else bySensor.set(sensorId, toBinary(DetectorConfigSchema, config));
  } else if (empty && (inherits || sensorType === "")) byType.delete(sensorType);
  else byType.set(sensorType, { config, inherits });
}

/** The settings of a partition at one time. */
export class Settings {
  readonly #byType: ReadonlyMap<string, ScopeSettings>;
  readonly #bySensor: ReadonlyMap<string, Uint8Array>;

  /** Undefined: it was never set. */
  readonly platform: PlatformZone | undefined;

  constructor(
    byType: ReadonlyMap<string, ScopeSettings>,
    bySensor: ReadonlyMap<string, Uint8Array>,
    platform?: PlatformZone,
  ) {
    this.platform = platform;
    this.#byType = byType;
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

  /** Of a type; of all types for "". */
  ofType(sensorType: string): ScopeSettings {
    return this.#byType.get(sensorType) ?? { config: create(DetectorConfigSchema, { sensorType }), inherits: true };
  }
}

/** Fields of the contract's settings but those that name the scope, in their order. */
export const SETTING_FIELDS: readonly (typeof DetectorConfigSchema.fields)[number][] = DetectorConfigSchema.fields
  .filter(({ name }) => name !== "sensor_type" && name !== "sensor_id")
  .sort((a, b) => a.number - b.number);

/** Whether the field is set: an enum's zero is not. */
export function isSet(config: DetectorConfig, field: (typeof SETTING_FIELDS)[number]): boolean {
  const value = config[field.localName as keyof DetectorConfig];
  return field.enum === undefined ? value !== undefined : value !== 0;
}
