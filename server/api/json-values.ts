/** Values of JSON that the reader takes for another than was written. */

import { type DescField, ScalarType } from "@bufbuild/protobuf";
import { parseIso } from "../../formats/time.ts";
import { quoted } from "../lib/quoted.ts";

/** What JavaScript reads as a number and protobuf's JSON does not know: "0x10" would be stored as 16. */
const OTHER_BASE = /^\s*[+-]?0[xob]/i;

/** What is wrong with a field's value, or with one of a list; undefined where nothing is, or where the reader says so itself. */
export function misread({ message, scalar }: DescField, value: unknown): string | undefined {
  // The reader takes a day that does not exist for one of the next month.
  if (message?.typeName === "google.protobuf.Timestamp") return someOf(value, isNoTime, NO_TIME);
  if (scalar === undefined || TEXTS.has(scalar)) return undefined;
  return someOf(value, isOtherBase, OTHER);
}

/** Scalars that are no numbers: what stands in their strings is theirs. */
const TEXTS: ReadonlySet<ScalarType> = new Set([ScalarType.STRING, ScalarType.BYTES, ScalarType.BOOL]);

const NO_TIME = "there is no such time; give one by RFC 3339, such as 2026-01-31T12:00:00Z";
const OTHER = "give a decimal number";

function someOf(value: unknown, isWrong: (text: string) => boolean, wanted: string): string | undefined {
  const wrong = (Array.isArray(value) ? value : [value]).find((one) => typeof one === "string" && isWrong(one));
  return wrong === undefined ? undefined : `is ${quoted(wrong as string)}: ${wanted}`;
}

function isNoTime(text: string): boolean {
  return parseIso(text) === undefined;
}

function isOtherBase(text: string): boolean {
  return OTHER_BASE.test(text);
}
