/** The times of one file, all by one convention, found in its first rows or as the user says. */
import { dayNumber, EPOCH_NAMES, type EpochUnit, epochUnit, MAX_TIME_US, parseEpoch } from "../time.ts";
import { type Calendar, parseCalendar } from "./calendar.ts";
import { CsvProblem, type Place, quoted } from "./problem.ts";
import { type Dst, Zone } from "./zone.ts";

export type DayOrder = "day-first" | "month-first";

export interface TimeOptions {
  readonly dayOrder?: DayOrder | undefined;
  /** IANA name, for times that name no zone; UTC without it. */
  readonly timeZone?: string | undefined;
  readonly dst?: Dst | undefined;
  /** Of times that are bare numbers. */
  readonly timeUnit?: EpochUnit | undefined;
  /** What messages call the place of a cell; absent: "line". */
  readonly place?: Place | undefined;
}

/** Reads the times of one file. */
export class TimeReader {
  readonly #options: TimeOptions;
  readonly #zone: Zone;
  readonly #place: Place;
  #kind: "number" | "calendar" | undefined;
  #unit: EpochUnit | undefined;
  #order: DayOrder | undefined;
  /** Whether the cells name their zone. */
  #named: boolean | undefined;
  #isTyped = false;

  constructor(options: TimeOptions) {
    this.#options = options;
    this.#zone = new Zone(options.timeZone ?? "UTC", options.dst);
    this.#place = options.place ?? "line";
    this.#order = options.dayOrder;
    this.#unit = options.timeUnit;
  }

