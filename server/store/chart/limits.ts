/** Limits of charts beyond the field rules of the contract, each with its reason. */

/**
 * Readings that one chart goes through one by one, estimated by the density of its sensors: half a second of work, in slices. Past it the columns are
 * wider, and read from aggregates.
 */
export const MAX_CHART_READINGS = 4_000_000;
/** Units of a sensor in a chart: a unit is changed once, or by mistake. Past it `other_units` names those left out. */
export const MAX_CHART_UNITS = 4;
/** Units that `other_units` names. */
export const MAX_OTHER_UNITS = 100;
