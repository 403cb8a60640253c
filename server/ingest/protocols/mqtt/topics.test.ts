import fc from "fast-check";
import { expect, test } from "vitest";
import { covers, FilterTable, filterFault, namedFilter, widest } from "./topics.ts";

const matches = (filter: string, topic: string) => [...new FilterTable([filter], String).matching(topic)].length > 0;

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
  expect(filter.capture("plant/3/press/temperature")).toEqual({ line: "3", rest: "press/temperature" });
  expect(filter.capture("plant/3")).toBeUndefined();
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

const level = fc.constantFrom("a", "b", "", "$s");
const anyFilter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => [...levels, ...(rest ? ["#"] : [])].join("/"));
const anyTopic = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join("/"));

test("filters count in their order, with wildcards or without", () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyFilter, { maxLength: 8 }), anyTopic, (filters, topic) => {
      const one = filters.filter((filter) => matches(filter, topic));
      expect([...new FilterTable(filters, String).matching(topic)]).toEqual(one);
    }),
  );
});

// Each with each, or each message with each, is 10^10 comparisons: more than a test has time for.
const MANY = Array.from({ length: 100_000 }, (_, i) => `plant/${i}/state`);

test("a message is compared with filters that have wildcards alone", () => {
  const table = new FilterTable([...MANY, "hall/#"], String);
  for (const topic of MANY) expect(table.matching(topic).next().value).toBe(topic);
  expect(table.matching("hall/1").next().value).toBe("hall/#");
});

test("so are the topics of a hundred thousand entities before they are subscribed", () => {
  expect(widest([...MANY, "plant/7/#", "hall/#"])).toHaveLength(MANY.length + 1);
});

test("a filter that covers another matches each of its topics", () => {
  fc.assert(
    fc.property(anyFilter, anyFilter, anyTopic, (wide, narrow, name) => {
      fc.pre(covers(wide, narrow));
      if (matches(narrow, name)) expect(matches(wide, name)).toBe(true);
    }),
  );
});
