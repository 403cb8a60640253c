/**
 * What people do through the log: every kind of control is one row of one table. A kind of the contract that has no row does not
 * compile.
 */
import type { Control, LabelControl, TimeZoneRules } from "../../gen/es/telltale/v1/log_pb.ts";
import { idOf } from "../log/id-clock.ts";
import type { AlertRow, DeletionRow, LabelRow, PlacementRow, RetirementRow } from "../store/store.ts";
import type { AlertChanges, Alerts } from "./alerts.ts";
import { forgetSensors, namedSensors, retireSensors } from "./life-cycle.ts";
import { type Scope, scopeOf } from "./scope.ts";
import type { PartitionState } from "./state.ts";

/** Reads an alert of the store once everything before is in. */
export type StoredAlert = (id: number) => Promise<AlertRow | undefined>;

interface Handling<V> {
  /** Changes the state; true where it changed an episode that was open. */
  readonly apply: (value: V, scope: Scope, rules: TimeZoneRules | undefined) => boolean;
  readonly persist: {
    /** It stays in the record of settings, from which a restart, a rebuilding and a backtest apply it again. */
    readonly settings: boolean;
    /** False where a restart does not apply it again: what it did is in stored rows. */
    readonly restores?: false;
    /** Its own rows in the store. */
    readonly rows?: (value: V, by: Origin) => Partial<ControlRows>;
  };
  /** What the store and the watchers of alerts get of it. `applied`: what `apply` answered. */
  readonly event?: (value: V, to: AlertEvents & { readonly applied: boolean }) => Promise<void>;
}

interface AlertEvents {
  readonly alerts: Alerts;
  readonly principal: string;
  readonly changes: AlertChanges;
  readonly stored: StoredAlert;
}

/** Who did it and where in the log. */
interface Origin {
  readonly principal: string;
  readonly partition: number;
  readonly offset: number;
  readonly tick: number;
  readonly receivedUs: number;
}

/** Rows of the store that controls bring, beside the record of settings. */
export interface ControlRows {
  readonly labels: readonly LabelRow[];
  readonly deletions: readonly DeletionRow[];
  readonly retirements: readonly RetirementRow[];
  readonly placements: readonly PlacementRow[];
}

type Action = Control["action"];
type Kind = NonNullable<Action["case"]>;
type Value<K extends Kind> = Extract<Action, { readonly case: K }>["value"];

const SETTING = { settings: true };

/** A setting changes no episode. */
function setting<V>(apply: (value: V, scope: Scope, rules: TimeZoneRules | undefined) => void): Handling<V>["apply"] {
  return (value, scope, rules) => {
    apply(value, scope, rules);
    return false;
  };
}

const HANDLING: { readonly [K in Kind]: Handling<Value<K>> } = {
  config: {
    apply: setting((config, { settings, sensors }) => settings.configure(config, sensors, { inherits: false })),
    persist: SETTING,
  },
  settings: {
    apply: setting((config, { settings, sensors }, rules) =>
      settings.configure(config, sensors, { inherits: true, rules }),
    ),
    persist: SETTING,
  },
  assetSettings: {
    apply: setting(({ config }, { settings, sensors }, rules) => {
      if (config !== undefined) settings.configureAsset(config, sensors, rules);
    }),
    persist: SETTING,
  },
  placeSensors: {
    apply: setting((control, { settings, sensors }) => settings.placeSensors(control, sensors)),
    persist: {
      settings: true,
      rows: ({ placed }, { partition }) => ({
        placements: placed.flatMap(({ asset, sensorIds }) =>
          sensorIds.map((sensorId) => ({ partition, sensorId, asset })),
        ),
      }),
    },
  },
  platform: {
    apply: setting((_platform, { settings, sensors }, rules) => settings.configurePlatform(sensors, rules)),
    persist: SETTING,
  },
  maintenance: {
    apply: setting((window, { settings, sensors, change }) => settings.maintain(window, sensors, change)),
    persist: SETTING,
  },
  endMaintenance: {
    apply: setting(({ windowId }, s) => s.settings.endMaintenance(windowId, s.sensors, s.change)),
    persist: SETTING,
  },
  label: {
    apply: setting((label, { settings, sensors, change }) => settings.label(label, sensors, change)),
    persist: { settings: true, rows: (label, by) => ({ labels: [labelRow(label, by)] }) },
  },
  resolve: {
    apply: ({ sensorId, alertId }, { sensors, receivedUs, change }) => {
      const slot = sensors.find(sensorId);
      return slot !== undefined && change(slot) && sensors.episodes.resolve(slot, Number(alertId), receivedUs);
    },
    persist: { settings: true, restores: false },
    event: async ({ alertId }, { alerts, applied, principal, changes }) => {
      if (applied) alerts.resolved(Number(alertId), principal, changes);
    },
  },
  acknowledge: {
    apply: ({ sensorId, alertId }, { sensors, receivedUs, change }) => {
      const slot = sensors.find(sensorId);
      return slot !== undefined && change(slot) && sensors.episodes.acknowledge(slot, Number(alertId), receivedUs);
    },
    // That somebody has seen an alert changes no result.
    persist: { settings: false },
    event: ({ alertId }, { alerts, applied, principal, changes, stored }) =>
      alerts.acknowledged(Number(alertId), { applied, principal, stored }, changes),
  },
  retire: {
    apply: setting(retireSensors),
    persist: {
      settings: true,
      rows: (control, { partition, principal: by, receivedUs: atUs }) => ({
        retirements: [...namedSensors(control)].map((sensorId) => ({
          ...{ partition, sensorId, retired: control.retired, atUs, by },
        })),
      }),
    },
    event: async (control, { alerts, principal, changes }) => {
      if (control.retired) alerts.closed(namedSensors(control), principal, changes);
    },
  },
  deleteSensors: {
    apply: setting(forgetSensors),
    persist: {
      settings: true,
      rows: (control, { partition, offset, tick, principal: by, receivedUs: atUs }) => {
        const firstId = idOf(tick, partition);
        const sensorIds = [...namedSensors(control)];
        return { deletions: sensorIds.map((sensorId) => ({ partition, offset, sensorId, firstId, atUs, by })) };
      },
    },
    event: async (control, { alerts, principal, changes }) => alerts.closed(namedSensors(control), principal, changes),
  },
};

