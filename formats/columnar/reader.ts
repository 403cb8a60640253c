/**
 * The reader of tables whose columns have types, such as Parquet and Arrow, beside that of CSV: the same names of columns, options and
 * refusals. Typed times and numbers are taken as they are; texts are read as the cells of a CSV.
 */
import { setImmediate } from "node:timers/promises";
import { type Columns, findColumns } from "../csv/columns.ts";
import { Losses } from "../csv/losses.ts";
import { columnName, timeUnitOf, zoneOf } from "../csv/names.ts";
import { NumberReader } from "../csv/numbers.ts";
import { CsvProblem, listed, quoted } from "../csv/problem.ts";
import { type CsvOptions, type CsvRow, givenTime, type RowReader, timeCell } from "../csv/read.ts";
import { type CsvSeries, SeriesTable } from "../csv/series.ts";
import { TimeReader } from "../csv/times.ts";
import { damaged } from "./budget.ts";
import { FREE_ROWS, MAX_ROWS_PER_BYTE } from "./limits.ts";
import type { ColumnarFile, ColumnField, Rows, Vector } from "./values.ts";

/** Rows looked at before the first is taken, of the first batch or page. */
const SAMPLE_ROWS = 1_000;
/** Cells of them at most. */
const SAMPLE_CELLS = 100_000;
/** Of a cell, enough to see what it is. */
const SAMPLE_CHARACTERS = 100;
/** Values at once: other work has its turn between them. */
const VALUES_AT_ONCE = 1_000;

export interface ColumnarOptions extends CsvOptions {
  /** Rows are wanted with all of their cells, not only with those that make readings. */
  readonly everyCell?: boolean | undefined;
  /** Columns that the file has to have, in snake case. */
  readonly required?: readonly string[] | undefined;
  /** Rows that are read at most; absent: all. */
  readonly maxRows?: number | undefined;
}

export class ColumnarReader implements RowReader {
  readonly losses = new Losses();
  readonly place = "row";
  readonly delimiter = ",";
  readonly format: string;
  readonly columns: Columns;
  readonly numbers: NumberReader;
  readonly times: TimeReader;
  readonly options: ColumnarOptions;
  readonly #rows: AsyncGenerator<Rows>;
  readonly #first: Rows | undefined;
  readonly #series: SeriesTable;
  /** Bytes of the file that have been read, or that it has. */
  readonly #size: () => number;
  /** A time that is one by its type. */
  readonly #typedTime: boolean;
  readonly #asText: ReadonlySet<number>;
  isWhole = false;
  #row = 0;

  /**
   * Reads the first rows and finds out what the columns mean.
   *
   * @param size bytes of the file that have been read
   * @throws CsvProblem where that cannot be found out
   */
  static async open(
    opened: () => Promise<ColumnarFile>,
    size: () => number,
    options: ColumnarOptions,
  ): Promise<ColumnarReader> {
    try {
      const file = await opened();
      const rows = file.rows();
      const first = await rows.next();
      return new ColumnarReader(file, rows, first.done ? undefined : first.value, size, options);
    } catch (error) {
      throw asProblem(error);
    }
  }

  private constructor(
    file: ColumnarFile,
    rows: AsyncGenerator<Rows>,
    first: Rows | undefined,
    size: () => number,
    options: ColumnarOptions,
  ) {
    const { fields } = file;
    checkNames(fields, options.required ?? []);
    const sample = sampleOf(fields, first);
    const numeric = new Set(fields.flatMap(({ type }, i) => (type.kind === "number" ? [i] : [])));
    this.format = file.format;
    this.options = options;
    this.columns = findColumns(sample, {
      ...options,
      header: true,
      untimed: options.intervalUs !== undefined,
      numeric,
    });
    this.#rows = rows;
    this.#first = first;
    this.#size = size;
    const { time, values, sensor, type, unit, location } = this.columns;
    const used = new Set([...time, ...values, sensor, type, unit, location].filter((index) => index !== undefined));
    checkRead(fields, used);
    if (!options.everyCell) file.only(used);
    this.#asText = new Set([...values].filter((index) => !numeric.has(index)));
    this.#series = new SeriesTable(this.columns, options);
    this.numbers = new NumberReader(options.decimal, this.delimiter, this.place);
    const names = time.map((index) => this.columns.header[index]!);
    const timeZone = options.timeZone ?? names.map(zoneOf).find((zone) => zone !== undefined);
    this.times = new TimeReader({ ...options, timeZone, place: this.place });
    const timeType = time.length === 1 ? fields[time[0]!]!.type : undefined;
    this.#typedTime = timeType?.kind === "time";
    if (timeType?.kind === "time") this.times.known(timeType.instants);
    else
      this.#learnTimes(
        sample.slice(1),
        names.map(timeUnitOf).find((name) => name),
      );
    const cells = sample.slice(1).flatMap((row) => [...this.#asText].map((i) => [row.cells[i]!, row.line] as const));
    this.numbers.learn(cells);
  }

  #learnTimes(sample: readonly Sample[], unit: string | undefined): void {
    if (this.columns.time.length === 0) return;
    const cells = sample.map(({ cells, line }) => [this.#timeText((index) => cells[index]!), line] as const);
    this.times.learn(cells.filter(([cell]) => cell !== ""));
    this.times.checkUnit(unit);
  }

  form(): string[] {
    return [this.format];
  }

  get series(): readonly CsvSeries[] {
    return this.#series.list;
  }

  async *rows(): AsyncGenerator<CsvRow> {
    for await (const some of this.chunks()) yield* some;
  }

  async *chunks(): AsyncGenerator<readonly CsvRow[]> {
    try {
      yield* this.#chunks();
    } catch (error) {
      throw asProblem(error);
    }
  }

  async *#chunks(): AsyncGenerator<readonly CsvRow[]> {
    const { maxRows = Number.POSITIVE_INFINITY } = this.options;
    const atOnce = Math.max(1, Math.floor(VALUES_AT_ONCE / this.columns.values.length));
    for (let rows = this.#first; rows !== undefined; rows = (await this.#rows.next()).value as Rows | undefined) {
      if (this.#row + rows.count > FREE_ROWS + MAX_ROWS_PER_BYTE * this.#size())
        throw new CsvProblem(`the file has more than ${MAX_ROWS_PER_BYTE} rows for each of its bytes.`);
      const end = Math.min(rows.count, maxRows - this.#row);
      for (let from = 0; from < end; from += atOnce) {
        yield this.#some(rows, from, Math.min(end, from + atOnce));
        await setImmediate();
      }
      if (end < rows.count) return void (await this.#rows.return(undefined));
    }
    this.isWhole = true;
  }

  #some({ columns }: Rows, from: number, to: number): CsvRow[] {
    const rows: CsvRow[] = [];
    for (let i = from; i < to; i++) {
      const line = ++this.#row;
      const timeUs = this.#time(columns, i, line);
      const points = Number.isNaN(timeUs) ? [] : this.#points(columns, i, line);
      const cells = this.options.everyCell ? columns.map((column) => column?.text(i) ?? "") : [];
      rows.push({ line, cells, timeUs, points });
    }
    return rows;
  }

  /** NaN where the row has none, which is noted. */
  #time(columns: Rows["columns"], i: number, line: number): number {
    const { time } = this.columns;
    if (time.length === 0) return givenTime(line - 1, this.options);
    const found = this.#typedTime ? this.#typed(columns[time[0]!]!, i) : this.#read(columns, i, line);
    if (typeof found === "number") return found;
    this.losses.add(line, "time", `${time.map((column) => this.#name(column)).join(" and ")} is ${found}`);
    return Number.NaN;
  }

  #typed(vector: Vector, i: number): number | string {
    if (vector.isMissing(i)) return "missing";
    return this.times.readKnown(vector.number(i) as number, () => vector.text(i));
  }

  #read(columns: Rows["columns"], i: number, line: number): number | string {
    const cell = this.#timeText((index) => columns[index]!.text(i));
    return cell === "" ? "missing" : this.times.read(cell, line);
  }

