/** Readings of a batch: single ones and the points of its blocks. */
export function sizeOf(batch: {
  readonly readings: readonly unknown[];
  readonly blocks: readonly { readonly values: ArrayLike<number> }[];
}): number {
  return batch.readings.length + batch.blocks.reduce((points, { values }) => points + values.length, 0);
}

/** The sensor of a reading by its index: single readings first, then the points of all blocks. A block without points has an index, too. */
export function sensorAt(batch: SensorBatch, index: number): string {
  const { readings, blocks } = batch;
  if (index < readings.length) return readings[index]!.sensorId;
  let left = index - readings.length;
  for (const { sensorId, values, timeDeltasUs } of blocks) {
    const points = Math.max(1, values.length, timeDeltasUs.length);
    if (left < points) return sensorId;
    left -= points;
  }
  return "";
}

interface SensorBatch {
  readonly readings: readonly { readonly sensorId: string }[];
  readonly blocks: readonly {
    readonly sensorId: string;
    readonly values: ArrayLike<number>;
    readonly timeDeltasUs: ArrayLike<number>;
  }[];
}
