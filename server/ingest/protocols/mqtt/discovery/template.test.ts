import fc from "fast-check";
import { expect, test } from "vitest";
import { valueTemplate } from "./template.ts";

const render = (template: string, payload: string) => {
  const made = valueTemplate(template);
  return typeof made === "string" ? expect.unreachable(made) : made(payload);
};

test.each([
  ["{{ value }}", "21.5", "21.5"],
  ["{{value_json.temperature}}", '{"temperature":21.5}', "21.5"],
  ["{{ value_json['AM2301'].Temperature }}", '{"AM2301":{"Temperature":20}}', "20"],
  ["{{ value_json.list[1] | float }}", '{"list":[1,"2.5"]}', "2.5"],
  ["{{ value_json.x | float(0) | round(1) }}", '{"x":"3.14159"}', "3.1"],
  ["{{ value_json.x | float(0) }}", "{}", "0"],
  ["{{ value | int }}", "7.9", "7"],
  ["{{ value_json.on }}", '{"on":true}', "True"],
  ["{{ value_json.x | is_defined }}", "{}", undefined],
  ["{{ value_json.x }}", "no JSON", undefined],
  ["{{ value_json.x | round }}", '{"x":{}}', undefined],
])("%s of %s is %s", (template, payload, wanted) => expect(render(template, payload)).toBe(wanted));

test.each([
  ["{{ value_json.x / 10 }}", /has "value_json.x \/ 10": known are/],
  ["{{ states('sensor.x') }}", /known are value, value_json/],
  ["{% if value %}1{% endif %}", /no single/],
  ["{{ value | regex_findall('x') }}", /filter "regex_findall\('x'\)": known are float/],
  ["{{ value }} {{ value }}", /no single/],
])("%s is refused by name", (template, fault) => expect(valueTemplate(template)).toMatch(fault));

test("no template and no payload make it throw", () => {
  const part = fc.constantFrom(
    "{{",
    "}}",
    "value",
    "value_json",
    ".a",
    "[0]",
    "['a']",
    "|",
    "float",
    "round(2)",
    "(",
    " ",
    "1",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 9 }), fc.oneof(fc.json(), fc.string()), (parts, payload) => {
      const made = valueTemplate(parts.join(""));
      if (typeof made !== "string") expect(["string", "undefined"]).toContain(typeof made(payload));
    }),
  );
});