  #timeText(cell: (index: number) => string): string {
    return timeCell(this.columns.time.map(cell));
  }

  #points(columns: Rows["columns"], i: number, line: number): CsvRow["points"] {
    const points: { series: number; value: number }[] = [];
    for (const index of this.columns.values) {
      const value = this.#value(columns[index]!, i, index, line);
      if (value === undefined) this.losses.missing++;
      else if (typeof value === "string") this.losses.add(line, "value", `${this.#name(index)} is ${value}`);
      else {
        const series = this.#seriesOf(columns, i, index, line);
        if (series >= 0) points.push({ series, value });
      }
    }
    return points;
  }

  #value(vector: Vector, i: number, index: number, line: number): number | undefined | string {
    if (vector.isMissing(i)) return undefined;
    if (this.#asText.has(index)) return this.numbers.read(vector.text(i), line);
    const value = vector.number(i);
    if (typeof value === "string" || Number.isFinite(value)) return value;
    return Number.isNaN(value) ? undefined : `${vector.text(i)}; wanted a finite number`;
  }

  #name(index: number): string {
    return this.columns.header[index]!.text.trim() || `column ${index + 1}`;
  }

  #seriesOf(columns: Rows["columns"], i: number, index: number, line: number): number {
    let isDamaged = false;
    const cell = (column: number | undefined) => {
      const text = column === undefined ? "" : columns[column]!.text(i).trim();
      isDamaged ||= text.includes("\ufffd");
      return text;
    };
    const series = this.#series.numberOf(index, cell, `${this.place} ${line}`);
    if (typeof series === "number" && !isDamaged) return series;
    this.losses.add(
      line,
      "sensor",
      typeof series === "string" ? series : "the sensor is described by what is no UTF-8",
    );
    return -1;
  }
}

/** Bytes that say what cannot be are met in many places: reads beyond the end of a buffer are of those. */
function asProblem(error: unknown): unknown {
  return error instanceof RangeError ? damaged(`what cannot be read (${error.message})`) : error;
}

interface Sample {
  readonly cells: readonly string[];
  readonly line: number;
}

/** The names and the first rows, as texts. */
function sampleOf(fields: readonly ColumnField[], first: Rows | undefined): Sample[] {
  const names = { cells: fields.map(({ name }) => name), line: 0 };
  const most = Math.min(SAMPLE_ROWS, Math.ceil(SAMPLE_CELLS / fields.length));
  const rows = Array.from({ length: Math.min(most, first?.count ?? 0) }, (_, i) => ({
    cells: first!.columns.map((column) => column?.text(i).slice(0, SAMPLE_CHARACTERS) ?? ""),
    line: i + 1,
  }));
  return [names, ...rows];
}

function checkNames(fields: readonly ColumnField[], required: readonly string[]): void {
  if (fields.length === 0) throw new CsvProblem("the file has no columns.");
  const has = new Set(fields.map(({ name }) => columnName(name).plain));
  const missing = required.filter((name) => !has.has(name));
  if (missing.length === 0) return;
  throw new CsvProblem(
    `the file has no column ${missing.join(", ")}; it has ${listed(fields.map(({ name }) => name))}.`,
  );
}

function checkRead(fields: readonly ColumnField[], used: ReadonlySet<number>): void {
  for (const index of used) {
    const { name, type } = fields[index]!;
    if (type.kind !== "other") continue;
    throw new CsvProblem(`the column ${quoted(name)} is of the type ${type.name}, which is not read.`);
  }
}
