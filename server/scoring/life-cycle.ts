/** Sensors that people retire or delete: at one place in the log, so that everybody who reads it comes to the same state. */
import type { Control, DeleteSensorsControl, RetireSensorsControl } from "../../gen/es/telltale/v1/log_pb.ts";
import type { Scope } from "./scope.ts";
import type { Deletion, Sensors } from "./sensors.ts";
import type { ReadRecord } from "./set-aside.ts";
import type { PartitionState } from "./state.ts";

/** The sensors that a control names, each once. In settings the empty id stands for all sensors: here, in a damaged record, for none. */
export function namedSensors({ sensorIds }: { readonly sensorIds: readonly string[] }): ReadonlySet<string> {
  const named = new Set(sensorIds);
  named.delete("");
  return named;
}

/** Retired: what is open of them is resolved, and their silence is no alert until they are restored. */
export function retireSensors(
  control: Pick<RetireSensorsControl, "sensorIds" | "retired">,
  { settings, sensors, receivedUs, change }: Scope,
): void {
  const { retired } = control;
  for (const sensorId of namedSensors(control)) {
    settings.retire(sensorId, retired);
    const slot = sensors.find(sensorId);
    if (retired && slot !== undefined && change(slot)) sensors.episodes.resolveAll(slot, receivedUs);
  }
}

/** What of sensors that are deleted here waits in the reorder buffer came before: it is accepted and gone, and is not to leave the buffer. */
export function dropWaiting({ left }: ReadRecord, { sensors, buffer }: PartitionState): void {
  const ids = left.flatMap(({ control: { action } }) =>
    action.case === "deleteSensors" ? action.value.sensorIds : [],
  );
  if (ids.length === 0) return;
  const slots = new Set(ids.map((id) => sensors.find(id)).filter((slot) => slot !== undefined));
  for (const { outcome } of buffer.drop(slots)) {
    outcome.tally.buffered--;
    outcome.tally.accepted++;
  }
}

/** Deleted: as if they had never been. */
export function forgetSensors(control: Pick<DeleteSensorsControl, "sensorIds">, scope: Scope): void {
  const { settings, sensors, series, offset, tick, live, change } = scope;
  const sensorIds = namedSensors(control);
  settings.forget(sensorIds);
  for (const sensorId of sensorIds) {
    const slot = sensors.find(sensorId);
    if ((sensors.deletionOf(sensorId)?.offset ?? -1) >= offset) {
      // Restored already: what is there by that id came after, and took the settings of before for its own.
      if (slot !== undefined) sensors.detector.configureSensor(slot, {});
      continue;
    }
    if (slot !== undefined) {
      change(slot);
      settings.left(slot);
      series.forget(slot, live);
    }
    sensors.remove(sensorId, { offset, tick });
  }
}

/** A deletion of before the first record that is read again: its sensors are not those that have their ids by then. */
export function restoreDeletions({ action }: Control, deletion: Deletion, sensors: Sensors): void {
  if (action.case !== "deleteSensors") return;
  for (const sensorId of namedSensors(action.value)) sensors.remove(sensorId, deletion);
}
