import { expect, test } from "vitest";
import { MatcherType } from "../../gen/web/telltale/v1/notification_pb.ts";
import { matcherText, problemOfRows } from "./matchers.ts";

test("a matcher is written as Alertmanager writes it", () => {
  expect(matcherText({ name: "sensor_id", type: MatcherType.REGEXP, value: 'a"b|c' })).toBe('sensor_id=~"a\\"b|c"');
});

test("a form that would silence everything, or nothing, says so", () => {
  expect(problemOfRows([])).toMatch(/at least one label/);
  expect(
    problemOfRows([
      { name: "", operator: "=", value: "x" },
      { name: "a", operator: "=", value: "b" },
    ]),
  ).toMatch(/"x" has no label/);
  expect(problemOfRows([{ name: "a", operator: "!=", value: "b" }])).toMatch(/silence of everything/);
  expect(problemOfRows([{ name: "sensor_id", operator: "=", value: "boiler" }])).toBeUndefined();
});
