/** How long a deviation from the season lasts, and how far off forecasts by that were: least squares over earlier forecasts. */

/** The distance from the season now, smoothed a little, and smoothed more. */
export type Deviation = readonly [now: number, fast: number, slow: number];

export interface Sample {
  /** When the outcome came, microseconds. */
  readonly timeUs: number;
  readonly deviation: Deviation;
  /** The outcome less the season that was expected for its time. */
  readonly outcome: number;
}

export interface Fit {
  /** What is left of a deviation. */
  readonly expect: (deviation: Deviation) => number;
  /** Error below which a forecast is with this probability. */
  readonly quantile: (probability: number) => number;
  /** Probability of an error above this one. */
  readonly above: (error: number) => number;
}

/** Pull toward "it stays as it is", in samples: what little is known of decides nothing. */
const PULL = 8;
/** Parts of the history of which each is forecast by what the others say. */
const PARTS = 4;

/** @param independent of the samples, how many do not overlap. */
export function crossFit(samples: readonly Sample[], independent: number): Fit {
  const size = Math.ceil(samples.length / PARTS);
  const partOf = (i: number) => Math.floor(i / size);
  const others = Array.from({ length: PARTS }, (_, part) => weightsOf(samples.filter((_, i) => partOf(i) !== part)));
  const errors = Float64Array.from(
    samples.map(({ outcome, deviation }, i) => outcome - expectBy(others[partOf(i)]!, deviation)),
  ).sort();
  const weights = weightsOf(samples);
  return {
    expect: (deviation) => expectBy(weights, deviation),
    quantile: (probability) => quantileOf(errors, widened(probability, independent)),
    above: (error) => shareAbove(errors, error),
  };
}

/** Of few samples the outer ones are nearer to the middle than those of many would be: as in conformal prediction. */
function widened(probability: number, independent: number): number {
  const outside = Math.min(probability, 1 - probability);
  const wide = Math.max(0, outside - (0.5 - outside) / independent);
  return probability < 0.5 ? wide : 1 - wide;
}

function quantileOf(sorted: Float64Array, probability: number): number {
  const at = probability * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

function shareAbove(sorted: Float64Array, error: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= error) low = middle + 1;
    else high = middle;
  }
  return (sorted.length - low) / sorted.length;
}

type Weights = readonly number[];

function inputsOf([now, fast, slow]: Deviation): number[] {
  return [1, now - fast, fast, fast - slow];
}
/** It stays as it is: all of the smoothed deviation. */
const STAYS: Weights = [0, 0, 1, 0];

function expectBy(weights: Weights, deviation: Deviation): number {
  return inputsOf(deviation).reduce((sum, x, i) => sum + weights[i]! * x, 0);
}

/** Least squares for what comes beside "it stays", pulled toward nothing. */
function weightsOf(samples: readonly Sample[]): Weights {
  const size = STAYS.length;
  const matrix = Array.from({ length: size }, () => new Float64Array(size + 1));
  for (const { deviation, outcome } of samples) {
    const x = inputsOf(deviation);
    const rest = outcome - expectBy(STAYS, deviation);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) matrix[i]![j]! += x[i]! * x[j]!;
      matrix[i]![size]! += x[i]! * rest;
    }
  }
  const pull = PULL / Math.max(samples.length, 1);
  for (let i = 0; i < size; i++) matrix[i]![i]! += pull * matrix[i]![i]! + 1e-12;
  const found = solve(matrix);
  return STAYS.map((w, i) => w + (Number.isFinite(found[i]) ? found[i]! : 0));
}

/** Gaussian elimination with pivots; each row has its right-hand side at its end. */
function solve(rows: Float64Array[]): number[] {
  const size = rows.length;
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let i = k + 1; i < size; i++) if (Math.abs(rows[i]![k]!) > Math.abs(rows[pivot]![k]!)) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    for (let i = k + 1; i < size; i++) {
      const factor = rows[i]![k]! / rows[k]![k]!;
      for (let j = k; j <= size; j++) rows[i]![j]! -= factor * rows[k]![j]!;
    }
  }
  const found = new Array<number>(size).fill(0);
  for (let k = size - 1; k >= 0; k--) {
    let sum = rows[k]![size]!;
    for (let j = k + 1; j < size; j++) sum -= rows[k]![j]! * found[j]!;
    found[k] = sum / rows[k]![k]!;
  }
  return found;
}
