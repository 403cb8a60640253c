/**
 * The contract's field rules for readings, by hand: 0.07 µs a reading against 2.4 µs by protovalidate. `accept.test.ts` checks
 * that the two agree. Each function answers with the field at fault and a sentence, or undefined.
 */
export interface Fault {
  readonly field: string;
  readonly message: string;
}

/** Characters, as the contract counts them (code points, not UTF-16 units). */
function characters(s: string): number {
  let n = s.length;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c >= 0xd800 && c < 0xdc00 && i + 1 < s.length) {
      n--;
      i++;
    }
  }
  return n;
}

/** A value as it may stand in a message or log line: short, and with no character that could forge a line. */
export function shown(value: string): string {
  const short = value.length > 60 ? `${value.slice(0, 57)}...` : value;
  return JSON.stringify(short);
}

function checkText(field: string, value: string, min: number, max: number): Fault | undefined {
  const n = value.length <= max ? value.length : characters(value);
  if (n < min) return { field, message: `${field} is empty: give 1 to ${max} characters` };
  if (n > max) return { field, message: `${field} ${shown(value)} has ${n} characters: give at most ${max}` };
  if (value.includes("\0"))
    return { field, message: `${field} ${shown(value)} contains a NUL character: leave it out` };
  return undefined;
}

export function checkSeries(
  sensorId: string,
  sensorType: string,
  unit: string,
  location: string | undefined,
): Fault | undefined {
  return (
    checkText("sensor_id", sensorId, 1, 50) ??
    checkText("sensor_type", sensorType, 1, 50) ??
    checkText("unit", unit, 1, 20) ??
    (location === undefined ? undefined : checkText("location", location, 0, 100))
  );
}

export function checkValue(value: number | undefined): Fault | undefined {
  if (value === undefined) return { field: "value", message: "value is missing: give a number" };
  if (!Number.isFinite(value)) return { field: "value", message: `value is ${value}: give a finite number` };
  return undefined;
}
