/** A configuration with the files of templates that it names. */
import { glob } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type TemplateFile, templateGlobs } from "../../server/notify/index.ts";
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
    for (const path of (await Array.fromAsync(glob(pattern, { cwd: folder }))).sort()) paths.add(path);
  }
  const templates = [...paths].map(async (path) => ({ path, text: await readText(resolve(folder, path)) }));
  return { text, templates: await Promise.all(templates) };
}
