/** What the readings of a file are of, by numbers: known once, however many rows there are. */
import type { Columns } from "./columns.ts";
import { unitOf } from "./names.ts";
import { CsvProblem, quoted } from "./problem.ts";

/** More are no sensors: the column is another. */
const MAX_SERIES = 1_000_000;
/** Of what one series is called, in all: by the contract an id of 200 characters, a type of 50, a unit of 20 and a place of 100. */
const MAX_SERIES_CHARACTERS = 1_000;

/** What readings are of. Empty texts where the file and the options say nothing. */
export interface CsvSeries {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string;
}

export interface SeriesOptions {
  readonly sensorType?: string | undefined;
  readonly unit?: string | undefined;
  readonly location?: string | undefined;
  /** Past so many series the file is refused; absent: a million. */
  readonly maxSeries?: number | undefined;
}

export class SeriesTable {
  /** By their numbers. Grows while the file is read. */
  readonly list: CsvSeries[] = [];
  readonly #columns: Columns;
  readonly #options: SeriesOptions;
  readonly #byKey = new Map<string, number>();

  /** @throws CsvProblem where two columns of a wide file would be one sensor */
  constructor(columns: Columns, options: SeriesOptions) {
    this.#columns = columns;
    this.#options = options;
    if (columns.wide) this.#checkWideIds();
  }

  /**
   * @param index of the column of the value
   * @param cell text of a column; empty where there is none
   * @returns the series' number, or why the row has none
   * @throws CsvProblem where there are too many; `place` names the row
   */
  numberOf(index: number, cell: (column: number | undefined) => string, place: string): number | string {
    const { wide, sensor, type, unit: unitColumn, location: locationColumn, header } = this.#columns;
    const sensorId = wide ? this.#wideId(index) : cell(sensor);
    if (sensor !== undefined && sensorId === "") return "the sensor is missing";
    const name = header[index];
    const unit = this.#options.unit ?? (cell(unitColumn) || (name && unitOf(name)) || "");
    const key = `${sensorId}\0${cell(type)}\0${unit}\0${cell(locationColumn)}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (key.length > MAX_SERIES_CHARACTERS)
      return `the sensor ${quoted(sensorId)} is described by ${key.length} characters`;
    const { maxSeries = MAX_SERIES } = this.#options;
    if (this.list.length === maxSeries) throw new CsvProblem(`${place}: more than ${maxSeries} sensors.`);
    const sensorType = this.#options.sensorType ?? cell(type);
    const location = this.#options.location ?? cell(locationColumn);
    this.#byKey.set(key, this.list.length);
    return this.list.push({ sensorId, sensorType, unit, location }) - 1;
  }

  /** Two columns of one sensor would have two values at each time, of which the server stores the first. */
  #checkWideIds(): void {
    const columns = new Map<string, number>();
    for (const index of this.#columns.values) {
      const id = this.#wideId(index);
      const other = columns.get(id);
      if (other !== undefined) {
        const names = [other, index].map((each) => quoted(this.#columns.header[each]?.text.trim() || id)).join(" and ");
        throw new CsvProblem(
          `the columns ${names} would both be the sensor ${quoted(id)}: rename one, or --value-column.`,
        );
      }
      columns.set(id, index);
    }
  }

  #wideId(index: number): string {
    const name = this.#columns.header[index];
    if (name === undefined) return String(index + 1);
    const text = name.text.trim();
    return unitOf(name) === undefined ? text : text.slice(0, text.lastIndexOf(name.note) - 1).trim();
  }
}
