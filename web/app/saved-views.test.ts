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

test("there are so many at most: one more is refused, and none of them goes for it", () => {
  const kept = store();
  const save = (name: string, query = "") => saveView("alerts", { name, query }, kept);
  for (let i = 1; i <= MOST_VIEWS; i++) save(`view ${i}`);
  expect(() => save("one more")).toThrow(/There are 30 views of this list.* Remove one/);
  expect(readViews("alerts", kept)).toHaveLength(MOST_VIEWS);
  expect(readViews("alerts", kept)[0]!.name).toBe("view 1");
  // One that is there may be changed.
  expect(save("view 7", "q=7").find(({ name }) => name === "view 7")).toEqual({ name: "view 7", query: "q=7" });
});

test("what is no list of views is none", () => {
  for (const text of ["no json", "{}", '[1, {"name": 2}]'])
    expect(readViews("alerts", store({ "telltale-views-alerts": text }))).toEqual([]);
});
