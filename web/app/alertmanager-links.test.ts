import { expect, test } from "vitest";
import { placeOfFragment } from "./alertmanager-links.ts";
import { rowsOfFilter } from "./matchers.ts";

/** As a template writes it: `{{ .ExternalURL }}/#/silences/new?filter=%7B…%3D"{{ .Value }}"%2C%20…%7D`. */
const FRAGMENT =
  '#/silences/new?filter=%7Bjob%3D"a+b, 99% \\"x\\""%2C%20instance%3D~"h.*"%2C%20alertname%3D%22Leak%22%7D';

test("the link by which Alertmanager's templates offer a silence leads to the form, filled in", () => {
  const place = placeOfFragment(FRAGMENT)!;
  expect(place).toMatch(/^\/silences\/new\?filter=/);
  expect(rowsOfFilter(new URL(place, "http://x").searchParams.get("filter")!)).toEqual([
    { name: "job", operator: "=", value: 'a+b, 99% "x"' },
    { name: "instance", operator: "=~", value: "h.*" },
    { name: "alertname", operator: "=", value: "Leak" },
  ]);
});

test("those to its alerts and silences lead to ours, and others nowhere else", () => {
  expect(placeOfFragment("#/alerts?receiver=team&filter=%7Ba%3D%22b%22%7D")).toBe("/alerts");
  expect(placeOfFragment("#/silences/1f71c53c-7242-4992-b39f-367a39660536")).toBe("/silences");
  expect(placeOfFragment("#/silences/new")).toBe("/silences/new");
  for (const other of ["", "#", "#main", "#/status", "#/silences/a/b"]) expect(placeOfFragment(other)).toBeUndefined();
});

test("expressions keep their backslashes", () => {
  expect(rowsOfFilter(String.raw`{instance=~"h\d+\.example"}`)).toEqual([
    { name: "instance", operator: "=~", value: String.raw`h\d+\.example` },
  ]);
});

test("a filter that is none fills in nothing", () => {
  expect(rowsOfFilter("")).toEqual([]);
  expect(rowsOfFilter("{job}")).toEqual([]);
  expect(rowsOfFilter('{a=b,"c d"!="e"}')).toEqual([
    { name: "a", operator: "=", value: "b" },
    { name: "c d", operator: "!=", value: "e" },
  ]);
});
