import { readFile } from "node:fs/promises";
import { fileTrouble } from "../errors.ts";
import { inert } from "../text.ts";

/** @throws Error that names the file, where it cannot be read */
export async function readConfigText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Error(fileTrouble(file, error) ?? (error as Error).message, { cause: error });
  }
}

interface Problem {
  /** 0: it concerns the file as a whole. */
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

/** What is wrong with the file, as compilers write it. */
export function problemLine(file: string, { line, column, path, message }: Problem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return `${place}: ${inert(path === "" ? message : `${path}: ${message}`)}`;
}
