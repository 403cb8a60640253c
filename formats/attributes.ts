/** What is known of a sensor beside its readings. The contract's rule of `Reading.attributes` says the same; a test checks that they agree. */
import { CONTROL_CHARACTER } from "./sensor-id.ts";

export type Attributes = Readonly<Record<string, string>>;

const MAX_ATTRIBUTES = 32;
/** Code points. */
const MAX_KEY = 64;
const MAX_VALUE = 256;

/** Looks at the first name alone: most readings have none, and there are many of them. */
export function isEmpty(attributes: Attributes): boolean {
  for (const _ in attributes) return false;
  return true;
}

/** What is wrong with the attributes, as the end of a sentence; undefined where nothing is. `show` quotes what came from outside. */
export function attributesFault(attributes: Attributes, show: (text: string) => string): string | undefined {
  const entries = Object.entries(attributes);
  if (entries.length > MAX_ATTRIBUTES) return `has ${entries.length} entries: give at most ${MAX_ATTRIBUTES}`;
  for (const [key, value] of entries) {
    if (key === "") return `has an empty key: give 1 to ${MAX_KEY} characters`;
    if (isLonger(key, MAX_KEY)) return `has the key ${show(key)}, which is longer than ${MAX_KEY} characters`;
    if (isLonger(value, MAX_VALUE)) return `has a value of ${show(key)} that is longer than ${MAX_VALUE} characters`;
    if (CONTROL_CHARACTER.test(key) || CONTROL_CHARACTER.test(value))
      return `has a control character in ${show(key)} or its value: leave it out`;
  }
  return undefined;
}

function isLonger(text: string, most: number): boolean {
  return text.length > most && [...text].length > most;
}
