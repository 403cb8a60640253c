/** What the notifier knows: alerts, the groups they are in, and what of it has changed since it was stored. */
import type { KnownAlert } from "../known-alert.ts";
import type { Group } from "./group.ts";

export interface Entry {
  alert: KnownAlert;
  /** Microseconds since the epoch: when it took its routes. */
  sinceUs: number;
  readonly groups: Set<string>;
}

export class State {
  readonly alerts = new Map<string, Entry>();
  readonly groups = new Map<string, Group>();
  readonly changedAlerts = new Set<string>();
  readonly changedGroups = new Set<string>();

  /** Puts the alert into the group; false where it is there already. */
  join(entry: Entry, group: Group): boolean {
    if (group.members.has(entry.alert.id)) return false;
    group.members.add(entry.alert.id);
    entry.groups.add(group.key);
    this.changedAlerts.add(entry.alert.id);
    return true;
  }

  /** Takes the alert out of the group; what is nowhere any more is forgotten. */
  leave(id: string, group: Group): void {
    group.members.delete(id);
    const entry = this.alerts.get(id);
    entry?.groups.delete(group.key);
    this.changedAlerts.add(id);
    if (entry?.groups.size === 0 && entry.alert.status === "resolved") this.alerts.delete(id);
  }

  remove(group: Group): void {
    for (const id of [...group.members]) this.leave(id, group);
    this.groups.delete(group.key);
    this.changedGroups.add(group.key);
  }
}
