import { MAX_TEMPLATE_CHARACTERS, MAX_TEMPLATE_FILES } from "../../templates/limits.ts";
import { placeIn } from "../../templates/problem.ts";
import type { TemplateFile, TemplateLibrary } from "../../templates/template.ts";
import type { Value } from "./value.ts";

/** What makes a path a pattern, which may fit no file at all. */
const PATTERN = /[*?[\\]/;

/** Loads the files, which whoever reads the configuration has found by its list. */
export function readTemplates(
  value: Value | undefined,
  files: readonly TemplateFile[],
  library: TemplateLibrary,
): void {
  if (value === undefined) return;
  const paths = new Set(files.map(({ path }) => path));
  for (const item of value.items(MAX_TEMPLATE_FILES)) {
    const path = item.line();
    if (path !== undefined && !PATTERN.test(path) && !paths.has(path)) item.flaw("there is no such file.");
  }
  const characters = files.reduce((sum, { text }) => sum + text.length, 0);
  if (files.length > MAX_TEMPLATE_FILES)
    value.flaw(`names ${files.length} files: at most ${MAX_TEMPLATE_FILES} are taken.`);
  else if (characters > MAX_TEMPLATE_CHARACTERS)
    value.flaw(`names files of ${characters} characters: at most ${MAX_TEMPLATE_CHARACTERS} are taken.`);
  else {
    library.load(files, ({ path, text }, offset, message) => {
      const { line, column } = placeIn(text, offset);
      value.flaw(`${path}:${line}:${column}: ${message}`);
    });
  }
}