/** Undefined for a kind that this version does not know, or that was removed: it changes nothing. */
function handlingOf({ case: kind }: Action): Handling<unknown> | undefined {
  return kind === undefined ? undefined : (HANDLING[kind] as Handling<unknown>);
}

function labelRow(
  { alertId, correct, comment, withdrawn }: LabelControl,
  { principal: labelledBy, receivedUs: labelledUs }: Origin,
): LabelRow {
  return { alertId: Number(alertId), correct: withdrawn ? null : correct, labelledUs, labelledBy, comment };
}

/** Changes the state by a control of the record at `offset`; true where it changed an episode that was open. */
export function applyControl({ action, timeZoneRules }: Control, state: PartitionState, offset: number): boolean {
  const at = state.at(offset);
  const change = (slot: number) => {
    if (state.has(slot, offset)) return false;
    state.sensors.touch(slot, at);
    return true;
  };
  const scope = { ...scopeOf(state), ...at, live: !state.rebuilding, change };
  return handlingOf(action)?.apply(action.value, scope, timeZoneRules) ?? false;
}

/** Applies a setting of the store again. What was done to alerts is in their stored rows. */
export function restoreSetting({ action, timeZoneRules }: Control, scope: Scope): void {
  const handling = handlingOf(action);
  if (handling !== undefined && staysInSettings({ action }) && handling.persist.restores !== false)
    handling.apply(action.value, scope, timeZoneRules);
}

/** Whether the record is to be taken by itself, when everything before it is stored or found: then no cut of the log changes a count. */
export function goesAlone({ action }: Pick<Control, "action">): boolean {
  return action.case === "deleteSensors";
}

/** Whether the control stays in the record of settings; one that this version does not know does, for one that knows it. */
export function staysInSettings({ action }: Pick<Control, "action">): boolean {
  return handlingOf(action)?.persist.settings ?? true;
}

/** The rows that controls of one record have in the store. */
export function controlRows(controls: readonly Control[], at: Omit<Origin, "principal">): ControlRows {
  const all = controls.map(
    ({ action, principal }) => handlingOf(action)?.persist.rows?.(action.value, { ...at, principal }) ?? {},
  );
  return {
    labels: all.flatMap(({ labels = [] }) => labels),
    deletions: all.flatMap(({ deletions = [] }) => deletions),
    retirements: all.flatMap(({ retirements = [] }) => retirements),
    placements: all.flatMap(({ placements = [] }) => placements),
  };
}

/** Applies a control, and adds to `changes` what the store and the watchers get of it. */
export async function handleControl(
  control: Control,
  at: { readonly state: PartitionState; readonly offset: number },
  to: { readonly alerts: Alerts; readonly changes: AlertChanges; readonly stored: StoredAlert },
): Promise<void> {
  const applied = applyControl(control, at.state, at.offset);
  const { action, principal } = control;
  await handlingOf(action)?.event?.(action.value, { ...to, principal, applied });
}
