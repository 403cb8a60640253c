/** Control events of sensors by the ids that people see: the log has them by the first id of each. */
import type { Control } from "../../gen/es/telltale/v1/log_pb.ts";
import type { ControlEvent } from "./timeline.ts";

/** @param shown by key, the id that is shown; of sensors that were never renamed there is nothing */
export function withNames(
  controls: readonly ControlEvent[],
  shown: ReadonlyMap<string, string>,
): readonly ControlEvent[] {
  if (shown.size === 0) return controls;
  return controls.map((event) => ({ ...event, control: renamed(event.control, (id) => shown.get(id) ?? id) }));
}

/** The control with what `of` gives for each sensor that it names. */
export function renamed(control: Control, of: (sensorId: string) => string): Control {
  const { action } = control;
  const { value } = action;
  if (value === undefined) return control;
  const named = (value: object) => ({ ...control, action: { ...action, value } as Control["action"] });
  if (action.case === "placeSensors") {
    const placed = action.value.placed.map((each) => ({ ...each, sensorIds: each.sensorIds.map(of) }));
    return named({ ...value, placed });
  }
  if ("sensorIds" in value) return named({ ...value, sensorIds: value.sensorIds.map(of) });
  if (!("sensorId" in value) || value.sensorId === "") return control;
  return named({ ...value, sensorId: of(value.sensorId) });
}
