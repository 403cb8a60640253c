import { expect, test } from "vitest";
import { parseBody } from "./json.ts";

const parse = (text: string, type = "application/json") => parseBody(Buffer.from(text), type);

test("NaN and infinities outside of texts become numbers that are not finite; inside they stay texts", () => {
  const body = parse('{"a":NaN,"b":-Infinity,"c":"NaN and Infinity","d":"\\"NaN"}');
  expect(body).toMatchObject({
    ok: true,
    value: { a: Number.POSITIVE_INFINITY, b: Number.NEGATIVE_INFINITY, c: "NaN and Infinity", d: '"NaN' },
  });
});

test("top-level fields that hold an integer past 64 bits are named, at any depth", () => {
  const body = parse('{"a":9223372036854775807,"b":[{"c":9223372036854775808}],"d":-9223372036854775809,"e":1e30}');
  expect(body).toMatchObject({ ok: true, tooLong: ["b", "d"] });
});

test("broken JSON says where", () => {
  expect(parse('{"a":1,}')).toMatchObject({ ok: false, problem: { type: "json_invalid", loc: ["body", 7] } });
  expect(parse('{"a":')).toMatchObject({ ok: false, problem: { loc: ["body", 5] } });
  expect(parseBody(Buffer.from([0xff]), "application/json")).toMatchObject({
    ok: false,
    problem: { loc: ["body", 0] },
  });
});

test("what is not declared as JSON is a text", () => {
  expect(parse("{}", "text/plain")).toMatchObject({ ok: true, value: "{}" });
  expect(parse("{}", "application/problem+json; charset=utf-8")).toMatchObject({ ok: true, value: {} });
});
