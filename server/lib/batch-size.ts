/** Readings of a batch: single ones and the points of its blocks. */
export function sizeOf(batch: {
  readonly readings: readonly unknown[];
  readonly blocks: readonly { readonly values: ArrayLike<number> }[];
}): number {
  return batch.readings.length + batch.blocks.reduce((points, { values }) => points + values.length, 0);
}
