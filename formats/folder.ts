import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes the folder and those that it lies in, where they are not there. Node's own `recursive` never ends where a folder that is there
 * takes no new ones and says ENOENT, as /proc does.
 *
 * @param mode of the folders that are made
 * @throws the system's error, of the folder that could not be made
 */
export function makeFolder(path: string, mode = 0o777): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || statSync(parent, { throwIfNoEntry: false }) !== undefined) throw error;
    makeFolder(parent, mode);
    makeFolder(path, mode);
  }
}
