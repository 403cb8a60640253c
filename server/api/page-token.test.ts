import { expect, test } from "vitest";
import { readPageToken, writePageToken } from "./page-token.ts";

const FILTERS = { sensor_id: "a", severity: 0, resolved: undefined };
const PLACE = { timeUs: 1_700_000_000_000_001, id: 2 ** 53 - 1 };

test("a token goes on where it was made", () => {
  expect(readPageToken("", FILTERS)).toBeUndefined();
  expect(readPageToken(writePageToken(FILTERS, PLACE), { ...FILTERS })).toEqual(PLACE);
});

test("the longest token is within the contract's 200 characters", () => {
  const many = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`filter_${i}`, "x".repeat(200)]));
  expect(writePageToken(many, { timeUs: Number.MAX_SAFE_INTEGER, id: 2 ** 53 - 1 }).length).toBeLessThan(200);
});

test.each([
  ["one filter", { ...FILTERS, sensor_id: "b" }, "another sensor_id:"],
  ["a filter left out", { ...FILTERS, resolved: false }, "another resolved:"],
  ["two", { ...FILTERS, sensor_id: "", severity: 4 }, "another sensor_id and severity:"],
])("with another filter it is refused by the filter's name: %s", (_, filters, words) => {
  expect(() => readPageToken(writePageToken(FILTERS, PLACE), filters)).toThrow(words);
});

test("the token of another list is refused", () => {
  const other = writePageToken({ sensor_id: "a" }, PLACE);
  expect(() => readPageToken(other, FILTERS)).toThrow("page_token: it is of another list");
});

const encoded = (text: string) => Buffer.from(text).toString("base64url");
const valid = Buffer.from(writePageToken(FILTERS, PLACE), "base64url").toString();

test.each([
  ["no base64", "%%%"],
  ["some text", encoded("hello")],
  ["another version", encoded(valid.replace(/^1/, "2"))],
  ["a time that is too long", encoded(valid.replace(/\d+\/\d+$/, `${"9".repeat(19)}/1`))],
  ["a negative id", encoded(valid.replace(/\d+$/, "-1"))],
  ["more behind it", encoded(`${valid}/1`)],
  ["SQL", encoded("1/a.b.c/1/1; drop table alert")],
])("what is not valid is refused: %s", (_, token) => {
  expect(() => readPageToken(token, FILTERS)).toThrow(/^page_token: /);
});
