/** Messages on their way at once: a channel that hangs must not hold up the others. */
export const MAX_AT_ONCE = 256;

/** Of one receiver. */
export const MAX_OF_RECEIVER = 4;
