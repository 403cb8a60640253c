/** Limits of incidents, each with its reason. */

/** Alerts in one incident: the alerts beyond begin another one, so that an answer, a merge and a page stay small. */
export const MAX_INCIDENT_ALERTS = 10_000;
/** Ids of merged incidents that an answer names: enough for any that people have heard of. */
export const MAX_MERGED_IDS = 100;
/** Sensors whose openings are counted: beyond, those that have opened no alert for longest are forgotten. About 20 MB. */
export const MAX_COUNTED_SENSORS = 100_000;
/** Pairs of sensors whose common openings are counted: beyond, the rarest tenth is forgotten. About 20 MB. */
export const MAX_PAIRS = 100_000;
/** Pairs of one sensor: a sensor that alerts all the time must not take the places of the others. */
export const MAX_PARTNERS = 64;
/** Sensors that opened within the window, beyond which nothing is learnt of pairs: in a crowd everything opens together. */
export const MAX_CROWD = 20;
/** Openings of one owner that are remembered for a flood: its peak is counted up to here. */
export const MAX_FLOOD_OPENINGS = 10_000;
/** Alert events after which an incident that is over may leave the memory: history that is sent again is folded as it was. */
export const KEPT_EVENTS = 500;
/** Alerts that one call acknowledges: each is a record of the log. */
export const MAX_ACKNOWLEDGED_AT_ONCE = 1_000;
