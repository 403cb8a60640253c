/** What came from outside, as it may stand in a message or a log line: short, on one line, with nothing that a terminal obeys. */
import { isMessage } from "@bufbuild/protobuf";

// Values are quoted so that a person recognises them, not kept.
const MAX_QUOTED_CHARACTERS = 60;

/** A text of at most 60 characters; of a longer one the beginning. */
export function quoted(text: string): string {
  const beginning = beginningOf(text);
  return beginning === text ? inert(text) : `${inert(beginning)}…`;
}

/** The value as a person would recognise it, on one line and short. */
export function quotedValue(value: unknown): string {
  if (value === undefined) return "absent";
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (isMessage(value)) return `a ${value.$typeName}`;
  if (typeof value !== "string") return `of type ${typeof value}`;
  const text = quoted(value);
  return beginningOf(value) === value ? text : `${text} (${[...value].length} characters)`;
}

/** As many whole characters as are quoted. None takes more than two units: one more than those tells whether there are more. */
function beginningOf(text: string): string {
  const characters = [...text.slice(0, 2 * (MAX_QUOTED_CHARACTERS + 1))];
  return characters.length <= MAX_QUOTED_CHARACTERS ? text : characters.slice(0, MAX_QUOTED_CHARACTERS).join("");
}

/** As JSON, with what a terminal obeys (C1 controls, separators, changes of direction) escaped as well. */
function inert(value: string): string {
  return JSON.stringify(value).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
