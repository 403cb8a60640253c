/**
 * The forecaster's readout: a linear map per sensor from what is known at a reading (the trunk's foretelling, the last moves, the
 * distance from the centre, the course of the season) to the next move, adapted online by recursive least squares. All in units
 * of the sensor's habitual move.
 */
export const READOUT_INPUTS = 6;
/** Old readings fade over about a thousand. */
const FORGET = 0.999;
/** Errors beyond this many habitual moves teach as if they were this large: an anomaly must not bend the readout. */
const TEACH_LIMIT = 6;
/** Uncertainty of weights nothing is known of, and the most it may grow to while inputs stay flat. */
const START_VARIANCE = 1;
const MAX_TRACE = 100;

/** Double-precision cells: weights, inputs, habitual move when the inputs were taken, expected value that they give. */
const WEIGHTS = 0;
const INPUTS = READOUT_INPUTS;
export const SCALE = 2 * READOUT_INPUTS;
export const EXPECTED = SCALE + 1;
export const READOUT_DOUBLES = SCALE + 2;
/** Single-precision cells: upper triangle of the symmetric matrix, row by row. */
export const READOUT_FLOATS = (READOUT_INPUTS * (READOUT_INPUTS + 1)) / 2;

const gain = new Float64Array(READOUT_INPUTS);

export function startReadout(d: Float64Array, o: number, f: Float32Array, m: number): void {
  d.fill(0, o, o + READOUT_DOUBLES);
  // Until it has learnt better, a sensor trusts the trunk.
  d[o + WEIGHTS] = 1;
  restart(d, o, f, m);
}

/** Keeps the inputs known at a reading. The last one, the season's move, is known only when the next reading comes. */
export function takeInputs(d: Float64Array, o: number, inputs: Float64Array): void {
  for (let i = 0; i < READOUT_INPUTS - 1; i++) d[o + INPUTS + i] = inputs[i]!;
}

/** The move expected of the next reading, in habitual moves, given the season's. */
export function foretell(d: Float64Array, o: number, season: number): number {
  d[o + INPUTS + READOUT_INPUTS - 1] = season;
  let sum = 0;
  for (let i = 0; i < READOUT_INPUTS; i++) sum += d[o + WEIGHTS + i]! * d[o + INPUTS + i]!;
  return sum;
}

/** Learns from the error (what came less what was expected, in habitual moves) of the inputs taken last. */
export function teach(d: Float64Array, o: number, f: Float32Array, m: number, error: number): void {
  const bounded = Math.max(-TEACH_LIMIT, Math.min(TEACH_LIMIT, error));
  gain.fill(0);
  let at = m;
  for (let i = 0; i < READOUT_INPUTS; i++) {
    const xi = d[o + INPUTS + i]!;
    let sum = gain[i]! + f[at++]! * xi;
    for (let j = i + 1; j < READOUT_INPUTS; j++, at++) {
      sum += f[at]! * d[o + INPUTS + j]!;
      gain[j] = gain[j]! + f[at]! * xi;
    }
    gain[i] = sum;
  }
  let power = FORGET;
  for (let i = 0; i < READOUT_INPUTS; i++) power += gain[i]! * d[o + INPUTS + i]!;
  const inverse = 1 / power;
  let trace = 0;
  at = m;
  for (let i = 0; i < READOUT_INPUTS; i++) {
    const k = gain[i]! * inverse;
    d[o + WEIGHTS + i] = d[o + WEIGHTS + i]! + k * bounded;
    const diagonal = (f[at]! - k * gain[i]!) * (1 / FORGET);
    trace += diagonal > 0 ? diagonal : Number.POSITIVE_INFINITY;
    for (let j = i; j < READOUT_INPUTS; j++, at++) f[at] = (f[at]! - k * gain[j]!) * (1 / FORGET);
  }
  // Flat inputs blow the matrix up, rounding can make it indefinite: then it starts again, with the weights kept.
  if (!(trace < MAX_TRACE)) restart(d, o, f, m);
}

function restart(d: Float64Array, o: number, f: Float32Array, m: number): void {
  f.fill(0, m, m + READOUT_FLOATS);
  for (let i = 0, at = m; i < READOUT_INPUTS; at += READOUT_INPUTS - i, i++) {
    f[at] = START_VARIANCE;
    if (!Number.isFinite(d[o + WEIGHTS + i]!)) d[o + WEIGHTS + i] = 0;
  }
}
