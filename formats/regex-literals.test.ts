import fc from "fast-check";
import { RE2JS } from "re2js";
import { expect, test } from "vitest";
import { literalsOf, mayFit } from "./regex-literals.ts";

test.each([
  ["a|b c|", ["a", "b c", ""], true],
  ["site-7/.*", ["site-7/"], false],
  [".*temp-1999.*", ["temp-1999"], false],
  ["ab?c", ["a"], false],
  ["abc{2}d", ["ab"], false],
  ["x(y|z)+abc[a-z|]", ["abc"], false],
  ["1\\.5|\\d\\d", ["1.5", ""], false],
  ["[]|[:alpha:]]a|b", ["a", "b"], false],
  ["^a$", ["a"], false],
  ["Köln🔥+x", ["Köln"], false],
  ["(?P<n>a)b|(?:c)d", ["b", "d"], false],
])("%s has to contain %j", (expression, required, exact) => {
  expect(literalsOf(expression)).toEqual({ required, exact });
});

test.each(["(?i)abc", "\\Qa|b\\E", "\\x41b", "\\pLb", "\\p{Greek}b", "a\\", "(a", "[a", "a{"])(
  "of %s nothing is said",
  (expression) => {
    expect(literalsOf(expression)).toBeUndefined();
  },
);

test("nothing that fits is excluded, and what is exact fits", () => {
  const piece = fc.constantFrom(
    ...[
      "a",
      "b",
      "ab",
      "1",
      "-",
      "\\.",
      "\\d",
      "\\w",
      ".",
      "[ab]",
      "[^a|]",
      "(a|b1)",
      "(?:b)",
      "|",
      "^",
      "$",
      "\\b",
      "é",
      "🔥",
    ],
  );
  const quantified = fc
    .tuple(piece, fc.constantFrom("", "", "", "*", "+", "?", "{2}", "{0,1}", "{1,}", "*?"))
    .map(([p, q]) => (["|", "^", "$", "\\b"].includes(p) ? p : p + q));
  const expressions = fc.array(quantified, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));
  const values = fc
    .array(fc.constantFrom("a", "b", "1", "-", ".", "é", "🔥", "|"), { maxLength: 6 })
    .map((v) => v.join(""));
  fc.assert(
    fc.property(expressions, fc.array(values, { minLength: 20, maxLength: 40 }), (expression, all) => {
      const literals = literalsOf(expression);
      if (literals === undefined) return;
      const compiled = RE2JS.compile(`^(?:${expression})$`);
      for (const value of [...all, ...literals.required]) {
        const fits = compiled.test(value);
        if (fits) expect(mayFit(literals, value), `${expression} on ${value}`).toBe(true);
        if (literals.exact) expect(literals.required.includes(value), `${expression} on ${value}`).toBe(fits);
      }
    }),
    { numRuns: 2_000 },
  );
});
