import { expect, test } from "vitest";
import { checkAlert, type GivenAlert } from "./check.ts";
import { MAX_RECEIVED_ANNOTATION, MAX_RECEIVED_LABELS, MAX_RECEIVED_NAME, MAX_RECEIVED_VALUE } from "./limits.ts";

const NOW = Date.UTC(2026, 0, 1) * 1_000;
const at = { nowUs: NOW, resolveTimeoutMs: 300_000 };

function given(changes: Partial<GivenAlert> = {}): GivenAlert {
  const nothing = { startsUs: undefined, endsUs: undefined };
  return { labels: { alertname: "HighTemp" }, annotations: {}, generatorUrl: "", ...nothing, ...changes };
}

test("times that were not sent are now, and the resolve timeout from now", () => {
  expect(checkAlert(given(), at)).toMatchObject({ alert: { startsUs: NOW, endsUs: NOW + 3e8, isTimeout: true } });
  expect(checkAlert(given({ endsUs: NOW - 5 }), at)).toMatchObject({ alert: { startsUs: NOW - 5, isTimeout: false } });
  expect(checkAlert(given({ endsUs: NOW + 5 }), at)).toMatchObject({ alert: { startsUs: NOW, endsUs: NOW + 5 } });
});

test("an empty label is the same as none", () => {
  expect(checkAlert(given({ labels: { a: "1", b: "" } }), at)).toMatchObject({ alert: { labels: { a: "1" } } });
});

test("names may be of any script, as those of today's Prometheus", () => {
  const labels = { "service.name": "x", größe: "1", "a b": "2" };
  expect(checkAlert(given({ labels }), at)).toMatchObject({ alert: { labels } });
});

const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, "x"]));

test.each<[string, Partial<GivenAlert>, RegExp]>([
  ["no labels", { labels: {} }, /^at least one label pair required$/],
  ["empty labels alone", { labels: { a: "" } }, /^at least one label pair required$/],
  ["a name that is empty", { labels: { "": "x" } }, /^invalid label set: invalid name ""$/],
  ["a name with a line break", { labels: { "a\nb": "x" } }, /^invalid label set: invalid name "a\\nb"$/],
  ["half a character in a name", { labels: { "\ud800": "x" } }, /invalid name/],
  ["a NUL in a value", { labels: { a: "x\0" } }, /^invalid label set: invalid value/],
  ["half a character in a value", { annotations: { a: "\udc00" } }, /^invalid annotations: invalid value/],
  ["an annotation without a name", { annotations: { "": "x" } }, /^invalid annotations: invalid name ""$/],
  ["too many labels", { labels: many(MAX_RECEIVED_LABELS + 1) }, /it has 101 names, more than 100$/],
  ["too many annotations", { annotations: many(MAX_RECEIVED_LABELS + 1) }, /^invalid annotations: it has 101/],
  ["a name that is too long", { labels: { ["n".repeat(MAX_RECEIVED_NAME + 1)]: "x" } }, /more than 100 characters$/],
  [
    "a value that is too long",
    { labels: { a: "x".repeat(MAX_RECEIVED_VALUE + 1) } },
    /1001 characters, more than 1000$/,
  ],
  [
    "an annotation that is too long",
    { annotations: { a: "x".repeat(MAX_RECEIVED_ANNOTATION + 1) } },
    /more than 8000$/,
  ],
  [
    "too many bytes",
    { annotations: { a: "x".repeat(8_000), b: "é".repeat(5_000) } },
    /bytes together, more than 16384$/,
  ],
  ["a URL that is none", { generatorUrl: "not a url" }, /^invalid generatorURL "not a url"/],
  ["an end before the start", { startsUs: NOW, endsUs: NOW - 1 }, /^start time must be before end time$/],
  ["a start after the end that follows", { startsUs: NOW + 1e9 }, /^start time must be before end time$/],
  ["a time that is none", { startsUs: Number.NaN }, /times from 1970 to 2200/],
  ["a time before all clocks", { startsUs: -1 }, /times from 1970 to 2200/],
  ["an end after all clocks", { endsUs: 1e16 }, /times from 1970 to 2200/],
])("%s is refused with the reason", (_, changes, reason) => {
  const checked = checkAlert(given(changes), at);
  expect("problem" in checked && checked.problem).toMatch(reason);
});
