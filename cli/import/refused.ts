/** What was not stored, for people to look at: the first rows on the terminal, all of them in a file. */
import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { type BadRow, badRowText } from "./row.ts";

/** Rows named on the terminal; the file has them all. */
const NAMED_ROWS = 20;

export class RefusedRows {
  readonly file: string;
  readonly #source: string;
  readonly #say: (text: string) => void;
  #output: WriteStream | undefined;
  count = 0;

  /** The file is made with the first row; what it has from earlier runs stays. */
  constructor(file: string, source: string, say: (text: string) => void) {
    this.file = file;
    this.#source = source;
    this.#say = say;
  }

  add(row: BadRow): void {
    this.#output ??= createWriteStream(this.file, { flags: "a" });
    const { where, column, value, wanted } = row;
    this.#output.write(`${JSON.stringify({ source: this.#source, where, column, value, wanted })}\n`);
    if (this.count++ < NAMED_ROWS) this.#say(`${badRowText(row)}; left out`);
    else if (this.count === NAMED_ROWS + 1) this.#say(`more are left out; all of them are in ${this.file}`);
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    if (this.#output === undefined) return;
    this.#output.end();
    await finished(this.#output);
  }
}
