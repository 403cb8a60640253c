import { expect, test } from "vitest";
import { counted } from "./counted.ts";

test.each([
  [0, "0 rows", "0 rows were"],
  [1, "1 row", "1 row was"],
  [2, "2 rows", "2 rows were"],
  [1n, "1 row", "1 row was"],
])("%s rows are %j", (count, noun, withVerb) => {
  expect(counted(count, "row")).toBe(noun);
  expect(counted(count, "row", ["was", "were"])).toBe(withVerb);
});
