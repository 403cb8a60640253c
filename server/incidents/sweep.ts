/** Takes out of the memory what no alert can join any more. */
import { leave } from "./incident.ts";
import { KEPT_EVENTS } from "./limits.ts";
import type { IncidentSettings } from "./settings.ts";
import type { State } from "./state.ts";

export function sweep(state: State, { windowUs, floodWindowUs }: IncidentSettings): void {
  const { seq, newestUs, changes } = state;
  const untilUs = newestUs - Math.max(windowUs, floodWindowUs);
  for (const incident of state.incidents.values()) {
    const { open, lastUs, closedUs = lastUs, changedSeq } = incident;
    if (open > 0 || Math.max(lastUs, closedUs) >= untilUs || changedSeq >= seq - KEPT_EVENTS) continue;
    leave(state, incident);
    for (const { alertId } of incident.members) state.members.delete(alertId);
    incident.live = false;
    changes.incidents.set(incident.id, incident);
  }
  for (const { owner, newestUs: ownUs } of state.owners.values()) {
    if (ownUs >= untilUs) continue;
    state.owners.delete(owner);
    changes.owners.set(owner, undefined);
  }
}
