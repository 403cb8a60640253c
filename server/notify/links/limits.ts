/** Acts by one link in a row, taps that are repeated included; what is beyond is refused with the time to wait. Each is put on record. */
export const MAX_ACTS_BY_LINK = 20;

/** Milliseconds after which a link may be used once more. */
export const ACT_BY_LINK_REFILL_MS = 6_000;
