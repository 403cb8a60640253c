/** Numbers as Go writes them, which Prometheus' clients read. */

/** Without an exponent, as labels have it. */
export function goNumber(value: number): string {
  const special = specialOf(value);
  if (special !== undefined) return special;
  const text = String(value);
  const match = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return Object.is(value, -0) ? "-0" : text;
  const [, sign, whole, fraction = "", exponent] = match;
  const digits = whole! + fraction;
  const point = whole!.length + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, "0").slice(0, point)}${digits.length > point ? `.${digits.slice(point)}` : ""}`;
}

/** As answers have it: with an exponent below 1e-6 and from 1e21 on. */
export function apiNumber(value: number): string {
  const special = specialOf(value);
  if (special !== undefined) return special;
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-6) return String(value).replace(/e([+-])(\d)$/, "e$10$2");
  return size >= 1e21 ? String(value) : goNumber(value);
}

function specialOf(value: number): string | undefined {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : undefined;
}
