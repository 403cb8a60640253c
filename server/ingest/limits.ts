/** Limits of what is taken in, beyond the field rules of the contract, each with its reason. */

/** Readings in one batch: bounds the memory of a message after decoding (about 10 MB). */
export const MAX_BATCH_READINGS = 100_000;
/** Readings sent one by one in a batch, as the contract says; in blocks the same message holds ten times as many. */
export const MAX_SINGLE_READINGS = 10_000;
/** Bytes of one reading's metadata in binary form: metadata is for people, not a file store. */
export const MAX_METADATA_BYTES = 16 * 1024;
/** Names and values of one reading's metadata: the smallest take two bytes each, so that more are too many bytes in any case. */
export const MAX_METADATA_VALUES: number = MAX_METADATA_BYTES / 2;
/** Levels of metadata below its fields: in binary form each is three, and a decoder stops at a hundred. */
export const MAX_METADATA_DEPTH = 16;
/** Refusals described one by one in an answer; counts are always complete. */
export const MAX_REFUSALS_DETAILED = 1000;
/** Sensors remembered with their encoded keys; past it the table starts again from nothing. */
export const MAX_CACHED_SENSORS = 2_000_000;
