import { expect, test } from "vitest";
import { elements } from "./json.ts";

async function cut(text: string, size: number, most = 1_000_000) {
  async function* chunks() {
    for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
  }
  return await Array.fromAsync(elements(chunks(), "export.json", most));
}

test("an array is cut into its elements wherever the chunks end, and each keeps its line", async () => {
  const values = [{ a: '}],"\\' }, { b: [1, { c: "[" }] }, 3, "x,y", null];
  const text = `\n[\n${values.map((value) => JSON.stringify(value)).join(",\n")}\n]\n`;
  for (const size of [1, 2, 7, 1000]) {
    const found = await cut(text, size);
    expect(found.map((each) => JSON.parse(each.text))).toEqual(values);
    expect(found.map(({ line }) => line)).toEqual([3, 4, 5, 6, 7]);
  }
  expect(await cut(" [ ] ", 1)).toEqual([]);
});

test("an array that was cut off, or goes on after its end, is an error that names the line", async () => {
  await expect(cut('[{"a":1},\n{"b"', 3)).rejects.toThrow("export.json, line 2: the array does not end");
  await expect(cut("[1]\n[2]", 3)).rejects.toThrow('export.json, line 2: "[" comes after the end');
  await expect(cut(`["${"x".repeat(100)}"]`, 10, 50)).rejects.toThrow("longer than 50 characters");
});
