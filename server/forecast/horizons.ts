/** Times ahead for which errors are measured; between them they are interpolated. */
const HORIZONS = 8;

/** From the usual interval between readings to the farthest, each so many times the one before, microseconds. */
export function horizonsOf(farthestUs: number, intervalUs: number): number[] {
  if (!(intervalUs > 0 && intervalUs < farthestUs)) return [farthestUs];
  const step = (farthestUs / intervalUs) ** (1 / (HORIZONS - 1));
  return Array.from({ length: HORIZONS }, (_, k) => (k === HORIZONS - 1 ? farthestUs : intervalUs * step ** k));
}
