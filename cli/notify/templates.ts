/** A configuration with the files of templates that it names. */
import { glob } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { MAX_TEMPLATE_FILES, type TemplateFile, templateGlobs } from "../../server/notify/index.ts";
import { readText } from "../input.ts";

export interface ConfigFiles {
  readonly text: string;
  readonly templates: readonly TemplateFile[];
}

/** Paths and patterns count from the file's own folder. */
export async function readConfigFiles(file: string): Promise<ConfigFiles> {
  const text = await readText(file);
  const folder = dirname(resolve(file));
  const paths = new Set<string>();
  for (const pattern of templateGlobs(text)) {
    for (const path of (await found(pattern, folder)).sort()) paths.add(path);
    if (paths.size > MAX_TEMPLATE_FILES) throw new Error(tooMany(file));
  }
  const templates = [...paths].map(async (path) => ({ path, text: await readText(resolve(folder, path)) }));
  return { text, templates: await Promise.all(templates) };
}

/** As many as are one too many, at most: a pattern may fit all files of the machine. */
async function found(pattern: string, folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const path of glob(pattern, { cwd: folder })) {
    paths.push(path);
    if (paths.length > MAX_TEMPLATE_FILES) break;
  }
  return paths;
}

function tooMany(file: string): string {
  return `${file}: templates names more than ${MAX_TEMPLATE_FILES} files: name fewer, or put several into one.`;
}
