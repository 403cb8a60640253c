import fc from "fast-check";
import { expect, test } from "vitest";
import { covers, filterFault, matches, namedFilter, widest } from "./topics.ts";

// The examples of the specification (MQTT 5, 4.7) among them.
test.each([
  ["sport/tennis/player1/#", "sport/tennis/player1", true],
  ["sport/tennis/player1/#", "sport/tennis/player1/ranking", true],
  ["sport/#", "sport", true],
  ["#", "a/b", true],
  ["#", "$SYS/uptime", false],
  ["+/uptime", "$SYS/uptime", false],
  ["$SYS/#", "$SYS/uptime", true],
  ["sport/tennis/+", "sport/tennis/player1", true],
  ["sport/tennis/+", "sport/tennis/player1/ranking", false],
  ["sport/+", "sport", false],
  ["sport/+", "sport/", true],
  ["+/+", "/finance", true],
  ["/+", "/finance", true],
  ["+", "/finance", false],
])("%s and %s: %s", (filter, topic, wanted) => expect(matches(filter, topic)).toBe(wanted));

test.each([
  ["", /empty/],
  ["a/#/b", /before its last level/],
  ["a/b#", /must stand alone/],
  ["a+/b", /must stand alone/],
  ["a\0", /NUL/],
  ["$share/g/a", /MQTT_SHARED_GROUP/],
  ["a/".repeat(40), /levels/],
])("%j is no filter", (filter, fault) => expect(filterFault(filter)).toMatch(fault));

test("named wildcards say what they stood for", () => {
  const filter = namedFilter("plant/{line}/{rest...}");
  if (typeof filter === "string") return expect.unreachable(filter);
  expect(filter.filter).toBe("plant/+/#");
  expect(filter.match("plant/3/press/temperature")).toEqual({ line: "3", rest: "press/temperature" });
  expect(filter.match("plant/3")).toBeUndefined();
  expect(filter.match("hall/3/press")).toBeUndefined();
});

test.each([
  ["plant/{line}/{line}", /twice/],
  ["plant/{rest...}/x", /before its last level/],
  ["plant/x{line}", /stands alone/],
  ["plant/{1}", /stands alone/],
])("%s is refused with a reason", (text, fault) => expect(namedFilter(text)).toMatch(fault));

test("of filters that cover each other only the widest is subscribed", () => {
  expect(widest(["a/b", "a/#", "a/+", "c", "c", "+/d"])).toEqual(["a/#", "c", "+/d"]);
});

test("a filter that covers another matches each of its topics", () => {
  const level = fc.constantFrom("a", "b", "", "$s");
  const filter = fc
    .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([levels, rest]) => [...levels, ...(rest ? ["#"] : [])].join("/"));
  const topic = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join("/"));
  fc.assert(
    fc.property(filter, filter, topic, (wide, narrow, name) => {
      fc.pre(covers(wide, narrow));
      if (matches(narrow, name)) expect(matches(wide, name)).toBe(true);
    }),
  );
});
