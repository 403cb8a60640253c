/** What the fold knows. All of it is in the store as well, in the same form: whoever takes over goes on with the same state. */
import { Changes } from "./changes.ts";
import { MAX_COUNTED_SENSORS, MAX_PAIRS } from "./limits.ts";
import type { Incident, Member, Owner, Pair, SensorHistory } from "./model.ts";

export interface Bounds {
  readonly sensors: number;
  readonly pairs: number;
}

const BOUNDS: Bounds = { sensors: MAX_COUNTED_SENSORS, pairs: MAX_PAIRS };

export class State {
  /** Of the last event. */
  seq = 0;
  /** Newest time of all events; what is "now" here. −1 before the first. */
  newestUs = -1;
  /** When the first alert opened. */
  firstUs = -1;
  epoch = -1;
  readonly incidents = new Map<number, Incident>();
  readonly members = new Map<number, Member>();
  /** Incidents by the keys of their alerts. */
  readonly byKey = new Map<string, Set<Incident>>();
  /** In the order of their newest openings. */
  readonly sensors = new Map<string, SensorHistory>();
  /** The newest sensors that were counted, oldest first. */
  recent: SensorHistory[] = [];
  readonly partners = new Map<string, Map<string, Pair>>();
  pairs = 0;
  readonly owners = new Map<string, Owner>();
  readonly changes = new Changes();
  readonly bounds: Bounds;

  constructor(bounds: Bounds = BOUNDS) {
    this.bounds = bounds;
  }
}
