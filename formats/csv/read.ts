/**
 * The one reader of CSV: bytes in, readings out, in the order of the file and with memory for a chunk of it. How the file is
 * written is found in its first rows; what can be understood in two ways refuses the file, and names the option that decides.
 */
import { isTimeLike } from "./calendar.ts";
import { type ColumnOptions, type Columns, findColumns } from "./columns.ts";
import { Losses } from "./losses.ts";
import { timeUnitOf, zoneOf } from "./names.ts";
import { isMissing, NumberReader } from "./numbers.ts";
import { CsvProblem, type Place, quoted } from "./problem.ts";
import { type BadRecord, type CsvRecord, isBadRecord } from "./records.ts";
import { type CsvSeries, type SeriesOptions, SeriesTable } from "./series.ts";
import { type CsvTable, openTable, type TableOptions } from "./table.ts";
import { type TimeOptions, TimeReader } from "./times.ts";
import { originalText } from "./write.ts";

const MINUTE_US = 60e6;
/** Start of rows without times: any instant will do, this one is a Monday at midnight (2024-01-01 UTC). */
const UNTIMED_START_US = 1_704_067_200e6;

export interface CsvOptions
  extends Omit<ColumnOptions, "untimed" | "numeric">,
    TimeOptions,
    TableOptions,
    SeriesOptions {
  /** Of all rows, as sensorType, unit and location are; without it, what the file says of each. */
  readonly sensorId?: string | undefined;
  /** Gives times to rows without: so far apart, from `startUs` on. */
  readonly intervalUs?: number | undefined;
  readonly startUs?: number | undefined;
}

export interface CsvRow {
  readonly line: number;
  /** As they stand in the file; none where the quotes do not fit together, or where nobody has asked for them. */
  readonly cells: readonly string[];
  /** Whole microseconds since 1970; NaN where the row cannot be read. */
  readonly timeUs: number;
  /** One where the file has a column of values, one for each sensor with a value where it is wide. */
  readonly points: readonly { readonly series: number; readonly value: number }[];
}

/** What readers of files with rows have in common, whichever format they read. */
export interface RowReader {
  readonly losses: Losses;
  /** By their numbers in the rows. Grows while the file is read. */
  readonly series: readonly CsvSeries[];
  readonly columns: Columns;
  readonly numbers: NumberReader;
  readonly times: TimeReader;
  readonly options: CsvOptions;
  /** What its rows are counted by in messages. */
  readonly place: Place;
  /** Between the cells of a CSV that is made of its rows. */
  readonly delimiter: string;
  /** Whether all rows have been read. */
  readonly isWhole: boolean;
  /** How the file is written, for people. */
  form(): string[];
  /** Each row after the names of the columns. To be read once. @throws CsvProblem where the rest cannot be read */
  rows(): AsyncGenerator<CsvRow>;
  /** The same, some at a time. To be read once, this or `rows`. */
  chunks(): AsyncGenerator<readonly CsvRow[]>;
}

export class CsvReader implements RowReader {
  readonly place = "line";
  readonly losses = new Losses();
  readonly columns: Columns;
  readonly delimiter: string;
  readonly encoding: string;
  readonly numbers: NumberReader;
  readonly times: TimeReader;
  readonly options: CsvOptions;
  readonly #records: AsyncIterable<CsvRecord | BadRecord>;
  readonly #series: SeriesTable;
  isWhole = false;
  #rows = 0;

  /**
   * Reads the first rows and finds out how the file is written.
   *
   * @throws CsvProblem where that cannot be found out
   */
  static async open(bytes: AsyncIterable<Uint8Array>, options: CsvOptions = {}): Promise<CsvReader> {
    return new CsvReader(await openTable(bytes, options), options);
  }

