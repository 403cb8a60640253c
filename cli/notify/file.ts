import { inert } from "../text.ts";

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
