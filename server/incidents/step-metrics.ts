import type { Metrics } from "../observe/metrics.ts";
import type { Derived } from "./deriver.ts";

/** Counts what a step did; undefined: another process derives. */
export function countStep(metrics: Metrics, derived: Derived): void {
  metrics.incidentsDeriving.set(derived === undefined ? 0 : 1);
  if (derived === undefined) {
    metrics.incidentsOpen.reset();
    return;
  }
  const { state, events, ms, rebuilt } = derived;
  if (events === 0 && !rebuilt) return;
  metrics.incidentEvents.inc(events);
  metrics.incidentSeconds.observe(ms / 1000);
  let [related, floods] = [0, 0];
  for (const { open, floodOwner } of state.incidents.values()) {
    if (open > 0 && floodOwner === undefined) related++;
    else if (open > 0) floods++;
  }
  metrics.incidentsOpen.set({ kind: "related" }, related);
  metrics.incidentsOpen.set({ kind: "flood" }, floods);
}
