import { expect, test } from "vitest";
import { inert } from "./text.ts";

test("a sensor's name cannot clear the screen, break the line or turn the text around", () => {
  expect(inert("a\x1b[2J\nb\u202ec\u2028")).toBe("a\\u{1b}[2J\\u{a}b\\u{202e}c\\u{2028}");
  expect(inert("Kessel 7 · °C")).toBe("Kessel 7 · °C");
});
