/** How long readings were buffered, by the settings of their time. */
import { assetsAround } from "../../formats/assets.ts";
import { MAX_REORDER_MS } from "../scoring/reorder-buffer.ts";
import type { SeriesRow } from "../store/store.ts";
import { type ControlEvent, configOf } from "./timeline.ts";

/** A change at a place of the log, in the order of which they stand. */
interface Change<V> {
  readonly tick: number;
  readonly value: V;
}
type Changes<V> = Map<string, Change<V>[]>;

export class BufferTimes {
  /** Microseconds; undefined: not set any more. */
  readonly #types: Changes<number | undefined> = new Map();
  readonly #assets: Changes<number | undefined> = new Map();
  readonly #sensors: Changes<number | undefined> = new Map();
  /** Assets by sensor. */
  readonly #places: Changes<string> = new Map();
  /** No reading was ever buffered. */
  readonly none: boolean;

  constructor(controls: readonly ControlEvent[]) {
    let none = true;
    for (const { tick, control } of controls) {
      const config = configOf(control);
      if (config === undefined) continue;
      const { sensorId, asset, sensorType, reorderHoldMs } = config;
      const value = reorderHoldMs === undefined ? undefined : Math.min(reorderHoldMs, MAX_REORDER_MS) * 1000;
      if (value) none = false;
      if (sensorId !== "") add(this.#sensors, sensorId, { tick, value });
      else if (asset !== "") add(this.#assets, asset, { tick, value });
      else add(this.#types, sensorType, { tick, value });
    }
    this.none = none;
    if (!none && this.#assets.size > 0) this.#placeAll(controls);
  }

  #placeAll(controls: readonly ControlEvent[]): void {
    for (const { tick, control } of controls) {
      const { action } = control;
      if (action.case !== "placeSensors") continue;
      for (const { asset, sensorIds } of action.value.placed) {
        for (const sensorId of sensorIds) add(this.#places, sensorId, { tick, value: asset });
      }
    }
  }

  at(tick: number, { sensorId, sensorType }: SeriesRow): number {
    const narrow = newest(this.#sensors.get(sensorId), tick) ?? this.#ofAssets(tick, sensorId);
    return narrow ?? newest(this.#types.get(sensorType), tick) ?? newest(this.#types.get(""), tick) ?? 0;
  }

  #ofAssets(tick: number, sensorId: string): number | undefined {
    const asset = newest(this.#places.get(sensorId), tick);
    if (asset === undefined) return undefined;
    for (const each of assetsAround(asset)) {
      const us = newest(this.#assets.get(each), tick);
      if (us !== undefined) return us;
    }
    return undefined;
  }
}

function add<V>(to: Changes<V>, key: string, change: Change<V>): void {
  const known = to.get(key);
  if (known === undefined) to.set(key, [change]);
  else known.push(change);
}

/** What the newest change up to the id clock says. */
function newest<V>(changes: readonly Change<V>[] | undefined, tick: number): V | undefined {
  return changes?.findLast((change) => change.tick <= tick)?.value;
}
