import fc from "fast-check";
import { expect, test } from "vitest";
import { StatePayload, valueTemplate } from "./template.ts";

const render = (template: string, payload: string) => {
  const made = valueTemplate(template);
  return typeof made === "string" ? expect.unreachable(made) : made(new StatePayload(payload));
};

test.each([
  ["{{ value }}", "21.5", "21.5"],
  [" {{- value -}}\n", "21.5", "21.5"],
  ["{{value_json.temperature}}", '{"temperature":21.5}', "21.5"],
  ["{{ value_json['AM2301'].Temperature }}", '{"AM2301":{"Temperature":20}}', "20"],
  ["{{ value_json.list[1] | float }}", '{"list":[1,"2.5"]}', "2.5"],
  ["{{ value_json.x | float(0) | round(1) }}", '{"x":"3.14159"}', "3.1"],
  ["{{ value_json.x | float(0) }}", "{}", "0"],
  ["{{ value | int }}", "7.9", "7"],
  ["{{ value | float(0) }}", " 21.5 ", "21.5"],
  ["{{ value | float(0) }}", "-1.5E3", "-1500"],
  ["{{ value | float(0) }}", "21,5", "0"],
  ["{{ value | float(0) }}", "0x10", "0"],
  ["{{ value | float(0) }}", "NaN", undefined],
  ["{{ value | float(0) | round(1) }}", "-inf", undefined],
  ["{{ value | int(0) }}", "nan", "0"],
  ["{{ value_json.x | default(0) }}", '{"x":null}', undefined],
  ["{{ value_json.x | default(0) }}", "{}", "0"],
  ["{{ value_json.x | float }}", '{"x":1e999}', undefined],
  ["{{ value | round }}", "2.5", "2"],
  ["{{ value | round }}", "-3.5", "-4"],
  ["{{ value | round(15) }}", "1e300", "1e+300"],
  ["{{ value_json.on }}", '{"on":true}', "True"],
  ["{{ value_json.x | is_defined }}", "{}", undefined],
  ["{{ value_json.x }}", "no JSON", undefined],
  ["{{ value_json.x | round }}", '{"x":{}}', undefined],
  // As linux2mqtt writes them.
  ["{{ value_json.x if value_json is not undefined and value_json.x is not undefined else None }}", '{"x":5}', "5"],
  ["{{ value_json.x if value_json is not undefined and value_json.x is not undefined else None }}", "{}", undefined],
  ["{{ value_json.x if value_json is not undefined and value_json.x is not undefined else None }}", "-", undefined],
  ["{{ value_json.x | float if value_json.x is defined else 0 }}", "{}", "0"],
  ["{{ value_json.x | float if value_json.x is defined else 0 }}", '{"x":"2.5"}', "2.5"],
  ["{{ value_json.x if value_json.x is not none else value_json.y }}", '{"x":null,"y":7}', "7"],
  ["{{ value_json.x if value_json.x is undefined else value_json.y | round }}", '{"x":1,"y":7.6}', "8"],
])("%s of %s is %s", (template, payload, wanted) => expect(render(template, payload)).toBe(wanted));

test.each([
  ["{{ value_json.x / 10 }}", /has "value_json.x \/ 10": known are/],
  ["{{ states('sensor.x') }}", /known are value, value_json/],
  ["{{ value_json.x if value_json.x > 3 else 0 }}", /has the condition "value_json.x > 3": known are "is defined"/],
  ["{{ value_json.x if value_json.x is defined else states('y') }}", /has "states\('y'\)": known are/],
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
    " if ",
    " is defined",
    " else ",
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
      if (typeof made !== "string") expect(["string", "undefined"]).toContain(typeof made(new StatePayload(payload)));
    }),
  );
});
