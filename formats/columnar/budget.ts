/** The memory of one file that is read: what would need more of it is refused before it is taken. */
import { CsvProblem } from "../csv/problem.ts";
import { MAX_COLUMNAR_BYTES } from "./limits.ts";

export class Budget {
  readonly #most: number;
  #held = 0;

  constructor(most: number = MAX_COLUMNAR_BYTES) {
    this.#most = most;
  }

  /** @throws CsvProblem where so many bytes more are too many */
  hold(bytes: number): void {
    if (!(bytes >= 0)) throw damaged("a part of negative size");
    if (this.#held + bytes > this.#most) {
      const wanted = `it needs more than ${Math.floor(this.#most / 1024 / 1024)} MiB of memory at once`;
      throw new CsvProblem(`${wanted}: write it with smaller record batches, or with smaller pages and row groups.`);
    }
    this.#held += bytes;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }
}

export function damaged(what: string): CsvProblem {
  return new CsvProblem(`the file is damaged or was cut off: it holds ${what}.`);
}
