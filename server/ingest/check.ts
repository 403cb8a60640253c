import { type Attributes, attributesFault, isEmpty } from "../../formats/attributes.ts";
import { CONTROL_CHARACTER, MAX_SENSOR_ID } from "../../formats/sensor-id.ts";
import { quoted } from "../lib/quoted.ts";

/**
 * The contract's field rules for readings, by hand: 0.07 µs a reading against 2.4 µs by protovalidate. `accept.test.ts` checks
 * that the two agree. They answer with the field at fault and a sentence.
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

/** The rule of `formats/sensor-id.ts`. */
function checkSensorId(value: string): Fault | undefined {
  const field = "sensor_id";
  const control = CONTROL_CHARACTER.exec(value)?.[0];
  if (control === undefined || control === "\0") return checkText(field, value, 1, MAX_SENSOR_ID);
  const code = control.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  return { field, message: `${field} ${quoted(value)} contains the control character U+${code}: leave it out` };
}

function checkText(field: string, value: string, min: number, max: number): Fault | undefined {
  const n = value.length <= max ? value.length : characters(value);
  if (n < min) return { field, message: `${field} is empty: give 1 to ${max} characters` };
  if (n > max) return { field, message: `${field} ${quoted(value)} has ${n} characters: give at most ${max}` };
  if (value.includes("\0"))
    return { field, message: `${field} ${quoted(value)} contains a NUL character: leave it out` };
  return undefined;
}

/** Every field of a series that breaks its rule. */
export function checkSeries(
  sensorId: string,
  sensorType: string,
  unit: string,
  location: string | undefined,
): readonly Fault[] {
  return [
    checkSensorId(sensorId),
    checkText("sensor_type", sensorType, 1, 50),
    checkText("unit", unit, 1, 20),
    location === undefined ? undefined : checkText("location", location, 0, 100),
  ].filter((fault) => fault !== undefined);
}

export function checkValue(value: number | undefined): Fault | undefined {
  if (value === undefined) return { field: "value", message: "value is missing: give a number" };
  if (!Number.isFinite(value)) return { field: "value", message: `value is ${value}: give a finite number` };
  return undefined;
}

/** Attributes that keep the rule and cannot change. */
const CHECKED = new WeakSet<Attributes>();

export function checkAttributes(attributes: Attributes): Fault | undefined {
  if (isEmpty(attributes) || CHECKED.has(attributes)) return undefined;
  const wrong = attributesFault(attributes, quoted);
  if (wrong !== undefined) return { field: "attributes", message: `attributes ${wrong}` };
  if (Object.isFrozen(attributes)) CHECKED.add(attributes);
  return undefined;
}
