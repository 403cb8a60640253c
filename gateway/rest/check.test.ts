import { describe, expect, test } from "vitest";
import { DetectorConfigSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { CreateSilenceRequestSchema } from "../../gen/es/telltale/v1/notification_pb.ts";
import { ListReadingsRequestSchema } from "../../gen/es/telltale/v1/query_pb.ts";
import { SensorProfileSchema } from "../../gen/es/telltale/v1/registry_pb.ts";
import { checkField } from "./check.ts";

test.each([
  [
    "2027",
    "Input should be a valid datetime in ISO 8601, 2027 may be a year or a number of seconds: write 2027-01-01 for the year",
  ],
  ["20270131", "Input should be a valid datetime in ISO 8601, write 2027-01-31 for the day"],
  ["1767225600", "Input should be a valid datetime in ISO 8601, such as 2026-01-31T12:00:00Z"],
  ["2026-02-30", "Input should be a valid datetime in ISO 8601, such as 2026-01-31T12:00:00Z"],
])("start_time=%s is refused with what to write instead", (text, msg) => {
  expect(checkField(ListReadingsRequestSchema.field.startTime, text)).toMatchObject({
    problem: { type: "datetime_parsing", msg },
  });
});

test("an object with fields of its own is taken field by field, and refused with the name of what is wrong", () => {
  const { holidays } = DetectorConfigSchema.field;
  const dates = ["2026-12-25"];
  expect(checkField(holidays, { dates, like: "friday", other: 1 })).toEqual({ value: { dates, like: "friday" } });
  expect(checkField(holidays, { dates: null })).toEqual({ value: {} });
  for (const [value, msg] of [
    [[], /^Input should be a valid dictionary$/],
    [{ dates: [1] }, /valid string \(at index 0\) \(at "dates"\)$/],
    [{ like: "someday" }, /or 'sunday' \(at "like"\)$/],
  ] as const) {
    expect(checkField(holidays, value)).toMatchObject({ problem: { msg: expect.stringMatching(msg) } });
  }
});

const many = <T>(value: T) => Array.from({ length: 10_000 }, (_, i) => [`k${i}`, value] as const);

test.each([7, {}, [], true, null])("lists and objects of texts are refused for one %j, wherever it stands", (other) => {
  const { tags, attributes } = SensorProfileSchema.field;
  for (const list of [[other], [...many("a").map(([, text]) => text), other]])
    expect(checkField(tags, list)).toMatchObject({
      problem: { msg: expect.stringContaining(`at index ${list.length - 1}`) },
    });
  for (const object of [{ last: other }, { ...Object.fromEntries(many("a")), last: other }])
    expect(checkField(attributes, object)).toMatchObject({ problem: { msg: expect.stringContaining('at "last"') } });
});

describe("a list of objects", () => {
  const field = CreateSilenceRequestSchema.field.matchers;
  const problemOf = (value: unknown) => {
    const checked = checkField(field, value);
    return "problem" in checked ? checked.problem.msg : undefined;
  };

  test("has the names of the contract and no others, each as in a body", () => {
    const matchers = [
      { name: "asset", type: "regexp", value: "a|b" },
      { name: "owner", value: "" },
    ];
    expect(checkField(field, matchers)).toEqual({ value: matchers });
    expect(checkField(field, [])).toEqual({ value: [] });
  });

  test.each([
    ["text", "Input should be a valid list"],
    [[1], "Input should be a valid dictionary (at index 0)"],
    [[{ name: "a" }, { name: 7 }], "Input should be a valid string (name at index 1)"],
    [[{ name: "a", colour: "red" }], "Input should have no other names than name, type, value (at index 0)"],
    [[{ value: "x" }], "Field required (name at index 0)"],
    [[{ name: "a", type: "like" }], "Input should be 'equal', 'not_equal', 'regexp' or 'not_regexp' (type at index 0)"],
  ])("%j is refused", (value, message) => {
    expect(problemOf(value)).toBe(message);
  });
});
