/**
 * Reading ids: unique, below 2^53, growing in the order of the log, and a function of the log alone. A partition's clock counts
 * ticks of 8 µs since 2025; each reading of a record, stored or not, takes one tick, and a record begins no earlier than when it
 * was received. Partitions take the lowest bits.
 *
 * 46 bits of ticks last until 2042. A partition that takes more than 125,000 readings a second for long runs ahead of the clock,
 * and catches up when the load drops.
 */
export const TICK_US = 8;
const EPOCH_US = Date.UTC(2025, 0, 1) * 1000;
/** Seven bits. Fixed forever: ids that are stored depend on it. */
const PARTITIONS_PER_TICK = 128;
/** More would share ids; the configuration and an existing topic are checked against it at the start. */
export const MAX_PARTITIONS = PARTITIONS_PER_TICK;

/** First tick of a record that was received then, behind `tick`, the clock after the record before. */
export function firstTick(tick: number, receivedUs: number): number {
  return Math.max(tick, Math.floor((receivedUs - EPOCH_US) / TICK_US));
}

export function idOf(tick: number, partition: number): number {
  return tick * PARTITIONS_PER_TICK + partition;
}

export function partitionOfId(id: number): number {
  return id % PARTITIONS_PER_TICK;
}

export function tickOfId(id: number): number {
  return Math.floor(id / PARTITIONS_PER_TICK);
}

/** When the reading was received, microseconds: to TICK_US, and later by as much as the clock ran ahead. */
export function receivedUsOf(id: number): number {
  return EPOCH_US + tickOfId(id) * TICK_US;
}
