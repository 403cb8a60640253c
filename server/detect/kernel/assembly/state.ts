/** What lies at fixed places in memory beside the sensors. */
import { COLUMNS_BYTES, MODEL_BYTES, Model, READING_BYTES, Reading, VOTES_BYTES, Votes } from "./layout";
import { FEATURES_BYTES } from "./tables";

export const columns: usize = memory.data(COLUMNS_BYTES, 64);
const modelAt: usize = memory.data(MODEL_BYTES, 64);
export const model: Model = changetype<Model>(modelAt);
/** The reading on its way through the stages. */
export const reading: Reading = changetype<Reading>(memory.data(READING_BYTES, 64));
export const votes: Votes = changetype<Votes>(memory.data(VOTES_BYTES, 64));
/** Features of the reading, and what of each is learnt. */
export const features: usize = memory.data(FEATURES_BYTES, 64);
export const learnt: usize = memory.data(FEATURES_BYTES, 64);
