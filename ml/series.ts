/**
 * The public data sets that the detector is measured on, from CSV text: `timestamp,value`, or `value` alone at one a minute. What
 * people bring is read by `formats/csv`.
 */
import { microsOf, parseEpoch, parseIso } from "../formats/time.ts";
import { MINUTE_US } from "../server/lib/time.ts";

/** Start of series without times: any instant will do, this one is a Monday at midnight (2024-01-01 UTC). */
const UNTIMED_START_US = 1_704_067_200e6;

export interface Series {
  /** The lines after the header, as they came. */
  readonly lines: readonly string[];
  readonly header: string;
  /** Line number (from 1) of lines[0] in the file. */
  readonly firstLine: number;
  /** Microseconds since 1970 and value of each line; NaN where the line is bad. */
  readonly timeUs: Float64Array;
  readonly value: Float64Array;
  /** What is wrong with which line (number from 1 in the file), in order; at most MAX_REASONS kept. */
  readonly bad: readonly { line: number; reason: string }[];
  readonly badCount: number;
}

/** More complaints than this help nobody; the count goes on. */
const MAX_REASONS = 1000;

export function parseSeries(text: string): Series {
  const all = text.split("\n");
  if (all.at(-1) === "") all.pop();
  for (let i = 0; i < all.length; i++) if (all[i]!.endsWith("\r")) all[i] = all[i]!.slice(0, -1);
  if (all[0]?.startsWith("\ufeff")) all[0] = all[0].slice(1);
  const first = splitLine(all[0] ?? "");
  const columns = findColumns(first);
  const lines = columns.hasHeader ? all.slice(1) : all;
  const timeUs = new Float64Array(lines.length);
  const value = new Float64Array(lines.length);
  const bad: { line: number; reason: string }[] = [];
  const firstLine = columns.hasHeader ? 2 : 1;
  let badCount = 0;
  for (let i = 0; i < lines.length; i++) {
    const cells = splitLine(lines[i]!);
    timeUs[i] = columns.time < 0 ? UNTIMED_START_US + i * MINUTE_US : parseTime(cells[columns.time] ?? "");
    value[i] = parseValue(cells[columns.value] ?? "");
    const reason = complaint(cells, columns, timeUs[i]!, value[i]!);
    if (reason === "") continue;
    timeUs[i] = Number.NaN;
    value[i] = Number.NaN;
    if (badCount++ < MAX_REASONS) bad.push({ line: firstLine + i, reason });
  }
  const header = columns.hasHeader ? all[0]! : columns.time < 0 ? "value" : "timestamp,value";
  return { lines, header, firstLine, timeUs, value, bad, badCount };
}

interface Columns {
  readonly hasHeader: boolean;
  /** Index of the column of times, -1 where there is none. */
  readonly time: number;
  readonly value: number;
}

function findColumns(first: readonly string[]): Columns {
  const names = first.map((cell) => cell.trim().toLowerCase());
  const value = names.indexOf("value");
  if (value >= 0) {
    const time = names.findIndex((name) => name === "timestamp" || name === "time" || name === "observed_at");
    return { hasHeader: true, time, value };
  }
  const last = first.length > 1 ? 1 : 0;
  if (Number.isNaN(parseValue(first[last] ?? ""))) {
    throw new Error(
      `the first line is "${first.join(",").slice(0, 80)}"; wanted a header with a column "value" (and "timestamp")`,
    );
  }
  return { hasHeader: false, time: first.length > 1 ? 0 : -1, value: last };
}

function complaint(cells: readonly string[], columns: Columns, time: number, value: number): string {
  if (Number.isNaN(time))
    return `timestamp is "${cells[columns.time] ?? ""}"; wanted ISO 8601, for example 2024-01-31T12:00:00Z`;
  if (!Number.isFinite(value)) return `value is "${cells[columns.value] ?? ""}"; wanted a finite number`;
  return "";
}

/** Cells of a line; quotes as in RFC 4180, without line breaks inside them. */
function splitLine(line: string): string[] {
  if (!line.includes('"')) return line.split(",");
  const cells: string[] = [];
  for (const match of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    cells.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll('""', '"'));
  }
  return cells;
}

function parseValue(cell: string): number {
  const text = cell.trim();
  return text === "" ? Number.NaN : Number(text);
}

/** Microseconds since 1970 of an ISO 8601 time (UTC where it names no offset) or of a number of seconds; NaN where it is neither. */
export function parseTime(cell: string): number {
  const time = parseIso(cell);
  return time === undefined ? parseEpoch(cell, "s") : microsOf(time);
}
