import { expect, test } from "vitest";
import { barsOf, lineRange, pathOfTemplate } from "./route-preview.ts";

const counted = (receiver: string, messages: number, atNight: number) => ({ receiver, messages, atNight });

test("bars of all receivers have one scale, and those that a file no longer has come last", () => {
  const bars = barsOf([counted("team", 30, 10), counted("new", 0, 0)], [counted("old", 40, 0), counted("team", 20, 5)]);
  expect(bars).toEqual([
    {
      ...{ receiver: "team", byDay: 20, atNight: 10, inForce: 20, isGone: false },
      ...{ dayShare: 0.5, nightShare: 0.25, inForceShare: 0.5 },
    },
    {
      ...{ receiver: "new", byDay: 0, atNight: 0, inForce: undefined, isGone: false },
      ...{ dayShare: 0, nightShare: 0, inForceShare: 0 },
    },
    {
      ...{ receiver: "old", byDay: 0, atNight: 0, inForce: 40, isGone: true },
      ...{ dayShare: 0, nightShare: 0, inForceShare: 1 },
    },
  ]);
  expect(barsOf([counted("team", 0, 0)], [])[0]).toMatchObject({ dayShare: 0, nightShare: 0 });
});

test("a line is found in its text", () => {
  const text = "route:\n  receiver: x\n";
  expect(lineRange(text, 2)).toEqual({ from: 7, to: 20 });
  expect([0, 4].map((line) => lineRange(text, line))).toEqual([undefined, undefined]);
});

test("a file of templates is called as the configuration calls it", () => {
  const text = "templates: [mine/a.tmpl, '/etc/alert manager/b.tmpl', \"more/*.tmpl\"]\n# xa.tmpl\n- c.tmpl\n";
  expect(["a.tmpl", "c.tmpl", "d.tmpl"].map((name) => pathOfTemplate(text, name))).toEqual([
    ...["mine/a.tmpl", "c.tmpl"],
    "d.tmpl",
  ]);
});
