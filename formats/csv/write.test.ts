import fc from "fast-check";
import { expect, test } from "vitest";
import { csvRow, originalText } from "./write.ts";

test.each([
  ["=HYPERLINK(1)", "'=HYPERLINK(1)"],
  ["+1-2", "'+1-2"],
  ["-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["\t=1", "'\t=1"],
  ["\r=1", `"'\r=1"`],
  [" =1", "' =1"],
  ["-", "'-"],
  ["'=1", "''=1"],
])("%j cannot be a formula", (text, wanted) => expect(csvRow([text])).toBe(`${wanted}\n`));

test.each(["-5", "+5.25", "-1e-7", "-19,88", "-.5", "1.234,5", "plain", "it's", "'quoted'", ""])(
  "%j stays as it is",
  (text) => expect(csvRow([text], ";")).toBe(`${text}\n`),
);

test("quotes, delimiters and line breaks are quoted; empty cells are empty", () => {
  expect(csvRow(['say "a,b"', "x\ny", null, undefined, 1.5])).toBe('"say ""a,b""","x\ny",,,1.5\n');
});

test("every text comes back", () => {
  const anyText = fc.oneof(fc.string({ unit: "grapheme" }), fc.stringMatching(/^['=+\-@\t\r\n 0-9a]{0,6}$/));
  fc.assert(
    fc.property(anyText, (text) => {
      const [, quoted, bare] = /^(?:"((?:[^"]|"")*)"|([\s\S]*))\n$/.exec(csvRow([text])) ?? [];
      expect(originalText(quoted === undefined ? bare! : quoted.replaceAll('""', '"'))).toBe(text);
    }),
  );
});
