/**
 * Patterns seen so far, as boxes in the space of (value, short mean less long mean, log of the spread). A point inside a box is
 * known; else its distance to the nearest box, in ranges of each coordinate, says how new it is. The nearest box grows to take
 * the point in while it stays small; otherwise a new box replaces the one unused for longest.
 */
const DIMENSIONS = 3;
const BOXES = 28;
/** A box may span this share of a coordinate's range. */
const LARGEST = 0.4;
const SHRINK = 1e-4;
/** Coordinates of a sensor that hardly moved are measured by this, in gauge units. */
const SMALLEST_RANGE = 0.3;
/** Distances beyond this many ranges count as this many. */
const FARTHEST = 3;

/** Per box: lows, highs, reading that used it last. Then the running range of each coordinate, and counts. */
const PER_BOX = 2 * DIMENSIONS + 1;
const USED = 2 * DIMENSIONS;
const RANGE = BOXES * PER_BOX;
const COUNT = RANGE + 2 * DIMENSIONS;
const LATEST = COUNT + 1;
export const BOX_FLOATS = LATEST + 1;

export const point = new Float64Array(DIMENSIONS);
const scale = new Float64Array(DIMENSIONS);

/** Distance of `point` to the patterns so far, which then learn it (unless `frozen`). `n` counts the sensor's readings. */
export function patternDistance(f: Float32Array, o: number, n: number, frozen: boolean): number {
  const count = f[o + COUNT]!;
  if (count === 0) {
    for (let k = 0; k < DIMENSIONS; k++) {
      f[o + RANGE + 2 * k] = point[k]!;
      f[o + RANGE + 2 * k + 1] = point[k]!;
    }
    put(f, o, 0, n);
    f[o + COUNT] = 1;
    return 0;
  }
  if (inside(f, o + f[o + LATEST]! * PER_BOX)) {
    f[o + f[o + LATEST]! * PER_BOX + USED] = n;
    if (!frozen) learnRange(f, o);
    return 0;
  }
  for (let k = 0; k < DIMENSIONS; k++) {
    const range = f[o + RANGE + 2 * k + 1]! - f[o + RANGE + 2 * k]!;
    scale[k] = 1 / Math.max(range, SMALLEST_RANGE);
  }
  let nearest = 0;
  let best = Number.POSITIVE_INFINITY;
  for (let b = 0; b < count && best > 0; b++) {
    const d = distance(f, o + b * PER_BOX);
    if (d < best) {
      best = d;
      nearest = b;
    }
  }
  const apart = Math.min(FARTHEST, Math.sqrt(best));
  if (frozen) return apart;
  learnRange(f, o);
  const at = o + nearest * PER_BOX;
  if (best === 0 || grow(f, at)) {
    f[at + USED] = n;
    f[o + LATEST] = nearest;
  } else if (count < BOXES) {
    put(f, o, count, n);
    f[o + COUNT] = count + 1;
  } else {
    put(f, o, oldest(f, o), n);
  }
  return apart;
}

function inside(f: Float32Array, at: number): boolean {
  for (let k = 0; k < DIMENSIONS; k++) {
    if (point[k]! < f[at + k]! || point[k]! > f[at + DIMENSIONS + k]!) return false;
  }
  return true;
}

function distance(f: Float32Array, at: number): number {
  let sum = 0;
  for (let k = 0; k < DIMENSIONS; k++) {
    const below = f[at + k]! - point[k]!;
    const above = point[k]! - f[at + DIMENSIONS + k]!;
    const gap = (below > 0 ? below : Math.max(above, 0)) * scale[k]!;
    sum += gap * gap;
  }
  return sum;
}

/** Widens the box to hold the point if it stays small enough. */
function grow(f: Float32Array, at: number): boolean {
  for (let k = 0; k < DIMENSIONS; k++) {
    const low = Math.min(f[at + k]!, point[k]!);
    const high = Math.max(f[at + DIMENSIONS + k]!, point[k]!);
    if ((high - low) * scale[k]! > LARGEST) return false;
  }
  for (let k = 0; k < DIMENSIONS; k++) {
    if (point[k]! < f[at + k]!) f[at + k] = point[k]!;
    if (point[k]! > f[at + DIMENSIONS + k]!) f[at + DIMENSIONS + k] = point[k]!;
  }
  return true;
}

function put(f: Float32Array, o: number, box: number, n: number): void {
  const at = o + box * PER_BOX;
  for (let k = 0; k < DIMENSIONS; k++) {
    f[at + k] = point[k]!;
    f[at + DIMENSIONS + k] = point[k]!;
  }
  f[at + USED] = n;
  f[o + LATEST] = box;
}

function oldest(f: Float32Array, o: number): number {
  let box = 0;
  for (let b = 1; b < BOXES; b++) if (f[o + b * PER_BOX + USED]! < f[o + box * PER_BOX + USED]!) box = b;
  return box;
}

function learnRange(f: Float32Array, o: number): void {
  for (let k = 0; k < DIMENSIONS; k++) {
    const at = o + RANGE + 2 * k;
    const shrink = SHRINK * (f[at + 1]! - f[at]!) * 0.5;
    const low = f[at]! + shrink;
    const high = f[at + 1]! - shrink;
    f[at] = Math.min(point[k]!, low);
    f[at + 1] = Math.max(point[k]!, high);
  }
}
