/** What incidents are made of, in the memory of the fold. */
import { IncidentReasonKind } from "../../gen/es/telltale/v1/incident_pb.ts";

/** Why an alert is in its incident, as it is stored. */
export interface Reason {
  readonly kind: IncidentReasonKind;
  readonly key?: string;
  readonly value?: string;
  readonly otherAlert?: number;
  readonly otherSensor?: string;
  /** Of the first alert of an incident that was merged: the one in it that the reason holds for, where that is another. */
  readonly ownAlert?: number;
  readonly ownSensor?: string;
  readonly coOpenings?: number;
  readonly expected?: number;
  readonly pValue?: number;
}

export const FIRST: Reason = { kind: IncidentReasonKind.FIRST };

/** An alert in an incident. */
export interface Member {
  readonly alertId: number;
  incidentId: number;
  /** The incident that it was in first. */
  readonly firstIncidentId: number;
  /** Of the event that brought it, and of the one that changed it last. */
  readonly seq: number;
  changedSeq: number;
  readonly sensorId: string;
  readonly alertType: string;
  severity: number;
  readonly openedUs: number;
  closedUs: number | undefined;
  acknowledged: boolean;
  readonly owner: string;
  readonly asset: string;
  readonly keys: readonly string[];
  reason: Reason;
}

/** The alerts of an incident that have a key. */
export interface Span {
  firstUs: number;
  /** The newest opened. */
  last: Member;
  open: number;
  /** The latest opening or close. */
  untilUs: number;
}

/** An incident that alerts may still join. */
export interface Incident {
  readonly id: number;
  /** Of the event that it began with: a lower one is older. */
  readonly seq: number;
  changedSeq: number;
  readonly members: Member[];
  readonly spans: Map<string, Span>;
  open: number;
  acknowledged: number;
  origin: Member;
  worst: Member;
  lastUs: number;
  /** The latest close of its alerts that are closed. */
  closedUs: number | undefined;
  /** Undefined where it is no flood. */
  floodOwner: string | undefined;
  floodPeak: number;
  /** Whether it is in the memory of the fold. */
  live: boolean;
}

/** Openings in the current epoch and in the one before. */
export interface Counts {
  epoch: number;
  current: number;
  previous: number;
}

/** What is learnt of a sensor. */
export interface SensorHistory extends Counts {
  readonly sensorId: string;
  /** The opening that was counted last: those within the window after it are counted with it. −1: none was. */
  countedUs: number;
  countedSeq: number;
  /** Its newest opening. */
  openedUs: number;
  openedSeq: number;
  alertId: number;
}

/** What is learnt of two sensors; `a` comes first in the order of their ids. */
export interface Pair extends Counts {
  readonly a: string;
  readonly b: string;
  /** Of the event that changed it last. */
  seq: number;
}

/** When an alert opened. */
export interface Opening {
  readonly us: number;
  readonly alertId: number;
}

/** The alerts of one owner's sensors. */
export interface Owner {
  readonly owner: string;
  /** Of the event that it is remembered from. */
  readonly sinceSeq: number;
  newestUs: number;
  /** Those within the window of the newest, in the order of their times. */
  openings: Opening[];
  /** An alert in the flood that goes on. */
  floodAlert: number | undefined;
}
