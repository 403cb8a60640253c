import { assetsAround } from "../../formats/assets.ts";
import {
  type DetectorConfig,
  Direction,
  type MaintenanceWindow,
  SignalKind,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import type { LabelControl, PlaceSensorsControl, TimeZoneRules } from "../../gen/es/telltale/v1/log_pb.ts";
import { type DetectorSettings, layerSettings, REASON_LIMIT_AHEAD, REASONS, SIGNAL_KINDS } from "../detect/index.ts";
import { enumValue } from "../lib/enum-name.ts";
import { toMicros } from "../lib/time.ts";
import { tickOfId } from "../log/id-clock.ts";
import { AssetSettings } from "./asset-settings.ts";
import { Calendars } from "./calendars.ts";
import { MAX_REORDER_MS } from "./reorder-buffer.ts";
import type { Sensors } from "./sensors.ts";

/** The label of an alert, and the detector that had opened it (index into REASONS, 0 = unknown). */
interface Labelled {
  readonly sensorId: string;
  readonly correct: boolean;
  readonly reason: number;
}

interface Window {
  readonly sensorId: string;
  readonly location: string;
  readonly fromUs: number;
  readonly untilUs: number;
}

const NO_WINDOW = { fromUs: 0, untilUs: 0 };

/** Asked before a slot's state is changed: false where the change is in the state already. */
export type Change = (slot: number) => boolean;

/** What people have set for a partition's sensors: the detector's settings, maintenance windows and labels. */
export class PartitionSettings {
  readonly #buffers = new ReorderBuffers();
  readonly #calendars = new Calendars();
  /** The detector's settings of the sensors that have their own, be they met or not. */
  readonly #own = new Map<string, DetectorSettings>();
  readonly #assets = new AssetSettings();
  readonly #windows = new Map<string, Window>();
  /** Whether a person called an alert right, by its id. */
  readonly #labels = new Map<number, Labelled>();
  readonly #retired = new Set<string>();
  /** Location of each slot when it was met, for windows of a place. */
  readonly #locations = new Map<number, string>();

  /**
   * The detector's settings of a sensor, a sensor type, or all types. `inherits`: what is absent of a type's is that of all types; else
   * it is the platform's, as it was before. `rules`: those of its time zone.
   */
  configure(
    config: DetectorConfig,
    sensors: Sensors,
    { inherits, rules }: { readonly inherits: boolean; readonly rules?: TimeZoneRules | undefined },
  ): void {
    this.#buffers.set(config);
    const { sensorId, sensorType } = config;
    const settings = this.#settingsOf(config, rules);
    if (sensorId === "") {
      sensors.detector.configure(sensorType, settings, inherits);
      return;
    }
    if (Object.keys(settings).length > 0) this.#own.set(sensorId, settings);
    else this.#own.delete(sensorId);
    this.#renew(sensorId, sensors);
  }

  /** Settings of an asset: they count for the sensors in it and below, before those of their types. */
  configureAsset(config: DetectorConfig, sensors: Sensors, rules: TimeZoneRules | undefined): void {
    this.#buffers.set(config);
    this.#assets.set(config, this.#settingsOf(config, rules));
    for (const sensorId of this.#assets.sensorsIn(config.asset)) this.#renew(sensorId, sensors);
  }

  /** Sensors are in other assets than before. */
  placeSensors({ placed }: Pick<PlaceSensorsControl, "placed">, sensors: Sensors): void {
    for (const { asset, sensorIds } of placed) {
      for (const sensorId of sensorIds) {
        this.#assets.place(sensorId, asset);
        this.#renew(sensorId, sensors);
      }
    }
  }

  #settingsOf(config: DetectorConfig, rules: TimeZoneRules | undefined): DetectorSettings {
    const { timeZone, holidays } = config;
    return settingsOf(config, {
      zone: timeZone === undefined ? undefined : this.#calendars.zone(rules),
      holidays: this.#calendars.holidays(holidays),
    });
  }

  /** What is set for the sensor, or for assets that it is in, has changed. */
  #renew(sensorId: string, sensors: Sensors): void {
    const slot = sensors.find(sensorId);
    if (slot !== undefined) sensors.detector.configureSensor(slot, this.#narrowest(sensorId));
  }

  /** What counts before the settings of the sensor's type. */
  #narrowest(sensorId: string): DetectorSettings {
    const own = this.#own.get(sensorId);
    const ofAssets = this.#assets.of(sensorId);
    return own === undefined ? ofAssets : layerSettings([own, ofAssets]);
  }

  /** Settings of the platform: its time zone, by these rules. */
  configurePlatform(sensors: Sensors, rules: TimeZoneRules | undefined): void {
    sensors.detector.configurePlatform({ zone: this.#calendars.zone(rules) });
  }

  /** Opens a maintenance window. */
  maintain(w: MaintenanceWindow, sensors: Sensors, change: Change): void {
    if (w.startTime === undefined || w.endTime === undefined) return;
    const { sensorId, location } = w;
    const window = { sensorId, location, fromUs: toMicros(w.startTime), untilUs: toMicros(w.endTime) };
    this.#windows.set(w.id, window);
    for (const slot of this.#slots(window, sensors)) {
      if (change(slot)) sensors.detector.maintain(slot, window.fromUs, window.untilUs);
    }
  }

  endMaintenance(windowId: string, sensors: Sensors, change: Change): void {
    const window = this.#windows.get(windowId);
    if (window === undefined) return;
    this.#windows.delete(windowId);
    for (const slot of this.#slots(window, sensors)) {
      if (!change(slot)) continue;
      const { fromUs, untilUs } = this.#newestWindow(sensors.ids[slot]!, this.#locations.get(slot)) ?? NO_WINDOW;
      sensors.detector.maintain(slot, fromUs, untilUs);
    }
  }

  /** Of those of the sensor: it has one at a time. */
  #newestWindow(sensorId: string, location: string | undefined): Window | undefined {
    let newest: Window | undefined;
    for (const w of this.#windows.values()) if (covers(w, sensorId, location ?? "")) newest = w;
    return newest;
  }

  /** The newest label of an alert counts; one before is taken back. */
  label(l: LabelControl, sensors: Sensors, change: Change): void {
    const id = Number(l.alertId);
    const { sensorId } = l;
    // Of an alert that a deletion has removed meanwhile.
    if (tickOfId(id) < (sensors.deletionOf(sensorId)?.tick ?? 0)) return;
    const before = this.#labels.get(id);
    if (l.withdrawn) this.#labels.delete(id);
    else this.#labels.set(id, { sensorId, correct: l.correct, reason: Math.max(0, REASONS.indexOf(l.detector)) });
    const slot = sensors.find(sensorId);
    // An early alert follows from where readings lead, and not from the threshold that labels move.
    if (slot === undefined || l.detector === REASONS[REASON_LIMIT_AHEAD] || !change(slot)) return;
    const after = this.#labels.get(id);
    if (before !== undefined) sensors.detector.label(slot, before.correct, -1, before.reason);
    if (after !== undefined) sensors.detector.label(slot, after.correct, 1, after.reason);
  }

  /** Retired sensors raise no silence alert. */
  retire(sensorId: string, retired: boolean): void {
    if (retired) this.#retired.add(sensorId);
    else this.#retired.delete(sensorId);
  }

  isRetired(sensorId: string): boolean {
    return this.#retired.size > 0 && this.#retired.has(sensorId);
  }

  /** Nothing of what was set for the sensors holds any more. */
  forget(sensorIds: ReadonlySet<string>): void {
    for (const sensorId of sensorIds) {
      this.#own.delete(sensorId);
      this.#assets.forget(sensorId);
      this.#buffers.forget(sensorId);
      this.#retired.delete(sensorId);
    }
    for (const [id, w] of this.#windows) if (sensorIds.has(w.sensorId)) this.#windows.delete(id);
    for (const [id, l] of this.#labels) if (sensorIds.has(l.sensorId)) this.#labels.delete(id);
  }

  /** The slot is nobody's any more. */
  left(slot: number): void {
    this.#locations.delete(slot);
  }

  /** How long readings of the sensor, of that type, are buffered to be put in order, microseconds. */
  bufferUs(sensorType: string, sensorId: string): number {
    return this.#buffers.of(sensorType, sensorId, this.#assets.assetOf(sensorId));
  }

  /** A sensor is met for the first time: what is set for it and its assets, and open windows of its location, apply to it. */
  met(slot: number, sensorId: string, location: string | undefined, sensors: Sensors): void {
    this.place(slot, location);
    sensors.detector.configureSensor(slot, this.#narrowest(sensorId));
    const window = this.#newestWindow(sensorId, location);
    if (window !== undefined) sensors.detector.maintain(slot, window.fromUs, window.untilUs);
  }

  /** Where a slot's sensor is. */
  place(slot: number, location: string | undefined): void {
    if (location !== undefined) this.#locations.set(slot, location);
  }

  *#slots(w: Window, sensors: Sensors): Generator<number> {
    for (let slot = 0; slot < sensors.ids.length; slot++) {
      if (sensors.ids[slot] !== "" && covers(w, sensors.ids[slot]!, this.#locations.get(slot) ?? "")) yield slot;
    }
  }
}

/** Reorder buffers as set for sensors, assets, types and, by "", all types, microseconds. The narrowest that is set counts. */
class ReorderBuffers {
  readonly #byType = new Map<string, number>();
  readonly #byAsset = new Map<string, number>();
  readonly #bySensor = new Map<string, number>();

  set({ sensorId, asset, sensorType, reorderHoldMs }: DetectorConfig): void {
    const [us, key] =
      sensorId !== "" ? [this.#bySensor, sensorId] : asset !== "" ? [this.#byAsset, asset] : [this.#byType, sensorType];
    if (reorderHoldMs === undefined) us.delete(key);
    else us.set(key, Math.min(reorderHoldMs, MAX_REORDER_MS) * 1000);
  }

  forget(sensorId: string): void {
    this.#bySensor.delete(sensorId);
  }

  of(sensorType: string, sensorId: string, asset: string): number {
    if (this.#byType.size + this.#byAsset.size + this.#bySensor.size === 0) return 0;
    const narrow = this.#bySensor.get(sensorId) ?? this.#ofAssets(asset);
    return narrow ?? this.#byType.get(sensorType) ?? this.#byType.get("") ?? 0;
  }

  #ofAssets(asset: string): number | undefined {
    if (this.#byAsset.size === 0) return undefined;
    const nearest = assetsAround(asset).find((each) => this.#byAsset.has(each));
    return nearest === undefined ? undefined : this.#byAsset.get(nearest);
  }
}

/** One that this version does not know is as not set. */
const DIRECTIONS: Readonly<Record<number, DetectorSettings["direction"]>> = {
  [Direction.BOTH]: "both",
  [Direction.HIGH]: "high",
  [Direction.LOW]: "low",
};

/** What of the contract's settings is the detector's: the fields that are set. */
function settingsOf(config: DetectorConfig, calendar: Pick<DetectorSettings, "zone" | "holidays">): DetectorSettings {
  const { $typeName, $unknown, sensorId, asset, sensorType, reorderHoldMs, direction, ...rest } = config;
  const { timeZone, holidays, signalKind, ...fields } = rest;
  const kind = SIGNAL_KINDS.find((name) => enumValue(SignalKind, name) === signalKind);
  const all = { ...fields, direction: DIRECTIONS[direction], signalKind: kind, ...calendar };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function covers(w: Window, sensorId: string, location: string): boolean {
  return (w.sensorId === "" || w.sensorId === sensorId) && (w.location === "" || w.location === location);
}
