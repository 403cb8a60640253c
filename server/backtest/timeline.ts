/**
 * The timeline of a partition: its control events and ticks. Each has a position among the readings by
 * the id clock (`log/id-clock.ts`): a reading whose sequence is at or past an entry's came after it.
 */
import type { DetectorConfig } from "../../gen/es/telltale/v1/detector_pb.ts";
import type { Control } from "../../gen/es/telltale/v1/log_pb.ts";
import { firstTick } from "../log/id-clock.ts";

/** A control record with its position: an action of a person. */
export interface ControlEvent {
  /** The id clock after its record. */
  readonly tick: number;
  /** The log's time at its record, microseconds. */
  readonly receivedUs: number;
  readonly control: Control;
}

/** The times of the tick records, in the order of the log. */
export interface TickTimes {
  readonly length: number;
  /** True where no log gave them: whatever lies between two of them, nothing stood still. */
  readonly unbroken?: true;
  /** The log's time at the i-th, microseconds. */
  receivedUs(i: number): number;
  /** The id clock after its record. */
  tick(i: number): number;
}

/** In 8 bytes each, since there is one a second. */
export class Ticks implements TickTimes {
  #receivedUs = new Float64Array(1024);
  /** The id clock after a tick's record, where it runs ahead of the time. */
  readonly #ahead = new Map<number, number>();
  length = 0;

  add(receivedUs: number, tick: number): void {
    if (this.length === this.#receivedUs.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.#receivedUs);
      this.#receivedUs = larger;
    }
    if (tick !== firstTick(0, receivedUs)) this.#ahead.set(this.length, tick);
    this.#receivedUs[this.length++] = receivedUs;
  }

  receivedUs(i: number): number {
    return this.#receivedUs[i]!;
  }

  tick(i: number): number {
    return this.#ahead.get(i) ?? firstTick(0, this.#receivedUs[i]!);
  }
}

/** Control events and ticks of a partition, each kind in the order of the log. */
export interface Timeline {
  readonly controls: readonly ControlEvent[];
  /** Where `controls` are others than those of the log: these. How long readings were buffered is part of the history. */
  readonly logged?: readonly ControlEvent[];
  readonly ticks: TickTimes;
}

/** The detector's settings that a control sets; undefined where it is another. */
export function configOf({ action }: Control): DetectorConfig | undefined {
  if (action.case === "assetSettings") return action.value.config;
  return action.case === "settings" || action.case === "config" ? action.value : undefined;
}

export type TimelineEntry =
  | { readonly kind: "control"; readonly event: ControlEvent }
  | { readonly kind: "tick"; readonly at: number };

/** Walks both kinds in one order. Where both have the same sequence, which no reading can distinguish, control events come first. */
export class TimelineCursor {
  readonly #timeline: Timeline;
  #control = 0;
  #tick = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** The id clock at the next one; Infinity where there is none. */
  nextTick(): number {
    const { controls, ticks } = this.#timeline;
    const control = controls[this.#control]?.tick ?? Number.POSITIVE_INFINITY;
    return this.#tick < ticks.length ? Math.min(control, ticks.tick(this.#tick)) : control;
  }

  /** Takes the next one if `due` is true for it; undefined where it is not, or where there is none. */
  next(due: (tick: number, receivedUs: number) => boolean): TimelineEntry | undefined {
    const { controls, ticks } = this.#timeline;
    const event = controls[this.#control];
    const more = this.#tick < ticks.length;
    if (event !== undefined && !(more && before(ticks, this.#tick, event))) {
      if (!due(event.tick, event.receivedUs)) return undefined;
      this.#control++;
      return { kind: "control", event };
    }
    if (!more || !due(ticks.tick(this.#tick), ticks.receivedUs(this.#tick))) return undefined;
    return { kind: "tick", at: ticks.receivedUs(this.#tick++) };
  }
}

function before(ticks: TickTimes, i: number, event: ControlEvent): boolean {
  const tick = ticks.tick(i);
  return tick < event.tick || (tick === event.tick && ticks.receivedUs(i) < event.receivedUs);
}
