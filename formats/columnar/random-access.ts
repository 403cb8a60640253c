/** A file of which any part can be read. */
export interface RandomAccess {
  readonly size: number;
  /** All of [from, from + length), in memory of its own. @throws CsvProblem where the file ends before */
  read(from: number, length: number): Promise<Buffer>;
}
