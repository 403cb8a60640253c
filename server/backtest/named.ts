/** Control events of sensors by the ids that people see: the log has them by the first id of each. */
import { create } from "@bufbuild/protobuf";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
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
  const { id, principal, action } = control;
  const { value } = action;
  if (value === undefined) return control;
  if ("sensorIds" in value) {
    const sensorIds = value.sensorIds.map(of);
    return create(ControlSchema, { id, principal, action: { ...action, value: { ...value, sensorIds } } as never });
  }
  if (!("sensorId" in value) || value.sensorId === "") return control;
  const sensorId = of(value.sensorId);
  return create(ControlSchema, { id, principal, action: { ...action, value: { ...value, sensorId } } as never });
}
