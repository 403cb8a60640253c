/**
 * The probability that a Poisson variable of this mean is `count` or more, the upper tail. Sums terms from `count` on, so that small
 * probabilities keep their digits; below 1e-308 it is 0. The mean is at most `count`.
 */
export function poissonTail(count: number, mean: number): number {
  let term = Math.exp(-mean);
  for (let k = 1; k <= count; k++) term *= mean / k;
  let sum = term;
  for (let k = count + 1; term > sum * Number.EPSILON; k++) {
    term *= mean / k;
    sum += term;
  }
  return Math.min(1, sum);
}
