/**
 * Sums of values. Values may be as large as a double holds, so that two of them overflow: a sum past the range of doubles is the largest
 * double of its sign, here as in the database (`saturated_sum` in `migrations/070_saturated_sums.sql`). Neither an infinity nor NaN is
 * ever stored or answered.
 */
export function saturatedSum(a: number, b: number): number {
  return Math.max(Math.min(a + b, Number.MAX_VALUE), -Number.MAX_VALUE);
}

/** What a mean is made of; `total` is a saturated sum of `count` values. */
export interface Totalled {
  readonly count: number;
  readonly total: number;
  readonly smallest: number;
  readonly largest: number;
}

/** The mean, which lies between the smallest and the largest value also where the sum has saturated or was rounded. */
export function meanOf({ count, total, smallest, largest }: Totalled): number {
  return Math.min(Math.max(total / count, smallest), largest);
}
