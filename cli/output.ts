import { existsSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";

/**
 * A file that a command writes, opened before its work and emptied only when there is something to write: that it cannot be written is
 * known at once, and a command that is refused leaves what was there.
 */
export class OutputFile {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #isNew: boolean;
  #begun = false;

  private constructor(path: string, file: FileHandle, isNew: boolean) {
    this.#path = path;
    this.#file = file;
    this.#isNew = isNew;
  }

  /** @throws the system's error where it cannot be written */
  static async open(path: string): Promise<OutputFile> {
    const isNew = !existsSync(path);
    // Not "w", which would empty it.
    return new OutputFile(path, await open(path, "a"), isNew);
  }

  async write(text: string): Promise<void> {
    try {
      if (!this.#begun && (await this.#file.stat()).isFile()) await this.#file.truncate();
      this.#begun = true;
      await this.#file.appendFile(text);
    } catch (error) {
      // The system does not say which file it is.
      throw Object.assign(error as Error, { path: this.#path });
    }
  }

  /** Leaves no empty file where nothing was written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    if (this.#isNew && !this.#begun) await rm(this.#path, { force: true });
  }
}
