/** Whoever writes the configuration cannot stop notifications with a template: each of these would take minutes, or all memory. */
import { expect, test } from "vitest";
import { notification } from "../../../testing/notification.ts";
import { filledRouteLabels } from "./route-labels.ts";
import { fillingOf, TemplateLibrary } from "./template.ts";

const LABELS = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`label_${i}`, "x".repeat(50)]));
/** A text of 200,000 characters. */
const LONG = `{{ $x := printf "%09999d" 1 }}{{ $x = print ${"$x ".repeat(20)}}}`;

function filledIn(source: string): string {
  const message = { ...notification(), commonLabels: LABELS };
  const template = new TemplateLibrary().read(source, "x.tmpl", { mode: "text", most: 1_000, isWhole: true });
  return template.fill(fillingOf(message, 1_700_000_000_000_000));
}

test.each([
  ["expressions that are all others", '{{ range $i := 50000 }}{{ $y := match (printf "a{%d}" $i) "" }}{{ end }}'],
  ["a long text that is looked at again and again", `${LONG}{{ range 50000 }}{{ $y := printf "%.0s" $x }}{{ end }}`],
  ["a long text that is cut again and again", `${LONG}{{ range 50000 }}{{ $y := slice $x 0 1 }}{{ end }}`],
  ["labels that are sorted again and again", "{{ range 40000 }}{{ $y := $.CommonLabels.SortedPairs }}{{ end }}"],
  ["lists of lists, as text", "{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ $y := print $x }}"],
  ["dicts of dicts, as JSON", '{{ $x := dict }}{{ range 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ toJson $x }}'],
  // Most steps are taken by what costs little.
  [
    "an expression that looks to the end behind each match",
    `${LONG}{{ range 190000 }}{{ end }}{{ reReplaceAll "(?:.*x)|." "-" $x }}`,
  ],
  ["a range without end", "{{ range 9007199254740991 }}{{ end }}"],
])("too much work is refused: %s", (_, template) => {
  expect(() => filledIn(template)).toThrow("takes more than 200000 steps");
});

test.each([
  ["a text for each of many characters", `${LONG}{{ reReplaceAll "." $x $x }}`],
  [
    "the match itself, many times, for each of many characters",
    `${LONG}{{ reReplaceAll "." "${"$0".repeat(900)}" $x }}`,
  ],
  ["a text in many places", `${LONG}{{ printf "${"%[1]s".repeat(12_000)}" $x }}`],
  [
    "a long separator between many",
    `${LONG}{{ $l := list }}{{ range 100 }}{{ $l = append $l ${"1 ".repeat(50)}}}{{ end }}{{ join $x $l }}`,
  ],
])("too much text is refused before it is there: %s", (_, template) => {
  expect(() => filledIn(template)).toThrow("makes more than 262144 characters");
});

test("labels of a route have one bound together, also those that use each other", () => {
  const read = (source: string, name: string) =>
    new TemplateLibrary().read(source, name, { mode: "text", most: 100, isWhole: false });
  const labels = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`l${i}`, read(`{{ range 90000 }}{{ end }}${i}`, `l${i}`)]),
  );
  const used = { ...labels, all: read('{{ routeLabels "l50" }}', "all") };
  const { routeLabels, routeLabelTroubles } = filledRouteLabels(used, notification(), 1_700_000_000_000_000);
  expect(Object.keys(routeLabels!)).toEqual(["l0", "l1"]);
  expect(routeLabelTroubles).toHaveLength(99);
  expect(routeLabelTroubles![0]).toBe("l2:1:10: takes more than 200000 steps with the texts before it.");
});

test("the texts of a message have one bound together", () => {
  const library = new TemplateLibrary();
  const filling = fillingOf(notification(), 1_700_000_000_000_000);
  const fill = () =>
    library.read("{{ range 150000 }}{{ end }}", "x", { mode: "text", most: 9, isWhole: true }).fill(filling);
  for (let i = 0; i < 3; i++) fill();
  expect(fill).toThrow("x:1:10: takes more than 500000 steps with the texts before it.");
});

test("a layout of times has a length", () => {
  expect(() => filledIn(`{{ now.Format "${"MST".repeat(200)}" }}`)).toThrow("has a layout of 600 characters");
});

test("a time past all calendars is refused", () => {
  expect(() => filledIn("{{ now.AddDate 300000 0 0 }}")).toThrow("no calendar has");
});

test("a text is tried against a layout in one way only, however many there are", () => {
  expect(filledIn(`{{ toDate "${"2".repeat(61)}" "${"1".repeat(92)}x" }}`)).toBe(filledIn('{{ toDate "2006" "x" }}'));
});
