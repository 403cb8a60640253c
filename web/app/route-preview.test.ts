import { expect, test } from "vitest";
import { applyCommand, barsOf, lineRange, pathOfTemplate, templatesFor } from "./route-preview.ts";

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

const named = (...paths: string[]) => paths.map((path) => ({ path, text: `in force: ${path}` }));
const pathsFor = (text: string, chosen: string[], stored: string[]) =>
  templatesFor(
    text,
    chosen.map((name) => ({ name, text: `chosen: ${name}` })),
    named(...stored),
  ).map(({ path, text }) => (text.startsWith("chosen") ? `${path} (chosen)` : path));

test("templates of the configuration in force count where the file names them, also by a pattern", () => {
  const stored = ["/etc/alertmanager/config/a.tmpl", "/etc/alertmanager/config/b.tmpl"];
  for (const text of [
    "templates: ['/etc/alertmanager/config/*.tmpl']\n",
    "route: {}\ntemplates:\n# all of them\n- /etc/alertmanager/config/?.tmpl\nreceivers: []\n",
    "templates:\n  [\n    config/[ab].tmpl\n]\n",
  ])
    expect([text, pathsFor(text, [], stored)]).toEqual([text, stored]);
  // A pattern is not what other settings have of the kind.
  expect(pathsFor("templates: [c.tmpl] # *\nroute: { matchers: ['a=~\".*\"'] }\n", [], stored)).toEqual([]);
  expect(pathsFor("templates: ['b.tmpl', mine/c.tmpl]\n", [], ["b.tmpl", "c.tmpl", "d.tmpl"])).toEqual(["b.tmpl"]);
});

test("a chosen file of templates counts in place of the one in force", () => {
  expect(pathsFor("templates: [mine/a.tmpl]\n", ["a.tmpl"], ["a.tmpl"])).toEqual(["mine/a.tmpl (chosen)"]);
  expect(pathsFor("templates: [mine/a.tmpl]\n", ["a.tmpl"], ["mine/a.tmpl"])).toEqual(["mine/a.tmpl (chosen)"]);
  expect(pathsFor("templates: ['/etc/*.tmpl']\n", ["a.tmpl"], ["/etc/a.tmpl", "/etc/b.tmpl"])).toEqual([
    "a.tmpl (chosen)",
    "/etc/b.tmpl",
  ]);
  // Two of one name that the file tells apart.
  const both = "templates: [one/a.tmpl, two/a.tmpl]\n";
  expect(pathsFor(both, ["a.tmpl"], ["one/a.tmpl", "two/a.tmpl"])).toEqual(["one/a.tmpl (chosen)", "two/a.tmpl"]);
});

test("a command names any file as one word of a shell", () => {
  expect(["plant.yml", "my plant.yml", "it's $HOME.yml", "-x.yml"].map(applyCommand)).toEqual([
    "telltale notify apply plant.yml",
    "telltale notify apply 'my plant.yml'",
    String.raw`telltale notify apply 'it'\''s $HOME.yml'`,
    "telltale notify apply ./-x.yml",
  ]);
});
