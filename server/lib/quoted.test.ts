import { expect, test } from "vitest";
import { quoted, quotedValue } from "./quoted.ts";

test.each([
  ["short", '"short"', '"short"'],
  ["x".repeat(60), `"${"x".repeat(60)}"`, `"${"x".repeat(60)}"`],
  ["x".repeat(61), `"${"x".repeat(60)}"…`, `"${"x".repeat(60)}"… (61 characters)`],
  ["😀".repeat(60), `"${"😀".repeat(60)}"`, `"${"😀".repeat(60)}"`],
  ["😀".repeat(70), `"${"😀".repeat(60)}"…`, `"${"😀".repeat(60)}"… (70 characters)`],
  ["a\u202eb\n", '"a\\u{202e}b\\n"', '"a\\u{202e}b\\n"'],
])("a text is cut between characters, and nothing in it acts: %j", (text, short, value) => {
  expect([quoted(text), quotedValue(text)]).toEqual([short, value]);
});
