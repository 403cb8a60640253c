/**
 * Logarithm and exponential from plain IEEE arithmetic. `Math.log` and `Math.exp` may differ in the last bit between engines
 * and processors; scores must not.
 */
const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);
const HIGH = new Uint32Array(new Float64Array([1]).buffer)[1] === 0x3ff00000 ? 1 : 0;
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/** Natural logarithm of a positive normal number; relative error below 1e-14. */
export function ln(x: number): number {
  doubles[0] = x;
  const high = words[HIGH]!;
  let exponent = (high >>> 20) - 1023;
  words[HIGH] = (high & 0xfffff) | 0x3ff00000;
  let m = doubles[0]!;
  if (m > Math.SQRT2) {
    m *= 0.5;
    exponent += 1;
  }
  const s = (m - 1) / (m + 1);
  const q = s * s;
  // atanh series; |s| < 0.172, so the term after the last is below 1e-16.
  const series =
    1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15 + q / 17)))))));
  return exponent * LN2_HIGH + (2 * s * series + exponent * LN2_LOW);
}

/** e to the power x; 0 below -700 and e^700 above 700. */
export function exp(x: number): number {
  if (x < -700) return 0;
  const bounded = Math.min(x, 700);
  const k = Math.floor(bounded * Math.LOG2E + 0.5);
  const r = bounded - k * LN2_HIGH - k * LN2_LOW;
  // |r| < 0.35: twelve terms of the Taylor series reach 1e-16.
  let sum = 1 + r / 12;
  for (let i = 11; i >= 1; i--) sum = 1 + (r / i) * sum;
  words[1 - HIGH] = 0;
  words[HIGH] = (k + 1023) << 20;
  return sum * doubles[0]!;
}
