import { expect, test } from "vitest";
import { parseNotifyConfig } from "./config/parse.ts";
import { groupOf, groupText, routesOf } from "./route.ts";

function rootOf(routes: string) {
  const parsed = parseNotifyConfig(`route: {receiver: all, ${routes}}\nreceivers: [{name: all}, {name: a}, {name: b}]`);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config.route;
}

const ids = (routes: string, labels: Record<string, string>) => routesOf(rootOf(routes), labels).map(({ id }) => id);

test("the first child that matches wins; with continue those behind it are tried as well", () => {
  const routes = "routes: [{match: {x: a}, continue: true}, {match: {x: a}}, {match: {x: a}}]";
  expect(ids(routes, { x: "a" })).toEqual(["0/0", "0/1"]);
  expect(ids(routes, { x: "b" })).toEqual(["0"]);
});

test("a route is taken itself where it matches and none below it does", () => {
  const routes = "routes: [{match: {x: a}, routes: [{match: {y: b}, continue: true}]}]";
  expect(ids(routes, { x: "a" })).toEqual(["0/0"]);
  expect(ids(routes, { x: "a", y: "b" })).toEqual(["0/0/0"]);
});

test("a label that is missing is the empty text, whatever it is called", () => {
  expect(ids("routes: [{matchers: ['constructor=\"\"']}]", {})).toEqual(["0/0"]);
  expect(ids("routes: [{matchers: ['x!=a']}]", {})).toEqual(["0/0"]);
  expect(ids("routes: [{matchers: ['x=~.+']}]", {})).toEqual(["0"]);
});

test("what a route does not say it has of the one above, but for its time intervals", () => {
  const parsed = parseNotifyConfig(`
route:
  receiver: all
  group_by: [x]
  group_wait: 1s
  routes:
    - receiver: a
      group_by: ['...']
      repeat_interval: 1h
      mute_time_intervals: [t]
      routes: [{group_by: [], routes: [{}]}, {}]
receivers: [{name: all}, {name: a}]
time_intervals: [{name: t, time_intervals: [{}]}]`);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  const [child] = parsed.config.route.routes;
  const [none, same] = child!.routes;
  expect(child).toMatchObject({ receiver: "a", groupBy: "all", groupWaitMs: 1_000, muteTimeIntervals: ["t"] });
  expect(same).toMatchObject({ receiver: "a", groupBy: "all", repeatIntervalMs: 3_600_000, muteTimeIntervals: [] });
  expect([none!.groupBy, none!.routes[0]!.groupBy]).toEqual([[], []]);
});

test("alerts with the same values of the labels of group_by are a group; an empty label is a missing one", () => {
  const route = rootOf("group_by: [b, a]");
  const group = groupOf(route, { a: "1", b: "2", c: "3" });
  expect(group).toEqual({ key: '{}:{a="1",b="2"}', labels: { a: "1", b: "2" } });
  expect(groupOf(route, { c: "4", b: "2", a: "1" })).toEqual(group);
  expect(groupOf(route, { a: "1" })).toEqual(groupOf(route, { a: "1", b: "" }));
  expect(groupOf(rootOf("group_by: ['...']"), { z: "1", c: "" }).labels).toEqual({ z: "1" });
  expect(groupOf(rootOf("group_wait: 0s"), { z: "1" }).labels).toEqual({});
});

test("values with quotes and commas do not make two groups one", () => {
  const route = rootOf("group_by: [a, b]");
  const keys = [{ a: '1",b="2' }, { a: "1", b: "2" }, { a: "1,b=2" }].map((labels) => groupOf(route, labels).key);
  expect(new Set(keys).size).toBe(3);
});

test("a group keeps its key when other routes come, go, or change, and when its matchers are written otherwise", () => {
  const before = rootOf("routes: [{match: {x: a}, receiver: a}, {matchers: [y=c, x=b], receiver: b}]").routes[1]!;
  const after = rootOf("group_wait: 1s, routes: [{match: {z: 1}}, {match_re: {x: a}}, {match: {x: b, y: c}}]")
    .routes[2]!;
  const labels = { x: "b", y: "c" };
  expect(after.id).not.toBe(before.id);
  expect(groupOf(after, labels).key).toBe(groupOf(before, labels).key);
});

test("each route of a tree has a key of its own, also those with the same matchers", () => {
  const same = "{match: {x: a}, continue: true, routes: [{match: {y: b}}]}";
  const root = rootOf(`routes: [${same}, ${same}, ${same}]`);
  const keys = [root, ...root.routes, ...root.routes.flatMap(({ routes }) => routes)].map(({ key }) => key);
  expect(new Set(keys).size).toBe(7);
});

test("long matchers and labels make keys of at most 500 characters, which still differ", () => {
  const long = "x".repeat(4_000);
  const root = rootOf(`routes: [{match: {x: ${long}a}}, {match: {x: ${long}b}}]`);
  const keys = root.routes.flatMap((route) => [
    route.key,
    groupOf(rootOf("group_by: [x]"), { x: route.key + long }).key,
  ]);
  expect(new Set(keys).size).toBe(4);
  for (const key of keys) expect(key.length).toBeLessThanOrEqual(500);
});

test("a group reads as the labels that its alerts share, also where these are missing", () => {
  expect(groupText(rootOf("group_by: [b, a]"), { a: "1", b: "2", c: "3" })).toBe('a="1", b="2"');
  expect(groupText(rootOf("group_by: [a, b]"), { c: "3" })).toBe("alerts without a and b");
  expect(groupText(rootOf("group_by: []"), { c: "3" })).toBe("all alerts of the route");
});
