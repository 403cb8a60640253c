/**
 * Arithmetic that gives the same bits on every machine: logarithm and exponential from plain IEEE operations, and vectors of two
 * doubles whose lanes are never summed. Single-precision cells are computed with in double precision, as JavaScript would.
 */
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;
const SQRT2: f64 = 1.4142135623730951;
const LOG2E: f64 = 1.4426950408889634;

/** What is kept in single precision has up to this many scaled units, so that squares stay within it. */
const SCALE_LIMIT: f64 = 1e15;

/** Natural logarithm of a positive normal number; relative error below 1e-14. */
export function ln(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  const high = <u32>(bits >> 32);
  let exponent = <i32>(high >> 20) - 1023;
  let m = reinterpret<f64>((bits & 0xffffffff) | ((<u64>((high & 0xfffff) | 0x3ff00000)) << 32));
  if (m > SQRT2) {
    m *= 0.5;
    exponent += 1;
  }
  const s = (m - 1) / (m + 1);
  const q = s * s;
  // atanh series; |s| < 0.172, so the term after the last is below 1e-16.
  const series =
    1.0 +
    q *
      (1.0 / 3.0 +
        q *
          (1.0 / 5.0 +
            q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q * (1.0 / 13.0 + q * (1.0 / 15.0 + q / 17.0)))))));
  const power = <f64>exponent;
  return power * LN2_HIGH + (2 * s * series + power * LN2_LOW);
}

/** e to the power x; 0 below -700 and e^700 above 700. */
export function exp(x: f64): f64 {
  if (x < -700) return 0;
  const bounded = min<f64>(x, 700);
  const k = floor(bounded * LOG2E + 0.5);
  const r = bounded - k * LN2_HIGH - k * LN2_LOW;
  // |r| < 0.35: twelve terms of the Taylor series reach 1e-16.
  let sum = 1 + r / 12;
  for (let i: f64 = 11; i >= 1; i--) sum = 1 + (r / i) * sum;
  return sum * reinterpret<f64>((<u64>((<u32>(<i32>k + 1023)) << 20)) << 32);
}

/** Bounds a scaled value. */
export function clamp(x: f64): f64 {
  return max<f64>(-SCALE_LIMIT, min<f64>(SCALE_LIMIT, x));
}

/** Squashes to (-8, 8), near 1:1 around 0. */
export function squash(x: f64): f64 {
  return x / (1 + abs(x) * 0.125);
}

/** Standard deviation from a sum, a sum of squares and a count. */
export function deviation(sum: f64, square: f64, count: f64): f64 {
  const variance = (square - (sum * sum) / count) / count;
  return variance > 0 ? sqrt(variance) : 0;
}

/** A single-precision cell. */
export function get(at: usize): f64 {
  return <f64>load<f32>(at);
}

export function set(at: usize, x: f64): void {
  store<f32>(at, <f32>x);
}

/** Two neighbouring single-precision cells as doubles. */
export function getPair(at: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(at));
}

export function setPair(at: usize, x: v128): void {
  v128.store64_lane(at, f32x4.demote_f64x2_zero(x), 0);
}
