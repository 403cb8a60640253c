/** Which column holds what: by its name, by the user's word, or not at all. */
import { isTimeLike } from "./calendar.ts";
import { type ColumnName, columnName, roleOf, soundsLikeTime } from "./names.ts";
import { evidenceOf, isMissing } from "./numbers.ts";
import { CsvProblem, listed, quoted } from "./problem.ts";
import type { CsvRecord } from "./records.ts";

export interface ColumnOptions {
  /** Names, in any case, or numbers from 1. */
  readonly timeColumn?: string | undefined;
  readonly valueColumn?: readonly string[] | undefined;
  readonly sensorColumn?: string | undefined;
  /** Each column of numbers is a sensor of its own. */
  readonly wide?: boolean | undefined;
  /** Whether the first line names the columns; without it, that is seen. */
  readonly header?: boolean | undefined;
  /** The rows have no times and are to be given some. */
  readonly untimed?: boolean | undefined;
  /** Columns that hold numbers, where the file says of what type each is; absent: their cells show it. */
  readonly numeric?: ReadonlySet<number> | undefined;
}

export interface Columns {
  /** Empty where the file names none. */
  readonly header: readonly ColumnName[];
  /** One, or a date and a time; none where rows have no times. */
  readonly time: readonly number[];
  readonly values: readonly number[];
  /** Each value is of the sensor that its column names. */
  readonly wide: boolean;
  readonly sensor: number | undefined;
  readonly type: number | undefined;
  readonly unit: number | undefined;
  readonly location: number | undefined;
  readonly width: number;
}

