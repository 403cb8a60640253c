import { readFile } from "node:fs/promises";
import { fileTrouble } from "./errors.ts";

/**
 * The text of a file that an option or an argument names.
 *
 * @throws Error that names the file, where it cannot be read
 */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Error(fileTrouble(file, error) ?? (error as Error).message, { cause: error });
  }
}
