/**
 * Where a value lies and how it moved, in units of the sensor's own recent habits: the trunk's inputs. Robust (one reading moves
 * the habits by a bounded share) and never frozen, so that it depends on the readings alone and not on what was judged.
 */
const RATE = 0.02;
/** Moves and distances beyond this many habits count as this many. */
const LIMIT = 4;

/** Cells: mean, mean distance from it, mean move. */
export const NORMALISER_DOUBLES = 3;
export const CENTRE = 0;
export const SPREAD = 1;
export const MOVE = 2;

/** Takes reading number `n` (from 0) in. */
export function learnHabits(d: Float64Array, o: number, n: number, value: number, last: number): void {
  if (n === 0) {
    d[o + CENTRE] = value;
    return;
  }
  const early = n < 50;
  const rate = early ? 1 / (n + 1) : RATE;
  const spread = d[o + SPREAD]!;
  const distance = value - d[o + CENTRE]!;
  const size = Math.abs(distance);
  const move = Math.abs(value - last);
  const far = LIMIT * spread;
  d[o + CENTRE] = d[o + CENTRE]! + rate * (early || size <= far ? distance : distance > 0 ? far : -far);
  d[o + SPREAD] = spread + rate * ((early || size <= far ? size : far) - spread);
  const habit = d[o + MOVE]!;
  d[o + MOVE] = habit + rate * ((early || move <= LIMIT * habit ? move : LIMIT * habit) - habit);
  // A habit of exactly zero could never grow again: it is kept above a billionth of the value.
  const floor = 1e-9 * Math.abs(value) + 1e-300;
  if (d[o + SPREAD]! < floor) d[o + SPREAD] = floor;
  if (d[o + MOVE]! < floor) d[o + MOVE] = floor;
}

/** Squashes to (-8, 8), near 1:1 around 0. */
export function squash(x: number): number {
  return x / (1 + Math.abs(x) * 0.125);
}
