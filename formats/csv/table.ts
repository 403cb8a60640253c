/** A file as records, whatever its columns mean: encoding and delimiter are found, the first rows are there to be looked at. */
import { delimiterOf, detectDelimiter } from "./dialect.ts";
import type { Decimal } from "./numbers.ts";
import { type BadRecord, type CsvRecord, isBadRecord, readRecords } from "./records.ts";
import { decodeText, type Encoding } from "./text.ts";

/** Rows looked at before the first is taken. */
const SAMPLE_ROWS = 1_000;
/** Text of them at most, as far as they are whole rows: a row may have a million characters. */
const SAMPLE_CHARACTERS = 1024 * 1024;
/** Text looked at for the delimiter. */
const HEAD_CHARACTERS = 64 * 1024;

/** What spreadsheets take as the delimiter, in a line of its own before all others. */
const SEPARATOR = /^sep=(.)(?=[\r\n])/;

export interface TableOptions {
  readonly delimiter?: string | undefined;
  readonly decimal?: Decimal | undefined;
  readonly encoding?: Encoding | undefined;
}

export interface CsvTable {
  /** The first records. */
  readonly sample: readonly (CsvRecord | BadRecord)[];
  /** All records, those of the sample too. To be read once. */
  readonly records: AsyncIterable<CsvRecord | BadRecord>;
  readonly delimiter: string;
  readonly encoding: string;
}

/** @throws CsvProblem where it cannot be found out how the file is written */
export async function openTable(bytes: AsyncIterable<Uint8Array>, options: TableOptions): Promise<CsvTable> {
  let encoding = "";
  const text = decodeText(bytes, options.encoding, (name) => {
    encoding = name;
  });
  const [head, whole, complete] = await headOf(text);
  const given = options.delimiter ?? SEPARATOR.exec(head)?.[1];
  const delimiter = given === undefined ? detectDelimiter(head, options.decimal, complete) : delimiterOf(given);
  const [sample, records] = await sampleOf(readRecords(whole, delimiter));
  return { sample, records, delimiter, encoding };
}

/** The beginning, and all of the text with it. */
async function headOf(
  text: AsyncGenerator<string>,
): Promise<[head: string, whole: AsyncGenerator<string>, complete: boolean]> {
  let head = "";
  let complete = false;
  while (head.length < HEAD_CHARACTERS && !complete) {
    const next = await text.next();
    if (next.done) complete = true;
    else head += next.value;
  }
  async function* whole() {
    // An empty line in its place keeps the numbers of the others.
    yield head.replace(SEPARATOR, "");
    yield* text;
  }
  return [head, whole(), complete];
}

async function sampleOf(
  records: AsyncGenerator<CsvRecord | BadRecord>,
): Promise<[sample: (CsvRecord | BadRecord)[], whole: AsyncGenerator<CsvRecord | BadRecord>]> {
  const sample: (CsvRecord | BadRecord)[] = [];
  let characters = 0;
  while (sample.length < SAMPLE_ROWS && characters < SAMPLE_CHARACTERS) {
    const next = await records.next();
    if (next.done) break;
    sample.push(next.value);
    if (!isBadRecord(next.value)) for (const cell of next.value.cells) characters += cell.length;
  }
  async function* whole() {
    yield* sample.splice(0);
    yield* records;
  }
  // Those looked at, apart from those that are still to be read.
  return [[...sample], whole()];
}
