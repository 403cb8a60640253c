/** How far an import has come, in a file that the next run of the same import finds. */
import { readFile, rename, writeFile } from "node:fs/promises";
import type { Place } from "./database.ts";

/** In a file: how many of its rows, in the order of time, are settled. In a table: the last of them. */
export type Position = number | Place;

export interface Progress {
  readonly position: Position;
  /** Readings settled so far, over all runs. */
  readonly settled: number;
}

const VERSION = 1;

/** State of several imports, each under the name of its source. Losing the file costs time and nothing else. */
export class StateFile {
  readonly #file: string;
  readonly #imports: Record<string, Progress>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, imports: Record<string, Progress>) {
    this.#file = file;
    this.#imports = imports;
  }

  static async open(file: string): Promise<StateFile> {
    const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text === undefined) return new StateFile(file, {});
    try {
      const { version, imports } = JSON.parse(text);
      if (version !== VERSION || typeof imports !== "object") throw new Error(`version is ${version}, not ${VERSION}`);
      return new StateFile(file, imports);
    } catch (cause) {
      const what = "It holds only how far an import was: delete it to begin again; nothing is stored twice.";
      throw new Error(`${file} is no state of an import (${(cause as Error).message}). ${what}`, { cause });
    }
  }

  get(source: string): Progress | undefined {
    return this.#imports[source];
  }

  /** The file is always whole: the old text or the new one. */
  set(source: string, progress: Progress): Promise<void> {
    this.#imports[source] = progress;
    const text = `${JSON.stringify({ version: VERSION, imports: this.#imports }, null, 1)}\n`;
    this.#writing = this.#writing.then(async () => {
      await writeFile(`${this.#file}.new`, text);
      await rename(`${this.#file}.new`, this.#file);
    });
    return this.#writing;
  }
}