  private constructor({ sample, records, delimiter, encoding }: CsvTable, options: CsvOptions) {
    const good = sample.filter((each): each is CsvRecord => !isBadRecord(each));
    this.columns = findColumns(good, { ...options, untimed: options.intervalUs !== undefined });
    this.#records = records;
    this.delimiter = delimiter;
    this.encoding = encoding;
    const times = this.columns.time.map((index) => this.columns.header[index]).filter((name) => name !== undefined);
    const timeZone = options.timeZone ?? times.map(zoneOf).find((zone) => zone !== undefined);
    this.#series = new SeriesTable(this.columns, options);
    this.options = options;
    this.numbers = new NumberReader(options.decimal, delimiter);
    this.times = new TimeReader({ ...options, timeZone });
    this.#learn(
      good.slice(this.columns.header.length > 0 ? 1 : 0),
      times.map(timeUnitOf).find((unit) => unit),
    );
  }

  get series(): readonly CsvSeries[] {
    return this.#series.list;
  }

  #learn(rows: readonly CsvRecord[], unit: string | undefined): void {
    const { time, values, width } = this.columns;
    const whole = rows.filter(({ cells }) => cells.length === width || surplusIsEmpty(cells, width));
    const [odd] = rows;
    if (whole.length === 0 && odd !== undefined)
      throw new CsvProblem(`line ${odd.line}: ${this.#cellsReason(odd.cells)}.`);
    if (time.length > 0) {
      const cells = whole.map(({ cells, line }) => [this.#timeCell(cells), line] as const);
      this.times.learn(cells.filter(([cell]) => cell !== ""));
      this.times.checkUnit(unit);
    }
    this.numbers.learn(whole.flatMap(({ cells, line }) => values.map((index) => [cells[index]!, line] as const)));
  }

  async *rows(): AsyncGenerator<CsvRow> {
    let header = this.columns.header.length > 0;
    for await (const record of this.#records) {
      if (isBadRecord(record)) {
        this.#rows++;
        this.losses.add(record.line, "quotes", record.reason);
        yield { line: record.line, cells: [], timeUs: Number.NaN, points: [] };
      } else if (header) header = false;
      else if (!this.#isHeaderAgain(record.cells)) yield this.#row(record);
    }
    this.isWhole = true;
  }

  async *chunks(): AsyncGenerator<readonly CsvRow[]> {
    for await (const row of this.rows()) yield [row];
  }

  form(): string[] {
    const { decimal = ".", known } = this.numbers;
    const mark = known === "given" ? "as given" : this.numbers.decimal === undefined ? "none seen yet" : "as seen";
    return [
      `delimiter ${this.delimiter === "\t" ? "tab" : quoted(this.delimiter)}`,
      `decimal mark ${quoted(decimal)} (${mark})`,
      ...(this.encoding === "utf-8" ? [] : [this.encoding.toUpperCase()]),
    ];
  }

  /** Files that were joined have their names again in the middle. */
  #isHeaderAgain(cells: readonly string[]): boolean {
    const { header } = this.columns;
    return header.length > 0 && cells[0] === header[0]!.text && cells.every((cell, i) => cell === header[i]?.text);
  }

  #row({ cells, line }: CsvRecord): CsvRow {
    const index = this.#rows++;
    if (cells.some((cell) => this.#holdsRows(cell))) {
      throw new CsvProblem(
        `line ${line}: a quoted cell goes over what look like rows; is a quote missing, or one too many?`,
      );
    }
    const bad = { line, cells, timeUs: Number.NaN, points: [] };
    const { width } = this.columns;
    if (cells.length !== width && !surplusIsEmpty(cells, width)) {
      this.losses.add(line, "cells", this.#cellsReason(cells));
      return bad;
    }
    const timeUs = this.#time(cells, line, index);
    if (typeof timeUs === "string") {
      this.losses.add(line, "time", timeUs);
      return bad;
    }
    return { line, cells, timeUs, points: this.#points(cells, line) };
  }

  /** Two quotes that belong to different rows make one cell of all between them: nothing of it may vanish unseen. */
  #holdsRows(cell: string): boolean {
    if (!cell.includes("\n") && !cell.includes("\r")) return false;
    const lines = cell.split(/\r\n|\n|\r/).slice(1);
    return lines.some((line) => {
      const cells = line.split(this.delimiter);
      return cells.length > 1 && cells.some(isTimeLike);
    });
  }

  #cellsReason(cells: readonly string[]): string {
    const { width } = this.columns;
    const hint =
      cells.length > width && this.delimiter === "," ? " (a decimal comma? --delimiter and --decimal decide)" : "";
    return `${cells.length} cells where the first line has ${width}${hint}: ${quoted(cells.join(this.delimiter))}`;
  }

  #timeCell(cells: readonly string[]): string {
    return timeCell(this.columns.time.map((column) => cells[column]!));
  }

  #time(cells: readonly string[], line: number, index: number): number | string {
    if (this.columns.time.length === 0) return givenTime(index, this.options);
    const cell = this.#timeCell(cells);
    const time = cell === "" ? "missing" : this.times.read(cell, line);
    if (typeof time === "number") return time;
    return `${this.columns.time.map((column) => this.#named(column, "time")).join(" and ")} is ${time}`;
  }

  #points(cells: readonly string[], line: number): { series: number; value: number }[] {
    const points: { series: number; value: number }[] = [];
    for (const index of this.columns.values) {
      const value = this.numbers.read(cells[index]!, line);
      if (value === undefined) this.losses.missing++;
      else if (typeof value === "string") this.losses.add(line, "value", `${this.#named(index, "value")} is ${value}`);
      else {
        const series = this.#seriesOf(cells, index, line);
        if (series >= 0) points.push({ series, value });
      }
    }
    return points;
  }

  #named(index: number, without: string): string {
    return this.columns.header[index]?.text.trim() || without;
  }

  /** Negative where the row names no sensor. */
  #seriesOf(cells: readonly string[], index: number, line: number): number {
    const cell = (column: number | undefined) => (column === undefined ? "" : originalText(cells[column]!.trim()));
    const series = this.#series.numberOf(index, cell, `line ${line}`);
    if (typeof series === "number") return series;
    this.losses.add(line, "sensor", series);
    return -1;
  }
}

/** Microseconds since 1970 for a row without a time, by its number from 0. */
export function givenTime(row: number, { intervalUs = MINUTE_US, startUs = UNTIMED_START_US }: CsvOptions): number {
  return startUs + Math.round(row * intervalUs);
}

/** A time in one cell, or a date and a time of day in two; empty where one of them is missing: half a time is another. */
export function timeCell(cells: readonly string[]): string {
  return cells.some(isMissing) ? "" : cells.map((cell) => cell.trim()).join(" ");
}

/** Lines that end in delimiters: the cells too many hold nothing. */
function surplusIsEmpty(cells: readonly string[], width: number): boolean {
  return cells.length > width && cells.slice(width).every((cell) => cell.trim() === "");
}
