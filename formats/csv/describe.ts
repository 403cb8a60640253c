/** How a file was understood, for people, before anything is done with it. */
import { counted } from "../counted.ts";
import { instantText } from "../time.ts";
import { listed, quoted } from "./problem.ts";
import type { RowReader } from "./read.ts";
import type { Reading, SortedReadings } from "./sorted.ts";

/** How the file is written, in one line. */
export function describeForm(reader: RowReader): string {
  const { columns, times, options } = reader;
  const { header, time, values, wide, sensor, unit, width } = columns;
  const name = (index: number) => (header[index] === undefined ? `${index + 1}` : quoted(header[index].text.trim()));
  const names = (indices: readonly number[]) => indices.map(name).join(" and ");
  const used = new Set([...time, ...values, sensor, unit, columns.type, columns.location]);
  const ignored = header.flatMap((each, i) => (used.has(i) || each.text.trim() === "" ? [] : [each.text.trim()]));
  const parts = [
    header.length === 0 ? `${width} columns without names` : undefined,
    time.length > 0 ? `time ${names(time)} (${times.describe()})` : undefined,
    wide ? `a sensor in each of ${listed(values.map(name).map(unquoted))}` : `value ${names(values)}`,
    sensor === undefined || options.sensorId !== undefined ? undefined : `sensor ${name(sensor)}`,
    unit === undefined || options.unit !== undefined ? undefined : `unit ${name(unit)}`,
    ...reader.form(),
    ignored.length > 0 ? `not read: ${listed(ignored)}` : undefined,
  ];
  return parts.filter((part) => part !== undefined).join("; ");
}

const unquoted = (text: string) => text.replace(/^"(.*)"$/, "$1");

/** What was given times that the file does not have; undefined where it has them. */
export function describeTimes({ columns, options }: RowReader): string | undefined {
  if (columns.time.length > 0) return undefined;
  const { intervalUs = 60e6, startUs = 1_704_067_200e6 } = options;
  const why = options.intervalUs === undefined ? "the file has one column, and no times" : "as asked for";
  return `${why}: one row each ${intervalUs / 1e6} s from ${instantText(startUs)} on (--interval, --start)`;
}

/** What the file holds, in one line. */
export function describeContent(
  { series, losses, place }: RowReader,
  sorted: SortedReadings,
  first: Reading | undefined,
): string {
  if (first === undefined) {
    const isEmpty = losses.first.length === 0 && losses.missing === 0;
    return isEmpty ? "there is no row below the names of the columns" : "no reading can be read";
  }
  const ids = new Set(series.map(({ sensorId }) => sensorId)).size;
  const range = `${instantText(sorted.firstUs)} to ${instantText(sorted.lastUs)}`;
  const missing = losses.missing === 0 ? "" : `; ${counted(losses.missing, "cell")} without a value`;
  const order = sorted.inOrder ? "" : "; the rows are not in the order of time and were sorted";
  const begin = `first ${instantText(first.timeUs)} ${first.value} (${place} ${first.line})`;
  return `${counted(sorted.count, "reading")} of ${counted(ids, "sensor")}, ${range}; ${begin}${missing}${order}`;
}
