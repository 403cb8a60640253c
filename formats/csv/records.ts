/** Text to records, by csv-parse as a stream: memory holds a record and a chunk, however large the file. */
import { Readable } from "node:stream";
import { CsvError, type Info, parse } from "csv-parse";
import { CsvProblem } from "./problem.ts";

/** A longer record is none: a quote was opened and never closed. */
const MAX_RECORD_CHARACTERS = 1024 * 1024;

const NEVER_CLOSED: ReadonlySet<string> = new Set(["CSV_QUOTE_NOT_CLOSED", "CSV_MAX_RECORD_SIZE"]);

export interface CsvRecord {
  readonly cells: readonly string[];
  /** On which the record begins, from 1. */
  readonly line: number;
}

/** A record whose quotes do not fit together. */
export interface BadRecord {
  readonly line: number;
  readonly reason: string;
}

/** Blank lines and lines that begin with # are passed over. Lines end in LF, CRLF or CR. */
export async function* readRecords(
  text: AsyncIterable<string>,
  delimiter: string,
): AsyncGenerator<CsvRecord | BadRecord> {
  const skipped: BadRecord[] = [];
  let unclosed: CsvError | undefined;
  const source = Readable.from(text);
  const parser = source.pipe(
    parse({
      delimiter,
      info: true,
      max_record_size: MAX_RECORD_CHARACTERS,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      relax_quotes: true,
      skip_records_with_error: true,
      skip_empty_lines: true,
      comment: "#",
      comment_no_infix: true,
      on_skip: (error: CsvError | undefined) => {
        if (NEVER_CLOSED.has(error?.code ?? "")) unclosed = error;
        else skipped.push({ line: Number(error?.lines ?? 0), reason: "the quotes do not fit together" });
      },
    }),
  );
  source.on("error", (error) => parser.destroy(error));
  let next = 1;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
      yield* skipped.splice(0);
      const line = info.lines - breaksIn(record);
      next = info.lines + 1;
      if (record.some((cell) => cell.trim() !== "")) yield { cells: record, line };
    }
    yield* skipped;
    if (unclosed !== undefined) throw unclosed;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const text = `line ${next} or later: a quote is opened and never closed.`;
    throw new CsvProblem(NEVER_CLOSED.has(error.code) ? text : error.message, { cause: error });
  } finally {
    source.destroy();
  }
}

/** The number of line breaks inside the quoted cells of a record. */
function breaksIn(record: readonly string[]): number {
  let breaks = 0;
  for (const cell of record) {
    if (!cell.includes("\n") && !cell.includes("\r")) continue;
    breaks += cell.match(/\r\n|\n|\r/g)?.length ?? 0;
  }
  return breaks;
}

export function isBadRecord(record: CsvRecord | BadRecord): record is BadRecord {
  return "reason" in record;
}
