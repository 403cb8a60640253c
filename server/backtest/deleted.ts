/** Timelines without what was said of sensors that were deleted since: the readings that are stored came after. */
import { create } from "@bufbuild/protobuf";
import { ControlSchema, type PlaceSensorsControl, type RetireSensorsControl } from "../../gen/es/telltale/v1/log_pb.ts";
import { tickOfId } from "../log/id-clock.ts";
import { placedBut, sensorOf } from "../store/control-sensor.ts";
import type { ControlEvent } from "./timeline.ts";

/** Where a sensor was deleted last: the place in the list, and the id clock. */
interface Deleted {
  readonly place: number;
  readonly tick: number;
}

/** @param controls in the order of the log */
export function withoutDeleted(controls: readonly ControlEvent[]): readonly ControlEvent[] {
  const deleted = new Map<string, Deleted>();
  for (const [place, { control, tick }] of controls.entries()) {
    const { action } = control;
    if (action.case !== "deleteSensors") continue;
    for (const sensorId of action.value.sensorIds) deleted.set(sensorId, { place, tick });
  }
  if (deleted.size === 0) return controls;
  return controls.flatMap((event, place) => left(event, place, deleted) ?? []);
}

/** What of an event still counts; undefined where nothing does. */
function left(event: ControlEvent, place: number, deleted: ReadonlyMap<string, Deleted>): ControlEvent | undefined {
  const { action } = event.control;
  if (action.case === "deleteSensors") return undefined;
  const isOver = (sensorId: string) => place < (deleted.get(sensorId)?.place ?? -1);
  if (action.case === "retire") return withRetired(event, action.value, isOver);
  if (action.case === "placeSensors") return withPlaced(event, action.value, isOver);
  const sensorId = sensorOf(event.control);
  if (sensorId === undefined) return event;
  if (isOver(sensorId)) return undefined;
  // Of an alert of before, by somebody who had it before his eyes.
  const before = action.case === "label" && tickOfId(Number(action.value.alertId)) < (deleted.get(sensorId)?.tick ?? 0);
  return before ? undefined : event;
}

function withRetired(
  event: ControlEvent,
  { sensorIds, retired }: RetireSensorsControl,
  isOver: (sensorId: string) => boolean,
): ControlEvent | undefined {
  const ids = sensorIds.filter((id) => !isOver(id));
  if (ids.length === sensorIds.length) return event;
  if (ids.length === 0) return undefined;
  const { id, principal } = event.control;
  const action = { case: "retire", value: { sensorIds: ids, retired } } as const;
  return { ...event, control: create(ControlSchema, { id, principal, action }) };
}

function withPlaced(
  event: ControlEvent,
  control: PlaceSensorsControl,
  isOver: (sensorId: string) => boolean,
): ControlEvent | undefined {
  const placed = placedBut(control, isOver);
  if (placed.length === 0) return undefined;
  return { ...event, control: { ...event.control, action: { case: "placeSensors", value: { ...control, placed } } } };
}
