/** Timelines with other settings than those of the log. */
import { create } from "@bufbuild/protobuf";
import { type DetectorConfig, DetectorConfigSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { withZoneRules } from "../lib/zone-rules.ts";
import { type ControlEvent, configOf, type Timeline } from "./timeline.ts";

/**
 * The timeline with other settings from the beginning, in place of those of the same sensor or sensor type; settings for all types take
 * the place of all. Its reorder buffer is ignored: the order in which readings were judged is part of the history.
 */
export function withConfig(timeline: Timeline, config: DetectorConfig): Timeline {
  const all = config.sensorType === "" && config.sensorId === "";
  const controls = timeline.controls.filter(({ control }) => {
    const set = configOf(control);
    return set === undefined || !(all || isSameScope(set, config));
  });
  const first = { tick: 0, receivedUs: 0, control: settingsControl(config) };
  return { controls: [first, ...controls], ticks: timeline.ticks, logged: loggedOf(timeline) };
}

/**
 * The timeline with the settings of one scope in force from the id clock on, and no other of the same scope after that. `change`
 * undefined: those in force at the end, whatever they were meanwhile.
 */
export function withChange(
  timeline: Timeline,
  scope: DetectorConfig,
  since: { readonly tick: number; readonly receivedUs: number },
  change: DetectorConfig | undefined,
): Timeline {
  const isOfScope = ({ control }: ControlEvent) => {
    const set = configOf(control);
    return set !== undefined && isSameScope(set, scope);
  };
  const { sensorId, sensorType } = scope;
  const nothing = create(DetectorConfigSchema, { sensorId, sensorType });
  const now = timeline.controls.findLast(isOfScope)?.control;
  const control = change === undefined ? (now ?? settingsControl(nothing)) : settingsControl(change);
  const kept = timeline.controls.filter((event) => event.tick <= since.tick || !isOfScope(event));
  const at = kept.findIndex((event) => event.tick > since.tick);
  const place = at < 0 ? kept.length : at;
  return {
    controls: [...kept.slice(0, place), { ...since, control }, ...kept.slice(place)],
    ticks: timeline.ticks,
    logged: loggedOf(timeline),
  };
}

const loggedOf = ({ controls, logged = controls }: Timeline) => logged;

function isSameScope(a: DetectorConfig, b: DetectorConfig): boolean {
  return a.sensorId === b.sensorId && a.sensorType === b.sensorType;
}

function settingsControl(value: DetectorConfig): Control {
  return create(ControlSchema, { id: "tried", ...withZoneRules({ case: "settings", value }) });
}
