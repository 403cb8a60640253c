/** Timelines with other settings than those of the log. */
import { create } from "@bufbuild/protobuf";
import { type DetectorConfig, DetectorConfigSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { settingsAction, withZoneRules } from "../lib/zone-rules.ts";
import { type ControlEvent, configOf, type Timeline } from "./timeline.ts";

/** The assets of sensors as people have them now, by the sensors' ids. */
export type Places = ReadonlyMap<string, string>;
const NO_PLACES: Places = new Map();

/**
 * The timeline with other settings from the beginning, in place of those of the same sensor, asset or sensor type; settings for all types
 * take the place of all. Those of an asset count for the sensors that are in it now, all the time. Its reorder buffer is ignored: the order in
 * which readings were judged is part of the history.
 */
export function withConfig(timeline: Timeline, config: DetectorConfig, places: Places = NO_PLACES): Timeline {
  const all = config.sensorType === "" && config.sensorId === "" && config.asset === "";
  const controls = timeline.controls.filter(({ control }) => {
    if (config.asset !== "" && control.action.case === "placeSensors") return false;
    const set = configOf(control);
    return set === undefined || !(all || isSameScope(set, config));
  });
  const first = [...placing(config, places), settingsControl(config)].map((control) => ({
    tick: 0,
    receivedUs: 0,
    control,
  }));
  return { controls: [...first, ...controls], ticks: timeline.ticks, logged: loggedOf(timeline) };
}

/**
 * The timeline with the settings of one scope in force from the id clock on, and no other of the same scope after that. `change`
 * undefined: those in force at the end, whatever they were meanwhile. Of an asset, its sensors are in it from then on, either way.
 */
export function withChange(
  timeline: Timeline,
  scope: DetectorConfig,
  since: { readonly tick: number; readonly receivedUs: number },
  { change, places = NO_PLACES }: { readonly change: DetectorConfig | undefined; readonly places?: Places | undefined },
): Timeline {
  const isOfScope = ({ control }: ControlEvent) => {
    const set = configOf(control);
    return set !== undefined && isSameScope(set, scope);
  };
  const { sensorId, asset, sensorType } = scope;
  const nothing = create(DetectorConfigSchema, { sensorId, asset, sensorType });
  const now = timeline.controls.findLast(isOfScope)?.control;
  const own = change === undefined ? (now ?? settingsControl(nothing)) : settingsControl(change);
  const settings = [...placing(scope, places), own];
  const isReplaced = (event: ControlEvent) =>
    isOfScope(event) || (asset !== "" && event.control.action.case === "placeSensors");
  const kept = timeline.controls.filter((event) => event.tick <= since.tick || !isReplaced(event));
  const at = kept.findIndex((event) => event.tick > since.tick);
  const place = at < 0 ? kept.length : at;
  return {
    controls: [...kept.slice(0, place), ...settings.map((control) => ({ ...since, control })), ...kept.slice(place)],
    ticks: timeline.ticks,
    logged: loggedOf(timeline),
  };
}

const loggedOf = ({ controls, logged = controls }: Timeline) => logged;

function isSameScope(a: DetectorConfig, b: DetectorConfig): boolean {
  return a.sensorId === b.sensorId && a.sensorType === b.sensorType && a.asset === b.asset;
}

/** Of an asset, who is in it: the log knows that only where settings of assets count. */
function placing({ asset: of }: DetectorConfig, places: Places): Control[] {
  if (of === "") return [];
  const placed = [...Map.groupBy(places, ([, asset]) => asset)].map(([asset, sensors]) => ({
    asset,
    sensorIds: sensors.map(([sensorId]) => sensorId),
  }));
  return [create(ControlSchema, { id: "tried", action: { case: "placeSensors", value: { placed } } })];
}

function settingsControl(config: DetectorConfig): Control {
  return create(ControlSchema, { id: "tried", ...withZoneRules(settingsAction(config)) });
}
