import type { Control, LabelControl } from "../../gen/es/telltale/v1/log_pb.ts";
import { REASONS } from "../detect/index.ts";
import { toMicros } from "../ingest/accept.ts";
import { MAX_HOLD_MS } from "./hold.ts";
import type { Sensors } from "./sensors.ts";

/** What was said of an alert, and the detector that had opened it (index into REASONS, 0 = unknown). */
interface Labelled {
  readonly correct: boolean;
  readonly reason: number;
}

interface Window {
  readonly sensorId: string;
  readonly location: string;
  readonly fromUs: number;
  readonly untilUs: number;
}

/** What people have set for a partition's sensors: the detector's settings by type, and maintenance windows. */
export class PartitionSettings {
  /** Reorder hold by sensor type, microseconds; "" for all types without their own. */
  readonly #holds = new Map<string, number>();
  readonly #windows = new Map<string, Window>();
  /** Whether a person called an alert right, by its id. */
  readonly #labels = new Map<number, Labelled>();
  /** Location of each slot when it was met, for windows of a place. */
  readonly #locations = new Map<number, string>();

  /**
   * Applies a control; false where it sets nothing. `change` is asked before a slot's state is changed: false where the change
   * is in the state already.
   */
  apply(control: Control, sensors: Sensors, change: (slot: number) => boolean): boolean {
    const { action } = control;
    if (action.case === "config") {
      const { sensorType, $typeName: _, $unknown: __, reorderHoldMs, ...settings } = action.value;
      sensors.detector.configure(sensorType, settings);
      if (reorderHoldMs === undefined) this.#holds.delete(sensorType);
      else this.#holds.set(sensorType, Math.min(reorderHoldMs, MAX_HOLD_MS) * 1000);
      return true;
    }
    if (action.case === "maintenance") {
      const w = action.value;
      if (w.startTime === undefined || w.endTime === undefined) return true;
      const window = {
        sensorId: w.sensorId,
        location: w.location,
        fromUs: toMicros(w.startTime),
        untilUs: toMicros(w.endTime),
      };
      this.#windows.set(w.id, window);
      for (const slot of this.#slots(window, sensors)) {
        if (change(slot)) sensors.detector.maintain(slot, window.fromUs, window.untilUs);
      }
      return true;
    }
    if (action.case === "endMaintenance") {
      const window = this.#windows.get(action.value.windowId);
      if (window === undefined) return true;
      this.#windows.delete(action.value.windowId);
      for (const slot of this.#slots(window, sensors)) if (change(slot)) sensors.detector.maintain(slot, 0, 0);
      return true;
    }
    if (action.case === "label") {
      this.#label(action.value, sensors, change);
      return true;
    }
    return false;
  }

  /** The newest label of an alert counts; one before is taken back. */
  #label(l: LabelControl, sensors: Sensors, change: (slot: number) => boolean): void {
    const id = Number(l.alertId);
    const before = this.#labels.get(id);
    if (l.withdrawn) this.#labels.delete(id);
    else this.#labels.set(id, { correct: l.correct, reason: Math.max(0, REASONS.indexOf(l.detector)) });
    const slot = sensors.find(l.sensorId);
    if (slot === undefined || !change(slot)) return;
    const after = this.#labels.get(id);
    if (before !== undefined) sensors.detector.label(slot, before.correct, -1, before.reason);
    if (after !== undefined) sensors.detector.label(slot, after.correct, 1, after.reason);
  }

  /** How long readings of the type are held to be put in order, microseconds. */
  holdUs(sensorType: string): number {
    if (this.#holds.size === 0) return 0;
    return this.#holds.get(sensorType) ?? this.#holds.get("") ?? 0;
  }

  /** A sensor is met for the first time, or again after a restart: windows that are open for its place hold for it too. */
  met(slot: number, sensorId: string, location: string | undefined, sensors: Sensors): void {
    this.place(slot, location);
    for (const w of this.#windows.values()) {
      if (covers(w, sensorId, location ?? "")) sensors.detector.maintain(slot, w.fromUs, w.untilUs);
    }
  }

  /** Where a slot's sensor is. */
  place(slot: number, location: string | undefined): void {
    if (location !== undefined) this.#locations.set(slot, location);
  }

  *#slots(w: Window, sensors: Sensors): Generator<number> {
    for (let slot = 0; slot < sensors.ids.length; slot++) {
      if (covers(w, sensors.ids[slot]!, this.#locations.get(slot) ?? "")) yield slot;
    }
  }
}

function covers(w: Window, sensorId: string, location: string): boolean {
  return (w.sensorId === "" || w.sensorId === sensorId) && (w.location === "" || w.location === location);
}
