/** What a stranger sends is looked at before anybody asks who it is: that takes time in proportion to its length. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { threadMillisecondsOf } from "../../testing/thread-time.ts";
import { Router, type RouterOptions } from "../router.ts";
import { checkField } from "./check.ts";
import { parseBody } from "./json.ts";
import { readArguments } from "./read.ts";
import { routes } from "./routes.ts";
import { unknownNames, warningHeader } from "./unknown.ts";

/** As long as the largest body. Where the time goes by the square, this takes an hour. */
const LENGTH = 1_000_000;
const ALLOWED_MS = 2_000;

const fieldOf = (name: string) => ReadingSchema.fields.find((field) => field.name === name)!;
const body = (text: string) => parseBody(Buffer.from(text), "application/json");

test.each([
  ["digits that end in a letter", `${"1".repeat(LENGTH)}x`],
  ["digits and points", `${"1".repeat(LENGTH / 2)}.${"1".repeat(LENGTH / 2)}x`],
  ["digits with underscores", `${"1_".repeat(LENGTH / 2)}x`],
  ["an exponent without end", `1e${"1".repeat(LENGTH)}x`],
  ["a point and digits", `.${"1".repeat(LENGTH)}x`],
  ["blanks", `1${" ".repeat(LENGTH)}x`],
])("a value of %s is refused at once", (_, value) => {
  expect(
    threadMillisecondsOf(() => expect(checkField(fieldOf("value"), value)).toHaveProperty("problem")),
  ).toBeLessThan(ALLOWED_MS);
});

test.each([
  ["digits", "1".repeat(LENGTH)],
  ["blanks between", `2026-01-01T00:00:00${" ".repeat(LENGTH)}x`],
  ["a fraction without end", `2026-01-01T00:00:00.${"1".repeat(LENGTH)}x`],
])("a time of %s is refused at once", (_, value) => {
  expect(
    threadMillisecondsOf(() => expect(checkField(fieldOf("observed_at"), value)).toHaveProperty("problem")),
  ).toBeLessThan(ALLOWED_MS);
});

test.each([
  ["escaped quotes", `"${'\\"'.repeat(LENGTH / 2)}`],
  ["strings", `[${'"a",'.repeat(LENGTH / 4)}`],
  ["backslashes", `"${"\\".repeat(LENGTH)}`],
  ["minus signs", "-".repeat(LENGTH)],
  ["NaN and a string that does not end", `[NaN,"${'\\"'.repeat(LENGTH / 2)}`],
])("a body of %s is refused at once", (_, text) => {
  expect(threadMillisecondsOf(() => expect(body(text).ok).toBe(false))).toBeLessThan(ALLOWED_MS);
});

test("what is refused and taken stays the same", () => {
  const taken = (value: string) => "value" in checkField(fieldOf("value"), value);
  expect(["1", "1.", ".5", "1_000", "1_0.5e-3", "-1E+5", " 7 "].filter((text) => !taken(text))).toEqual([]);
  expect(["", ".", "1__0", "_1", "1_", "e5", "1e", "1.2.3", "1 2"].filter(taken)).toEqual([]);
  expect(body('{"a": "NaN\\\\", "b": NaN}')).toMatchObject({ ok: true, value: { a: "NaN\\" } });
  expect(body('{"a": NaN, "b": "x').ok).toBe(false);
});

test("a path of slashes is unknown at once", async () => {
  const paths = {
    ...{ ingest: { paths: [] }, alertmanager: { paths: {} } },
    ...{ heartbeats: { byCredential: {}, byToken: {} }, links: {} },
  };
  const router = new Router({ ...paths, rest: {}, isReady: () => true, version: "" } as unknown as RouterOptions);
  const request = { url: `/${"/".repeat(LENGTH)}a`, method: "GET", headers: {} } as IncomingMessage;
  const sent: number[] = [];
  const response = {
    req: request,
    writeHead: (status: number) => sent.push(status),
    end: () => {},
    appendHeader: () => {},
  } as unknown as ServerResponse;
  let handled: unknown;
  const ms = threadMillisecondsOf(() => {
    handled = router.match(request).handle(request, response);
  });
  await handled;
  expect([sent, ms < ALLOWED_MS]).toEqual([[404], true]);
});

test("a hundred thousand names that nobody knows are counted, and five are told of", () => {
  const route = routes.find(({ body: taken }) => taken !== undefined)!;
  const names = Array.from({ length: 100_000 }, (_, i) => `sensor_${i}`);
  let unknown!: ReturnType<typeof unknownNames>;
  const ms = threadMillisecondsOf(() => {
    unknown = unknownNames(route, new URLSearchParams("a=1"), names);
  });
  expect(ms).toBeLessThan(500);
  expect(unknown.first.map(({ name }) => name)).toEqual(["a", "sensor_0", "sensor_1", "sensor_2", "sensor_3"]);
  expect([...unknown.counts]).toEqual([
    ["query", 1],
    ["body", 100_000],
  ]);
  expect(warningHeader(unknown)).toContain("99996 more names were ignored");
});

test("metadata of more names than fit is refused before they are looked at", () => {
  const names = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, null]));
  expect(checkField(fieldOf("metadata"), names(1_000))).toHaveProperty("value");
  expect(checkField(fieldOf("metadata"), names(90_000))).toMatchObject({ problem: { type: "dict_type" } });
});

test("a body of many values is refused without being sent back, and a small one is shown", () => {
  const route = routes.find(({ body: taken }) => taken !== undefined)!;
  const refusal = (text: string) => {
    const given = { path: {}, query: new URLSearchParams(), contentType: "application/json", acceptTimestamp: false };
    let shown = "";
    const ms = threadMillisecondsOf(() => {
      const read = readArguments(route, { ...given, body: Buffer.from(text) });
      if ("problems" in read) shown = JSON.stringify(read.problems);
    });
    return { ms, shown };
  };
  const large = refusal(`{"metadata":{"a":[${"[],".repeat(300_000)}1]}}`);
  expect(large.shown).toContain("Field required");
  expect(large.shown.length).toBeLessThan(2_000);
  expect(large.ms).toBeLessThan(1_000);
  expect(refusal(`{"unit":"C","metadata":{"a":[1,2]}}`).shown).toContain('"input":{"unit":"C","metadata":{"a":[1,2]}}');
});

test.each([
  ["lists", "[".repeat(64) + "]".repeat(64), true],
  ["lists", "[".repeat(65) + "]".repeat(65), false],
  ["objects", `${'{"a":'.repeat(65)}1${"}".repeat(65)}`, false],
])("%s nested %s are taken: %s", (_, text, ok) => {
  expect(body(text).ok).toBe(ok);
});
