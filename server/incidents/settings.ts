/** What an operator decides about incidents. Part of what they are derived from: with other settings all are derived again. */
export interface IncidentSettings {
  /** Alerts that open within it of each other may be related. */
  readonly windowUs: number;
  /** Attributes whose shared value relates sensors. */
  readonly attributes: readonly string[];
  /** More alerts of one owner than this within `floodWindowUs` are a flood. */
  readonly floodAlerts: number;
  readonly floodWindowUs: number;
  /** From the first to the last opening of an incident. */
  readonly maxAgeUs: number;
}

/** Grows with each change of the rules by which incidents are derived. */
export const RULES_VERSION = 2;

/** One text for all of it. Attributes in the order in which they are given: the first that two sensors share is the reason. */
export function settingsText(s: IncidentSettings): string {
  const { windowUs, attributes, floodAlerts, floodWindowUs, maxAgeUs } = s;
  return JSON.stringify({ windowUs, attributes, floodAlerts, floodWindowUs, maxAgeUs });
}
