/** Programs that are expected to give a sign of life: each is looked at once a second. */
export const MAX_HEARTBEATS = 200;

/** Addresses that are pinged while notifications work. */
export const MAX_PINGS = 10;

/** Milliseconds, the least that an `interval` may be: whether somebody is missing is looked at so often. */
export const MIN_INTERVAL_MS = 1_000;

/** Milliseconds after an interval, where a heartbeat has no `grace` of its own. */
export const DEFAULT_GRACE_MS = 60_000;

/** Milliseconds for which nobody may decide on notifications: after a longer time, signs of life may be lost, and are waited for anew. */
export const MAX_GAP_MS = 30_000;

/** Milliseconds since the last step of whoever sends messages, after which the pings that tell that all is well are left out. */
export const MAX_IDLE_MS = 30_000;
