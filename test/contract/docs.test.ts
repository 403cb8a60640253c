/** What readers of the documentation rely on: links and anchors that lead somewhere, a short README, lines that fit. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const MAX_README_WORDS = 900;
const MAX_LINE = 120;

const SOURCE_FOLDER = /^(?:bench|cli|client|deploy|examples|formats|gateway|ml|proto|scripts|server|test|testing)\//;

const inDocs = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".md"))
  .map((file) => join("docs", file));
const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...inDocs];
const read = (page: string) => readFileSync(join(ROOT, page), "utf8");

/** The lines outside fenced code, each with its number from 1. */
function prose(text: string): { readonly line: string; readonly number: number }[] {
  let fenced = false;
  const lines = text.split("\n").map((line, i) => ({ line, number: i + 1 }));
  return lines.filter(({ line }) => {
    const fence = /^\s*```/.test(line);
    if (fence) fenced = !fenced;
    return !fence && !fenced;
  });
}

/** The anchors of a page, as GitHub makes them from its headings: the second of a name gets "-1". */
function anchors(text: string): Set<string> {
  const seen = new Map<string, number>();
  const names = prose(text).flatMap(({ line }) => {
    const heading = /^#{1,6} (.+)$/.exec(line)?.[1];
    if (heading === undefined) return [];
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const name = plain.replace(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-");
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    return [times === 0 ? name : `${name}-${times}`];
  });
  return new Set(names);
}

/** The targets of the links of a page, without those to other hosts. */
function links(text: string): string[] {
  const withoutCode = prose(text)
    .map(({ line }) => line)
    .join("\n")
    .replace(/`[^`]*`/g, "");
  return [...withoutCode.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to]) => to!).filter((to) => !/^[a-z]+:/.test(to));
}

/** What is wrong with a link of a page; undefined where it leads somewhere. */
function complaint(page: string, to: string): string | undefined {
  const [path = "", anchor] = to.split("#");
  const target = path === "" ? page : normalize(join(dirname(page), path));
  if (target.startsWith("..") || !existsSync(join(ROOT, target))) return `${page}: ${to}: there is no ${target}`;
  if (anchor === undefined) return undefined;
  if (statSync(join(ROOT, target)).isDirectory()) return `${page}: ${to}: a folder has no anchors`;
  return anchors(read(target)).has(anchor) ? undefined : `${page}: ${to}: ${target} has no heading #${anchor}`;
}

/** Files of the repository that pages name, by page; `NNN` stands for a number that the reader chooses. */
function namedFiles(page: string): { readonly page: string; readonly file: string }[] {
  const names = prose(read(page)).flatMap(({ line }) => [
    ...line.matchAll(/`([^`\s]+\.(?:ts|mjs|sql|proto|sh|wasm))`/g),
  ]);
  const files = names.map(([, file]) => file!).filter((file) => SOURCE_FOLDER.test(file) && !file.includes("NNN"));
  return files.filter((file) => !file.includes("*")).map((file) => ({ page, file }));
}

/** Prose lines that are too long; tables cannot be wrapped, and a line of one word neither. */
function tooLong(page: string): string[] {
  const long = prose(read(page)).filter(({ line }) => {
    const words = line.trim().split(/\s+/).length;
    return [...line].length > MAX_LINE && !line.trimStart().startsWith("|") && words > 1;
  });
  return long.map(({ line, number }) => `${page}:${number}: ${[...line].length} characters`);
}

describe("the documentation", () => {
  test("has no link or anchor that leads nowhere", () => {
    const all = pages.flatMap((page) => links(read(page)).map((to) => ({ page, to })));
    expect(all.length).toBeGreaterThan(50);
    expect(all.map(({ page, to }) => complaint(page, to)).filter((text) => text !== undefined)).toEqual([]);
  });

  test("notices a link to a page, to an anchor and out of the repository that is not there", () => {
    expect(complaint("docs/README.md", "nothing.md")).toContain("there is no docs/nothing.md");
    expect(complaint("docs/README.md", "guides/operations.md#nothing")).toContain("no heading #nothing");
    expect(complaint("README.md", "../other/README.md")).toContain("there is no ");
  });

  test("names source files that there are", () => {
    const named = pages.filter((page) => page !== "CHANGELOG.md").flatMap(namedFiles);
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter(({ file }) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  test("is found from its index, page by page", () => {
    const linked = new Set(links(read("docs/README.md")).map((to) => normalize(join("docs", to))));
    expect(inDocs.filter((page) => page !== "docs/README.md" && !linked.has(page))).toEqual([]);
  });

  test("has prose lines of at most 120 characters", () => {
    expect(pages.flatMap(tooLong)).toEqual([]);
  });

  test("begins with a README of at most 900 words", () => {
    expect(read("README.md").split(/\s+/).filter(Boolean).length).toBeLessThanOrEqual(MAX_README_WORDS);
  });
});
