/** Files with rows, such as CSV, by the readers of the commands; where these name their options, the parameters of the route are named. */
import { CsvProblem, describeForm, type Losses, type RowReader } from "../../../../formats/csv/index.ts";
import type { Series } from "../points.ts";
import { type BulkPoint, type BulkSource, type RefuseLine, type Understood, UploadProblem } from "./source.ts";

/** Sensors of one upload: some 40 MB with names of the greatest length. */
export const MAX_SERIES = 50_000;
/** What files that name no type or unit are stored with, as by `telltale send`. */
const DEFAULT_TYPE = "sensor";
const DEFAULT_UNIT = "1";
const NO_ATTRIBUTES = Object.freeze({});

/** What the answer says of how a body is written, beside what is said of all. */
export type FormOf = () => Pick<Understood, "format"> & Readonly<Record<string, unknown>>;

/** @throws UploadProblem where it cannot be found out what the body says */
export async function openRows<R extends RowReader>(
  open: () => Promise<R>,
  sensorId: string | undefined,
  refuse: RefuseLine,
  formOf: (reader: R) => FormOf,
): Promise<BulkSource> {
  try {
    const reader = await open();
    checkNamed(reader, sensorId);
    return new RowSource(reader, sensorId, refuse, formOf(reader));
  } catch (error) {
    throw asUploadProblem(error);
  }
}

/** What is stored while it is read has to name its sensors and times from the beginning. */
function checkNamed({ columns, options }: RowReader, sensorId: string | undefined): void {
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

class RowSource implements BulkSource {
  readonly #reader: RowReader;
  readonly #form: FormOf;
  readonly #sensorId: string | undefined;
  readonly #refuse: RefuseLine;
  readonly #series: Series[] = [];
  #refused = 0;

  constructor(reader: RowReader, sensorId: string | undefined, refuse: RefuseLine, form: FormOf) {
    this.#reader = reader;
    this.#form = form;
    this.#sensorId = sensorId;
    this.#refuse = refuse;
  }

  get isWhole(): boolean {
    return this.#reader.isWhole;
  }

  get missing(): number {
    return this.#reader.losses.missing;
  }

  async *points(): AsyncGenerator<readonly BulkPoint[]> {
    const { losses } = this.#reader;
    try {
      for await (const rows of this.#reader.chunks()) {
        this.#refuseLosses(losses);
        yield rows.flatMap(({ timeUs, points, line }) =>
          points.map(({ series, value }) => ({ line, series: this.#seriesOf(series), timeUs, value })),
        );
      }
    } catch (error) {
      throw asUploadProblem(error);
    }
  }

  #refuseLosses(losses: Losses): void {
    const named = losses.first.splice(0);
    for (const { line, reason } of named) this.#refuse(line, asParameters(reason));
    this.#refused += named.length;
    // Past a thousand at once they are counted and not named.
    for (; this.#refused < losses.count; this.#refused++) this.#refuse(named.at(-1)!.line, "as those before it");
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
    const { columns, times, options } = this.#reader;
    const name = (index: number) => columns.header[index]?.text.trim() ?? String(index + 1);
    const one = (index: number | undefined) => (index === undefined ? null : name(index));
    return {
      ...this.#form(),
      description: asParameters(describeForm(this.#reader)),
      time_columns: columns.time.map(name),
      time: columns.time.length === 0 ? "given by interval and start" : times.describe(),
      time_zone: options.timeZone ?? null,
      value_columns: columns.values.slice(0, MAX_NAMED).map(name),
      sensor_column: columns.wide ? null : one(columns.sensor),
      wide: columns.wide,
      sensor_type_column: one(columns.type),
      unit_column: one(columns.unit),
      location_column: one(columns.location),
    };
  }
}

/** Columns of a wide file that an answer names. */
const MAX_NAMED = 100;

export function asUploadProblem(error: unknown): unknown {
  if (!(error instanceof CsvProblem)) return error;
  const line = /^(?:line|row) (\d+)\b/.exec(error.message)?.[1];
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
