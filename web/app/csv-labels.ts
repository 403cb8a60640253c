/** What people call the fields by which they say how a CSV file is read. */
import { type CsvField, EACH_COLUMN } from "./csv-options.ts";

export const CSV_LABELS: Readonly<Record<CsvField, string>> = {
  sensor_id: "Sensor",
  sensor_column: "Column of the sensors",
  time_column: "Column of the times",
  value_column: "Column of the values",
  unit: "Unit",
  time_zone: "Zone of times without one",
  day_order: "01/02/2026 is",
  time_unit: "Times that are numbers",
  dst: "Hours that occur twice",
  delimiter: "Between cells",
  decimal: "Decimal mark",
  header: "First line",
  encoding: "Encoding",
  sensor_type: "Type of sensor",
  location: "Location",
  interval: "Seconds between rows",
  start: "Time of the first row",
};

type Choice = readonly [value: string, text: string];

/** Of the fields that are chosen. Columns of the file come before that of the values. */
export const CSV_CHOICES: Readonly<Partial<Record<CsvField, readonly Choice[]>>> = {
  value_column: [[EACH_COLUMN, "each column is a sensor"]],
  day_order: [
    ["day_first", "the first of February"],
    ["month_first", "the second of January"],
  ],
  time_unit: [
    ["s", "seconds since 1970"],
    ["ms", "milliseconds"],
    ["us", "microseconds"],
    ["ns", "nanoseconds"],
  ],
  dst: [
    ["earlier", "are the earlier ones"],
    ["later", "are the later ones"],
  ],
  delimiter: [
    ["comma", "comma"],
    ["semicolon", "semicolon"],
    ["tab", "tab"],
    ["pipe", "pipe"],
    ["space", "space"],
  ],
  decimal: [
    [".", "point"],
    [",", "comma"],
  ],
  header: [
    ["true", "names the columns"],
    ["false", "is a row"],
  ],
  encoding: [
    ["utf-8", "UTF-8"],
    ["utf-16le", "UTF-16"],
    ["windows-1252", "Windows-1252"],
  ],
};
