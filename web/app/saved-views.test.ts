import { expect, test } from "vitest";
import { MOST_VIEWS, readViews, removeView, saveView } from "./saved-views.ts";

function store(first: Record<string, string> = {}) {
  const kept = new Map(Object.entries(first));
  return () => ({
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, text: string) => void kept.set(key, text),
  });
}

test("a view is kept by its name and its list, and one of the same name replaces it", () => {
  const kept = store();
  saveView("alerts", { name: "night", query: "severity=critical" }, kept);
  saveView("alerts", { name: "line 3", query: "q=line-3" }, kept);
  saveView("alerts", { name: "night", query: "severity=high" }, kept);
  expect(readViews("alerts", kept)).toEqual([
    { name: "line 3", query: "q=line-3" },
    { name: "night", query: "severity=high" },
  ]);
  expect(readViews("sensors", kept)).toEqual([]);
  expect(removeView("alerts", "night", kept)).toEqual([{ name: "line 3", query: "q=line-3" }]);
});

test("there are so many at most, and the oldest makes room", () => {
  const kept = store();
  for (let i = 0; i <= MOST_VIEWS; i++) saveView("alerts", { name: `view ${i}`, query: "" }, kept);
  const views = readViews("alerts", kept);
  expect([views.length, views[0]!.name]).toEqual([MOST_VIEWS, "view 1"]);
});

test("what is no list of views is none", () => {
  for (const text of ["no json", "{}", '[1, {"name": 2}]'])
    expect(readViews("alerts", store({ "telltale-views-alerts": text }))).toEqual([]);
});
