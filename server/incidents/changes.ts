/** What has changed since it was stored last: things as they are now, by their keys; undefined where they are gone. */
import type { Incident, Member, Owner, Pair, SensorHistory } from "./model.ts";

export class Changes {
  readonly incidents = new Map<number, Incident | undefined>();
  readonly members = new Map<number, Member>();
  readonly sensors = new Map<string, SensorHistory | undefined>();
  readonly pairs = new Map<string, Pair>();
  readonly gonePairs = new Map<string, Pair>();
  readonly owners = new Map<string, Owner | undefined>();
  /** Alerts that were acknowledged when they had left the memory, with the event's place. */
  readonly lateAcknowledged: { readonly alertId: number; readonly seq: number }[] = [];

  pair(pair: Pair): void {
    const key = pairKey(pair);
    this.gonePairs.delete(key);
    this.pairs.set(key, pair);
  }

  pairGone(pair: Pair): void {
    const key = pairKey(pair);
    this.pairs.delete(key);
    this.gonePairs.set(key, pair);
  }

  clear(): void {
    for (const each of [this.incidents, this.members, this.sensors, this.pairs, this.gonePairs, this.owners])
      each.clear();
    this.lateAcknowledged.length = 0;
  }
}

function pairKey({ a, b }: Pair): string {
  return JSON.stringify([a, b]);
}
