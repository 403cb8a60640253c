import { expect, test } from "vitest";
import { wrapped } from "./wrap.ts";

const words = (count: number) => Array.from({ length: count }, (_, i) => `word${i}`).join(" ");

test("paragraphs and items are filled to 120 characters, headings, tables and empty lines stay", () => {
  const heading = `# ${words(40)}`;
  const row = `| ${words(40)} |`;
  const lines = wrapped([
    heading,
    "",
    words(20),
    words(20),
    "",
    row,
    row,
    `- ${words(30)}`,
    "  and more",
    "- two",
    "",
    "end",
  ]);
  expect(lines.filter((line) => line === heading || line === row)).toEqual([heading, row, row]);
  expect(lines.filter((line) => !/^[#|]/.test(line)).every((line) => line.length <= 120)).toBe(true);
  expect(lines.join(" ").split(/ +/)).toEqual(
    [heading, "", words(20), words(20), "", row, row, "-", words(30), "and more", "- two", "", "end"]
      .join(" ")
      .split(/ +/),
  );
  const items = lines.slice(lines.indexOf(row) + 2, lines.indexOf("- two"));
  expect(items.map((line) => line.slice(0, 2))).toEqual(["- ", "  "]);
  expect(items.at(-1)).toMatch(/and more$/);
  expect(lines.slice(-2)).toEqual(["", "end"]);
  expect(wrapped(lines)).toEqual(lines);
});
