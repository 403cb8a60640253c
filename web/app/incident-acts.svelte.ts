/** What a person does to whole incidents. It goes on when the page is left, and is there when somebody comes back to it. */
import { plural } from "./format.ts";
import { inboxActs } from "./inbox-acts.svelte.ts";
import { incidentApi } from "./services/incident.ts";

class IncidentActs {
  /** Grows with each act of this tab: a page that reads it is loaded anew. */
  changes = $state(0);
  /** Whose alerts will be acknowledged in a moment. */
  pendingIds = $state.raw<ReadonlySet<bigint>>(new Set());

  async acknowledge(id: bigint): Promise<void> {
    if (this.pendingIds.has(id)) return;
    const own = new Set([id]);
    this.pendingIds = this.pendingIds.union(own);
    await inboxActs.once("Acknowledge the incident", async (bound) => {
      const { acknowledged } = await incidentApi.acknowledgeIncident({ incidentId: id }, bound);
      this.changes++;
      return `Acknowledged: ${plural(acknowledged, "alert")}`;
    });
    this.pendingIds = this.pendingIds.difference(own);
  }
}

export const incidentActs = new IncidentActs();
