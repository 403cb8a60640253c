/**
 * Alarm floods as ISA-18.2 defines them: one begins when more than so many alerts of one operator open within ten minutes, and ends when
 * fewer than half as many do. The operator is the owner of the sensors.
 */
import type { Input } from "./input.ts";
import { MAX_FLOOD_OPENINGS } from "./limits.ts";
import type { Opening, Owner } from "./model.ts";
import type { IncidentSettings } from "./settings.ts";
import type { State } from "./state.ts";

export interface Flooding {
  readonly owner: Owner;
  /** Openings within the window. */
  readonly alerts: number;
  /** Alerts that are part of it. */
  readonly with: readonly number[];
}

/** Counts an opening; undefined where it is in no flood. */
export function floodOf(state: State, input: Input, settings: IncidentSettings): Flooding | undefined {
  const { floodAlerts, floodWindowUs } = settings;
  const owner = ownerOf(state, input.facts.owner);
  // It comes too late for a flood that may have been.
  if (input.openedUs <= owner.newestUs - floodWindowUs) return undefined;
  owner.newestUs = Math.max(owner.newestUs, input.openedUs);
  addOpening(owner, { us: input.openedUs, alertId: input.alertId }, floodWindowUs);
  state.changes.owners.set(owner.owner, owner);
  const alerts = owner.openings.length;
  const before = owner.floodAlert;
  const goesOn = before === undefined ? alerts > floodAlerts : alerts >= floodAlerts / 2;
  owner.floodAlert = goesOn ? input.alertId : undefined;
  if (!goesOn) return undefined;
  return { owner, alerts, with: before === undefined ? owner.openings.map(({ alertId }) => alertId) : [before] };
}

function ownerOf(state: State, name: string): Owner {
  let owner = state.owners.get(name);
  if (owner === undefined) {
    owner = { owner: name, sinceSeq: state.seq, newestUs: -1, openings: [], floodAlert: undefined };
    state.owners.set(name, owner);
  }
  return owner;
}

function addOpening({ openings, newestUs }: Owner, opening: Opening, windowUs: number): void {
  let at = openings.length;
  while (at > 0 && openings[at - 1]!.us > opening.us) at--;
  openings.splice(at, 0, opening);
  const gone = openings.findIndex(({ us }) => us > newestUs - windowUs);
  openings.splice(0, Math.max(gone, openings.length - MAX_FLOOD_OPENINGS));
}
