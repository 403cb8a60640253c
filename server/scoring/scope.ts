import type { Sensors } from "./sensors.ts";
import type { SeriesBook } from "./series.ts";
import type { Change, PartitionSettings } from "./settings.ts";
import type { PartitionState } from "./state.ts";

/** The part of a partition's state that controls change. */
export interface Scope {
  readonly settings: PartitionSettings;
  readonly sensors: Sensors;
  readonly series: SeriesBook;
  /** Of the control's record: its offset, and the id clock and the log's time after it, microseconds. */
  readonly offset: number;
  readonly tick: number;
  readonly receivedUs: number;
  /** False while what is stored already is read again, or was. */
  readonly live: boolean;
  readonly change: Change;
}

/** The parts of a state that controls change. */
export function scopeOf({ settings, sensors, series }: PartitionState) {
  return { settings, sensors, series };
}
