/** CSV by the reader of the commands; where it names their options, the parameters of the route are named. */
import { CsvProblem, CsvReader, describeForm, isBadRecord, openTable } from "../../../../formats/csv/index.ts";
import type { Series } from "../points.ts";
import type { BulkOptions } from "./parameters.ts";
import { type BulkPoint, type BulkSource, type RefuseLine, UploadProblem } from "./source.ts";

/** Sensors of one upload: some 40 MB with names of the greatest length. */
const MAX_SERIES = 50_000;
/** What files that name no type or unit are stored with, as by `telltale send`. */
const DEFAULT_TYPE = "sensor";
const DEFAULT_UNIT = "1";
const NO_ATTRIBUTES = Object.freeze({});

/** @throws UploadProblem where it cannot be found out how the body is written */
export async function openCsv(
  body: AsyncIterable<Uint8Array>,
  { csv: options }: BulkOptions,
  refuse: RefuseLine,
): Promise<BulkSource> {
  try {
    const reader = await CsvReader.open(body, { ...options, sensorId: undefined, maxSeries: MAX_SERIES });
    checkNamed(reader, options.sensorId);
    return new CsvSource(reader, options.sensorId, refuse);
  } catch (error) {
    throw asUploadProblem(error);
  }
}

/** What is stored while it is read has to name its sensors and times from the beginning. */
function checkNamed({ columns, options }: CsvReader, sensorId: string | undefined): void {
  if (sensorId === undefined && columns.sensor === undefined && !columns.wide)
    throw new UploadProblem(
      "no column names the sensors: sensor_id says which it is, sensor_column where they stand.",
      {
        parameters: ["sensor_id", "sensor_column"],
      },
    );
  if (sensorId !== undefined && (columns.sensor !== undefined || columns.wide))
    throw new UploadProblem("the body names its sensors, and sensor_id names another: leave sensor_id out.", {
      parameters: ["sensor_id"],
    });
  if (columns.time.length === 0 && options.intervalUs === undefined)
    throw new UploadProblem("the rows have no times: interval and start give them some.", {
      parameters: ["interval", "start", "time_column"],
    });
}

class CsvSource implements BulkSource {
  readonly #reader: CsvReader;
  readonly #sensorId: string | undefined;
  readonly #refuse: RefuseLine;
  readonly #series: Series[] = [];

  constructor(reader: CsvReader, sensorId: string | undefined, refuse: RefuseLine) {
    this.#reader = reader;
    this.#sensorId = sensorId;
    this.#refuse = refuse;
  }

  get missing(): number {
    return this.#reader.losses.missing;
  }

  async *points(): AsyncGenerator<readonly BulkPoint[]> {
    const { losses } = this.#reader;
    try {
      for await (const { timeUs, points, line } of this.#reader.rows()) {
        for (const loss of losses.first.splice(0)) this.#refuse(loss.line, asParameters(loss.reason));
        yield points.map(({ series, value }) => ({ line, series: this.#seriesOf(series), timeUs, value }));
      }
    } catch (error) {
      throw asUploadProblem(error);
    }
  }

  #seriesOf(index: number): Series {
    this.#series[index] ??= this.#named(index);
    return this.#series[index];
  }

  #named(index: number): Series {
    const { sensorId, sensorType, unit, location } = this.#reader.series[index]!;
    return {
      sensorId: this.#sensorId ?? sensorId,
      sensorType: sensorType || DEFAULT_TYPE,
      unit: unit || DEFAULT_UNIT,
      ...(location === "" ? {} : { location }),
      attributes: NO_ATTRIBUTES,
    };
  }

  understood() {
    const { columns, delimiter, encoding, numbers, times, options } = this.#reader;
    const name = (index: number) => columns.header[index]?.text.trim() ?? String(index + 1);
    const one = (index: number | undefined) => (index === undefined ? null : name(index));
    return {
      format: "csv",
      description: asParameters(describeForm(this.#reader)),
      encoding,
      delimiter,
      decimal_mark: numbers.decimal ?? ".",
      header: columns.header.length > 0,
      time_columns: columns.time.map(name),
      time: columns.time.length === 0 ? "given by interval and start" : times.describe(),
      time_zone: options.timeZone ?? null,
      value_columns: columns.values.slice(0, MAX_NAMED).map(name),
      sensor_column: columns.wide ? null : one(columns.sensor),
      wide: columns.wide,
      sensor_type_column: one(columns.type),
      unit_column: one(columns.unit),
      location_column: one(columns.location),
    } as const;
  }
}

/** Columns of a wide file that an answer names. */
const MAX_NAMED = 100;

function asUploadProblem(error: unknown): unknown {
  if (!(error instanceof CsvProblem)) return error;
  const line = /^line (\d+)\b/.exec(error.message)?.[1];
  return new UploadProblem(asParameters(error.message), {
    ...(line === undefined ? {} : { line: Number(line) }),
    parameters: parametersIn(error.message),
  });
}

const FLAGS: ReadonlySet<string> = new Set(["wide", "day-first", "month-first"]);
/** A quoted text, which is passed over, or an option with its value. */
const OPTION =
  /"(?:[^"\\]|\\.)*"|--([a-z]+(?:-[a-z]+)*)(?: ([.,]|\d+|s|earlier|later|windows-1252|utf-16le)(?![\w-]))?/g;

/** Names of the parameters that a message of the reader tells to give. */
function parametersIn(message: string): string[] {
  const options = [...message.matchAll(OPTION)].flatMap(([, option]) => (option === undefined ? [] : [option]));
  return [...new Set(options.map((option) => option.replaceAll("-", "_")))];
}

/** Rows, and cells of each, that a dry run shows as they stand. */
const SHOWN_ROWS = 6;
const SHOWN_CELLS = 100;
const SHOWN_CHARACTERS = 100;

/** The first rows of a body as they stand, also where it is not understood; null where not even its cells can be told apart. */
export async function firstRows(bytes: Uint8Array, { csv }: BulkOptions): Promise<readonly string[][] | null> {
  async function* body() {
    yield bytes;
  }
  try {
    const { sample } = await openTable(body(), csv);
    const cells = sample.flatMap((row) => (isBadRecord(row) ? [] : [row.cells.slice(0, SHOWN_CELLS)]));
    return cells.slice(0, SHOWN_ROWS).map((row) => row.map((cell) => cell.trim().slice(0, SHOWN_CHARACTERS)));
  } catch (error) {
    if (error instanceof CsvProblem) return null;
    throw error;
  }
}

/** The parameters of the route in the place of the commands' options. */
export function asParameters(message: string): string {
  return message
    .replace("decompress it, for example zcat FILE | telltale send -", "send it with content-encoding: gzip")
    .replace(OPTION, (text: string, option: string | undefined, value: string | undefined) => {
      if (option === undefined) return text;
      const name = option.replaceAll("-", "_");
      if (FLAGS.has(option)) return `${name}=true`;
      return value === undefined ? name : `${name}=${value}`;
    });
}
