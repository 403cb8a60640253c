/** What a sensor may be called. The contract's rule of `Reading.sensor_id` says the same; a test checks that they agree. */

/** Code points: label sets and topic paths of other protocols have to fit. */
export const MAX_SENSOR_ID = 200;
/** C0, DEL and C1: invisible in every list, and PostgreSQL has no room for the first. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is for
export const CONTROL_CHARACTER = /[\x00-\x1f\x7f-\x9f]/;
