import { expect, test } from "vitest";
import { type SeriesHandle, SeriesTable } from "./series.ts";

test("a handle is worth nothing in another table, and after all was forgotten", () => {
  let renamed = "a";
  const table = new SeriesTable(1, () => renamed);
  const handle: SeriesHandle = {};
  const first = table.add("a", "t", "C", undefined);
  expect(table.known(handle)).toBeUndefined();
  table.keep(handle, first);
  expect(table.known(handle)).toBe(first);
  expect(new SeriesTable(1).known(handle)).toBeUndefined();
  table.forget();
  renamed = "b";
  expect(table.known(handle)).toBeUndefined();
  const second = table.add("a", "t", "C", undefined);
  table.keep(handle, second);
  expect(table.known(handle)?.key).not.toBe(first.key);
});