  /**
   * Learns the convention from the first rows.
   *
   * @throws CsvProblem where they show none, or two
   */
  learn(cells: readonly (readonly [cell: string, line: number])[]): void {
    for (const [cell, line] of cells) {
      const text = cell.trim();
      const calendar = parseCalendar(text);
      if (calendar !== undefined) this.#learnCalendar(calendar, text, line);
      else this.#learnNumber(text, line);
    }
    const [first] = cells;
    if (this.#kind === undefined && first !== undefined) throw noTime(first[0], `${this.#place} ${first[1]}`);
    if (this.#kind !== "calendar" || this.#order !== undefined) return;
    for (const [cell, line] of cells) this.#checkOrder(parseCalendar(cell.trim()), cell, line);
  }

  #learnCalendar(calendar: Calendar, text: string, line: number): void {
    this.#kind ??= "calendar";
    if (this.#kind !== "calendar") return;
    this.#checkZone(calendar, text, line);
    if (this.#options.dayOrder !== undefined || calendar.first === undefined) return;
    const shows = calendar.first > 12 ? "day-first" : calendar.second! > 12 ? "month-first" : undefined;
    if (shows === undefined) return;
    if (this.#order !== undefined && this.#order !== shows) {
      throw new CsvProblem(
        `${this.#place} ${line}: ${quoted(text)} is ${shows}, ${this.#place}s before it ${this.#order}: --day-first or --month-first decides.`,
      );
    }
    this.#order = shows;
  }

  #checkZone(calendar: Calendar, text: string, line: number): void {
    const named = calendar.offset !== undefined;
    this.#named ??= named;
    if (this.#named === named || this.#options.timeZone !== undefined) return;
    const [has, hasNot] = named ? ["names its zone", "do not"] : ["names no zone", "do"];
    throw new CsvProblem(
      `${this.#place} ${line}: ${quoted(text)} ${has}, the ${this.#place}s before it ${hasNot}: --time-zone decides.`,
    );
  }

  #learnNumber(text: string, line: number): void {
    const unit = epochUnit(text);
    if (this.#options.timeUnit !== undefined) {
      if (!Number.isNaN(parseEpoch(text, this.#options.timeUnit))) this.#kind ??= "number";
      return;
    }
    if (unit === undefined) return;
    this.#kind ??= "number";
    if (this.#kind === "number") this.#sameUnit(unit, text, line);
  }

  #sameUnit(unit: EpochUnit, text: string, line: number): void {
    this.#unit ??= unit;
    if (this.#unit === unit) return;
    const [these, those] = [EPOCH_NAMES[unit], EPOCH_NAMES[this.#unit]];
    throw new CsvProblem(
      `${this.#place} ${line}: ${text} counts ${these} since 1970, the ${this.#place}s before it ${those}: --time-unit decides, or split the file.`,
    );
  }

  /**
   * @param named the unit that the name of the column gives, if any
   * @throws CsvProblem where the cells show another
   */
  checkUnit(named: string | undefined): void {
    if (named === undefined || this.#kind !== "number" || this.#options.timeUnit !== undefined || named === this.#unit)
      return;
    const [says, has] = [EPOCH_NAMES[named as EpochUnit], EPOCH_NAMES[this.#unit!]];
    throw new CsvProblem(`the time column says ${says}, its numbers look like ${has} since 1970: --time-unit decides.`);
  }

  #checkOrder(calendar: Calendar | undefined, cell: string, line: number): void {
    if (calendar?.first === undefined || calendar.first === calendar.second || this.#order !== undefined) return;
    throw new CsvProblem(
      `${this.#place} ${line}: the date ${quoted(cell)} may be day/month or month/day: --day-first or --month-first decides.`,
    );
  }

  /**
   * @returns microseconds since 1970, or the reason why the cell is no time
   * @throws CsvProblem where the cell shows that the file was understood wrongly
   */
  read(cell: string, line: number): number | string {
    const text = cell.trim();
    const us = this.#kind === "number" ? this.#readNumber(text, line) : this.#readCalendar(text, line);
    if (typeof us === "string") return us;
    return inRange(us, () => text);
  }

  /** The cells are times by their type: instants, or what clocks of the zone show. */
  known(instants: boolean): void {
    this.#kind = "calendar";
    this.#named = instants;
    this.#isTyped = true;
  }

  /**
   * A time that is one by its type.
   *
   * @param us microseconds since 1970, of an instant, or of what the zone's clocks show
   * @param text names it in a message
   * @returns microseconds since 1970, or the reason why there is no such time
   */
  readKnown(us: number, text: () => string): number | string {
    if (this.#named) return inRange(us, text);
    const micros = ((us % 1e6) + 1e6) % 1e6;
    const seconds = this.#zone.toUtc((us - micros) / 1e6);
    return typeof seconds === "string" ? `${quoted(text())}, which ${seconds}` : inRange(seconds * 1e6 + micros, text);
  }

  #readNumber(text: string, line: number): number | string {
    if (this.#options.timeUnit === undefined) {
      const unit = epochUnit(text);
      if (unit === undefined)
        return `${quoted(text)}; wanted a time between 1990 and 2100 in ${EPOCH_NAMES[this.#unit!]}`;
      this.#sameUnit(unit, text, line);
    }
    const us = parseEpoch(text, this.#unit!);
    return Number.isNaN(us) ? `${quoted(text)}; wanted a number of ${EPOCH_NAMES[this.#unit!]}` : us;
  }

  #readCalendar(text: string, line: number): number | string {
    const calendar = parseCalendar(text);
    if (calendar === undefined) return `${quoted(text)}; wanted a time on a day that exists`;
    this.#learnCalendar(calendar, text, line);
    if (calendar.first !== undefined && this.#order === undefined) this.#checkOrder(calendar, text, line);
    const day = calendar.day ?? this.#day(calendar);
    if (day === undefined) return `${quoted(text)}, which is no day of the calendar, ${this.#order}`;
    const local = day * 86_400 + calendar.time;
    const seconds = calendar.offset === undefined ? this.#zone.toUtc(local) : local - calendar.offset;
    return typeof seconds === "string" ? `${quoted(text)}, which ${seconds}` : seconds * 1e6 + calendar.micros;
  }

  #day({ first, second, year }: Calendar): number | undefined {
    return this.#order === "month-first" ? dayNumber(year!, first!, second!) : dayNumber(year!, second!, first!);
  }

  /** For people: how the times are read. */
  describe(): string {
    if (this.#kind === "number") return `${EPOCH_NAMES[this.#unit!]} since 1970`;
    const order = this.#order === undefined ? "" : `${this.#order}, `;
    if (this.#named && (this.#isTyped || this.#options.timeZone === undefined)) return `${order}with their own zone`;
    return `${order}without a zone, taken as ${this.#zone.name}`;
  }
}

function inRange(us: number, text: () => string): number | string {
  if (us < 0) return `${quoted(text())}, which is before 1970`;
  return us <= MAX_TIME_US ? us : `${quoted(text())}, which is after the year 9999`;
}

function noTime(cell: string, where: string): CsvProblem {
  const text = cell.trim();
  const count = /^[+-]?\d+([.,]\d+)?$/.test(text)
    ? ": a number is a time only from 1990 to 2100; --time-unit s, ms, us or ns takes any, --interval gives times to rows without"
    : "; wanted ISO 8601 such as 2024-01-31T12:00:00Z, a date with / or ., or a count since 1970";
  return new CsvProblem(`${where}: ${quoted(text)} is no time${count}.`);
}
