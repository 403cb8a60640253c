import { expect, test } from "vitest";
import { MatcherType } from "../../gen/web/telltale/v1/notification_pb.ts";
import { matcherText, problemOfRows, rowsOfSensors } from "./matchers.ts";

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

test("several sensors are one matcher, whatever their ids contain", () => {
  expect(rowsOfSensors(["a.b"])).toEqual([{ name: "sensor_id", operator: "=", value: "a.b" }]);
  const ids = ["line-3/boiler", "a.b(c)", "x|y", "q\\w", "line-3/boiler"];
  const [row] = rowsOfSensors(ids);
  expect(row).toMatchObject({ name: "sensor_id", operator: "=~" });
  const expression = new RegExp(`^(?:${row!.value})$`);
  expect([...ids, "axb(c)", "x", "boiler"].map((id) => expression.test(id))).toEqual([
    ...ids.map(() => true),
    ...[false, false, false],
  ]);
});