/** An object or a list: neither begins the name of a column. */
const JSON_BEGINS = /^\s*[{[]\s*(["{[]|$)/;

/** @throws CsvProblem where a column is missing, or more than one would do */
export function findColumns(records: readonly CsvRecord[], options: ColumnOptions): Columns {
  const first = records[0];
  if (first === undefined) throw new CsvProblem("the file holds no rows.");
  if (JSON_BEGINS.test(first.cells[0] ?? "")) {
    throw new CsvProblem(
      "the file is JSON and not CSV: post JSON lines to /api/v1/sensors/data/bulk with content-type: application/x-ndjson.",
    );
  }
  const hasHeader = options.header ?? isHeader(first.cells);
  const header = hasHeader ? first.cells.map(columnName) : [];
  checkNames(header);
  const rows = hasHeader ? records.slice(1) : records;
  const width = first.cells.length;
  const at = (choice: string, option: string) => indexOf(choice, header, width, option);
  const role = (wanted: string) => oneOf(header, wanted);
  const time =
    options.timeColumn === undefined ? findTime(header, rows, options) : [at(options.timeColumn, "--time-column")];
  const sensor = options.sensorColumn === undefined ? role("sensor") : at(options.sensorColumn, "--sensor-column");
  const known = { sensor, type: role("type"), unit: role("unit"), location: role("location") };
  const taken = new Set([...time, ...Object.values(known)]);
  const chosen = options.valueColumn?.map((choice) => at(choice, "--value-column"));
  const values = chosen ?? findValues(header, rows, width, taken, options);
  const wide = options.wide === true || (chosen?.length ?? 0) > 1;
  if (values.some((index) => taken.has(index)))
    throw new CsvProblem("the column of the values has another meaning too.");
  if (wide && sensor !== undefined)
    throw new CsvProblem("a file has a sensor in each row or in each column, not both: --value-column chooses one.");
  return { header, time, values, wide, ...known, width };
}

/** Names stand in it, and no measurement. */
function isHeader(cells: readonly string[]): boolean {
  if (cells.some((cell) => roleOf(columnName(cell)) !== undefined)) return true;
  return !cells.some((cell) => isTimeLike(cell) || evidenceOf(cell) !== undefined) && !cells.every(isMissing);
}

function checkNames(header: readonly ColumnName[]): void {
  const seen = new Set<string>();
  for (const { text } of header) {
    if (seen.has(text) && text !== "") throw new CsvProblem(`two columns are called ${quoted(text)}.`);
    seen.add(text);
  }
}

function indexOf(choice: string, header: readonly ColumnName[], width: number, option: string): number {
  const wanted = choice.trim().toLowerCase();
  const exact = header.findIndex(({ text }) => text.trim().toLowerCase() === wanted);
  const index = exact >= 0 ? exact : header.findIndex(({ plain }) => plain === columnName(choice).plain);
  if (index >= 0) return index;
  if (/^[1-9]\d{0,5}$/.test(wanted) && Number(wanted) <= width) return Number(wanted) - 1;
  const has = header.length === 0 ? `${width} columns without names` : `the columns ${listed(names(header))}`;
  throw new CsvProblem(`${option} is ${quoted(choice)}; the file has ${has}.`);
}

const names = (header: readonly ColumnName[]) => header.map(({ text }) => text);

function oneOf(header: readonly ColumnName[], role: string): number | undefined {
  const found = header.flatMap((name, i) => (roleOf(name) === role ? [i] : []));
  if (found.length < 2) return found[0];
  const texts = listed(found.map((i) => header[i]!.text));
  const decides = role === "sensor" ? "--sensor-column decides" : "rename all but one";
  throw new CsvProblem(`the columns ${texts} may each be the ${role}: ${decides}.`);
}

function findTime(header: readonly ColumnName[], rows: readonly CsvRecord[], options: ColumnOptions): number[] {
  if (options.untimed) return [];
  if (header.length === 0) return timeOfBare(rows);
  const times = header.flatMap((name, i) => (roleOf(name) === "time" ? [i] : []));
  const dates = header.flatMap((name, i) => (roleOf(name) === "date" ? [i] : []));
  if (times.length === 1 && dates.length === 1 && isClock(rows, times[0]!)) return [dates[0]!, times[0]!];
  const found = [...times, ...dates];
  if (found.length === 1 && !isClock(rows, found[0]!)) return found;
  if (found.length > 1) {
    throw new CsvProblem(
      `the columns ${listed(found.map((i) => header[i]!.text))} may each be the time: --time-column decides.`,
    );
  }
  if (found.length === 0 && header.length === 1 && roleOf(header[0]!) === "value") return [];
  const maybe = header.filter(soundsLikeTime);
  const hint =
    maybe.length > 0
      ? `it may be ${listed(names(maybe))}: --time-column`
      : `it has ${listed(names(header))}: --time-column`;
  throw new CsvProblem(`no column is known to hold the time; ${hint} decides, or --interval where the rows have none.`);
}

const CLOCK = /^\s*\d{1,2}:\d\d(:\d\d([.,]\d+)?)?\s*([ap]m)?\s*$/i;

/** Times of a day without a date. */
function isClock(rows: readonly CsvRecord[], index: number): boolean {
  const cells = rows.slice(0, 20).map(({ cells }) => cells[index] ?? "");
  const known = cells.filter((cell) => !isMissing(cell));
  return known.length > 0 && known.every((cell) => CLOCK.test(cell));
}

/** Without names: a time and a value in this order, or a value alone. */
function timeOfBare(rows: readonly CsvRecord[]): number[] {
  const [first] = rows;
  if (first === undefined || first.cells.length === 1) return [];
  if (first.cells.length === 2 && isTimeLike(first.cells[0]!)) return [0];
  throw new CsvProblem(
    `the first line ${quoted(first.cells.join(" | "))} names no columns: --time-column 1 --value-column 2, for example, decides.`,
  );
}

function findValues(
  header: readonly ColumnName[],
  rows: readonly CsvRecord[],
  width: number,
  taken: ReadonlySet<number | undefined>,
  { wide, numeric: known }: ColumnOptions,
): number[] {
  const free = Array.from({ length: width }, (_, i) => i).filter((i) => !taken.has(i) && header[i]?.text.trim() !== "");
  const named = free.filter((i) => header[i] !== undefined && roleOf(header[i]) === "value");
  const numeric = free.filter((i) => known?.has(i) || holdsNumbers(rows, i));
  if (wide) {
    if (numeric.length > 0) return numeric;
    throw new CsvProblem("no column holds numbers.");
  }
  if (named.length === 1) return named;
  if (named.length === 0 && free.length === 1) return free;
  if (named.length === 0 && numeric.length === 1) return numeric;
  const text = (some: readonly number[]) => listed(some.map((i) => header[i]?.text ?? String(i + 1)));
  const may = named.length > 1 ? named : numeric;
  if (may.length === 0) throw new CsvProblem("no column is known to hold values: --value-column decides.");
  throw new CsvProblem(
    `the columns ${text(may)} may hold values: --value-column chooses one, --wide takes each as a sensor.`,
  );
}

function holdsNumbers(rows: readonly CsvRecord[], index: number): boolean {
  const cells = rows.map(({ cells }) => cells[index] ?? "").filter((cell) => !isMissing(cell));
  return cells.length > 0 && cells.filter((cell) => evidenceOf(cell) !== undefined).length >= cells.length / 2;
}
