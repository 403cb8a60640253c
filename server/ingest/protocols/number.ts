/** No digit can be read in two ways: of a long text that is nearly a number, each is looked at once. */
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

/**
 * A finite number, also as a text of it with blanks around, a sign, a decimal point or an exponent. Undefined for all else, such as "NaN",
 * "21,5" (a comma may group thousands) and "1e999", which no double holds.
 */
export function finiteNumber(value: unknown): number | undefined {
  const number = typeof value === "string" && NUMBER.test(value.trim()) ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}
