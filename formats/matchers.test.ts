import { expect, test } from "vitest";
import {
  excludes,
  formatMatcher,
  isExpression,
  type Matcher,
  MatcherProblem,
  matcherTest,
  operatorOf,
  parseMatchers,
} from "./matchers.ts";

const one = (text: string): Matcher => parseMatchers(text)[0]!;
const matches = (text: string, ...values: string[]) => matcherTest(one(text))(values);

test.each([
  ['site="a"', "site", "=", "a"],
  ["site=a", "site", "=", "a"],
  [' site  !=  "a b" ', "site", "!=", "a b"],
  ['site=~"a|b"', "site", "=~", "a|b"],
  ["site!~a.*", "site", "!~", "a.*"],
  ['{site="a"}', "site", "=", "a"],
  ['site=""', "site", "=", ""],
  ["site=", "site", "=", ""],
  ['site="say \\"x\\" \\\\ \\n"', "site", "=", 'say "x" \\ \n'],
  ['id=~"\\d+\\.5"', "id", "=~", "\\d+\\.5"],
  ["id=~[0-9]{2}", "id", "=~", "[0-9]{2}"],
  ['"serial number"="7"', "serial number", "=", "7"],
  ["name.of/it-2=x", "name.of/it-2", "=", "x"],
  ['ort="Köln 🔥"', "ort", "=", "Köln 🔥"],
  ['eq="a=b,c}"', "eq", "=", "a=b,c}"],
])("%s is read", (text, name, operator, value) => {
  expect(parseMatchers(text)).toEqual([{ name, operator, value }]);
  expect(parseMatchers(formatMatcher(one(text)))).toEqual([{ name, operator, value }]);
});

test("several stand in one text, with or without braces, and a comma at the end is none too many", () => {
  const wanted = [
    { name: "a", operator: "=", value: "1" },
    { name: "b", operator: "!~", value: "x,y" },
  ];
  for (const text of ['a="1",b!~"x,y"', '{ a = 1 , b !~ "x,y" , }']) expect(parseMatchers(text)).toEqual(wanted);
});

test.each([
  ["", /is empty/],
  ["{}", /is empty/],
  ["site", /has no =, !=, =~ or !~ after "site"/],
  ['site == "a', /has a " within a value/],
  ['="a"', /has no name before its operator/],
  ['site="a', /opens a quote and does not close it/],
  ['site="a" b', /has "b" behind a value: put a comma/],
  ['site=a"b', /put the whole value into quotes/],
  ['{site="a"', /opens a brace and does not close it/],
  ["site>5", /has no =, !=, =~ or !~ after "site>5"/],
])("%s is refused by name", (text, message) => {
  expect(() => parseMatchers(text)).toThrow(MatcherProblem);
  expect(() => parseMatchers(text)).toThrow(message);
  if (text !== "") expect(() => parseMatchers(text)).toThrow(text);
});

test("values are compared whole, and expressions match the whole value", () => {
  expect(matches('a="x"', "x")).toBe(true);
  expect(matches('a="x"', "xy")).toBe(false);
  expect(matches('a=~"x|y"', "y")).toBe(true);
  expect(matches('a=~"x"', "axb")).toBe(false);
  expect(matches('a=~"x.*"', "xyz")).toBe(true);
  expect(matches('a!~"x.*"', "xyz")).toBe(false);
  expect(matches('a=~"(?i)X|sn-\\d+"', "x")).toBe(true);
  expect(matches('a=~"(?i)X|sn-\\d+"', "SN-7")).toBe(true);
  expect(matches('a=~"(?i)X|sn-\\d+"', "7")).toBe(false);
  expect(matches('a=~"(?i)k.*"', "\u212a1")).toBe(true); // the sign of kelvin
  expect(matches('a=~"(?i)ÖL"', "öl")).toBe(true);
});

test("what is not there is the empty text", () => {
  expect(matches('a=""')).toBe(true);
  expect(matches('a!=""')).toBe(false);
  expect(matches('a="x"')).toBe(false);
  expect(matches('a!="x"')).toBe(true);
  expect(matches('a=~".*"')).toBe(true);
  expect(matches('a=~".+"')).toBe(false);
  expect(matches('a!~".+"')).toBe(true);
});

test("of several values one has to match, and none may match what is excluded", () => {
  expect(matches('tag="x"', "w", "x")).toBe(true);
  expect(matches('tag!="x"', "w", "x")).toBe(false);
  expect(matches('tag!="x"', "w", "y")).toBe(true);
  expect(matches('tag!~"x|z"', "w", "x")).toBe(false);
});

test.each(["(", "a)(b", "[", "*", "(?<=a)b", "(a)\\1", "a{1001}", "((a{100}){100}){100}", "(((a{10}){10}){10}){10}"])(
  "%s is refused as a regular expression, with its matcher",
  (expression) => {
    const matcher = { name: "line", operator: "=~", value: expression } as const;
    expect(() => matcherTest(matcher)).toThrow(MatcherProblem);
    expect(() => matcherTest(matcher)).toThrow(`the matcher ${formatMatcher(matcher)} `);
  },
);

test("a date and a UUID can be described by counted repetitions", () => {
  expect(matches('a=~"\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}"', "2026-01-31T12:00:00")).toBe(true);
  const uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
  expect(matches(`a=~"${uuid}"`, "3fa85f64-5717-4562-b3fc-2c963f66afa6")).toBe(true);
});

test("an expression that makes other engines backtrack takes time in proportion to the text", () => {
  const test = matcherTest(one('a=~"(x+x+)+y"'));
  // Any engine that tries all divisions of this text would still be at it when the sun goes out.
  expect(test(["x".repeat(5_000)])).toBe(false);
});

test.each([
  ["=", true, false],
  ["!=", false, false],
  ["=~", true, true],
  ["!~", false, true],
] as const)(
  "%s is the operator that Alertmanager's API has as isEqual %s, isRegex %s",
  (operator, isEqual, isRegex) => {
    expect(operatorOf({ isEqual, isRegex })).toBe(operator);
    expect({ isEqual: !excludes({ operator }), isRegex: isExpression({ operator }) }).toEqual({ isEqual, isRegex });
  },
);
