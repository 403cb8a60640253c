/** Numbers as instruments and spreadsheets write them. What can be read in two ways is read in neither. */
import { CsvProblem, type Place, quoted } from "./problem.ts";

export type Decimal = "." | ",";

/** Cells that say that there is no value. */
const MISSING = new Set(["", "nan", "null", "na", "n/a", "#n/a", "none", "nil", "-", "--", "?"]);

export function isMissing(cell: string): boolean {
  return MISSING.has(cell.trim().toLowerCase());
}

const PLAIN = /^[+-]?\d+(?:e[+-]?\d+)?$/i;
/** Spaces (also those that do not break) and apostrophes separate thousands in both conventions. */
const GROUP = "[ \\u00a0\\u202f'’]";
const FORMS: Readonly<Record<Decimal, RegExp>> = { ".": form("\\.", ","), ",": form(",", "\\.") };
/** One mark and three digits behind it: 1234 or 1.234. */
const EITHER = /^[+-]?[1-9]\d{0,2}[.,]\d{3}$/;

function form(decimal: string, thousands: string): RegExp {
  const whole = `\\d+|[1-9]\\d{0,2}(?:${thousands}\\d{3})+|[1-9]\\d{0,2}(?:${GROUP}\\d{3})+`;
  return new RegExp(`^[+-]?(?:(?:${whole})(?:${decimal}\\d*)?|${decimal}\\d+)(?:e[+-]?\\d+)?$`, "i");
}

/** The decimal mark that a cell shows; "either" where it may be both, "none" for a plain number, undefined for what is no number. */
export function evidenceOf(cell: string): Decimal | "either" | "none" | undefined {
  const text = normal(cell);
  if (PLAIN.test(text)) return "none";
  if (EITHER.test(text)) return "either";
  const [point, comma] = [FORMS["."].test(text), FORMS[","].test(text)];
  if (point && comma) return "none"; // grouped by blanks, without a mark
  return point ? "." : comma ? "," : undefined;
}

function normal(cell: string): string {
  return cell.trim().replace("−", "-");
}

/** Reads the numbers of one file, all by one convention. */
export class NumberReader {
  /** Undefined until a number shows it. */
  decimal: Decimal | undefined;
  /** How it is known. */
  known: "given" | "seen" | undefined;
  #decidedBy = "";
  readonly #delimiter: string;
  readonly #place: Place;

  constructor(decimal: Decimal | undefined, delimiter: string, place: Place = "line") {
    this.decimal = decimal;
    this.known = decimal === undefined ? undefined : "given";
    this.#delimiter = delimiter;
    this.#place = place;
  }

  /**
   * Learns the convention from the first rows.
   *
   * @throws CsvProblem where they show two, or nothing but numbers that may be both
   */
  learn(cells: Iterable<readonly [cell: string, line: number]>): void {
    if (this.known === "given") return;
    let either: readonly [string, number] | undefined;
    for (const each of cells) {
      const evidence = evidenceOf(each[0]);
      if (evidence === "either") either ??= each;
      else this.#decide(evidence, ...each);
    }
    if (this.decimal === undefined && either !== undefined) this.#read(either[0], either[1]);
  }

  #decide(evidence: ReturnType<typeof evidenceOf>, cell: string, line: number): void {
    if (evidence !== "." && evidence !== ",") return;
    if (this.decimal !== undefined && this.decimal !== evidence) {
      const text = `${this.#place} ${line} has ${quoted(cell)} and ${this.#decidedBy}: --decimal . or --decimal , decides.`;
      throw new CsvProblem(text);
    }
    if (this.decimal === undefined) this.#decidedBy = `${this.#place} ${line} ${quoted(cell)}`;
    this.decimal = evidence;
    this.known = "seen";
  }

  /**
   * @returns the number, undefined for a cell that says there is none, or the reason why it is no number
   * @throws CsvProblem where it may be two numbers and nothing before has decided
   */
  read(cell: string, line: number): number | undefined | string {
    if (isMissing(cell)) return undefined;
    return this.#read(cell, line);
  }

  #read(cell: string, line: number): number | string {
    const text = normal(cell);
    if (!PLAIN.test(text)) {
      const evidence = evidenceOf(text);
      if (evidence === undefined) return noNumber(text);
      if (evidence === "either" && this.known !== "given") {
        const reason = this.#mayBeBoth(text, line);
        if (reason !== undefined) return reason;
      } else if (this.decimal === undefined) this.#decide(evidence, cell, line);
      if (!FORMS[this.decimal ?? "."].test(text))
        return `${quoted(cell)}; wanted a number with the decimal mark "${this.decimal}"`;
    }
    const number = Number(
      this.decimal === ","
        ? text.replace(/[. \u00a0\u202f'’]/g, "").replace(",", ".")
        : text.replace(/[, \u00a0\u202f'’]/g, ""),
    );
    return Number.isFinite(number) ? number : `${quoted(cell)}, which is beyond what a number holds`;
  }

  /** Undefined where the mark is known to be the decimal one. */
  #mayBeBoth(text: string, line: number): string | undefined {
    const mark = text.includes(",") ? "," : ".";
    if (this.decimal === mark) return undefined;
    // Between commas, a point is a decimal one: whoever writes decimal commas separates cells by something else.
    if (this.decimal === undefined && mark === "." && this.#delimiter === ",") {
      this.decimal = ".";
      this.known = "seen";
      return undefined;
    }
    const both = `is ${text.replace(/[.,]/, "")} or ${text.replace(",", ".")}: --decimal . or --decimal , decides`;
    if (this.decimal === undefined) throw new CsvProblem(`${this.#place} ${line}: ${quoted(text)} ${both}.`);
    return `${quoted(text)}, which ${both}`;
  }
}

function noNumber(text: string): string {
  const unit = /^[+-]?[\d.,]+\s*[^\d\s.,]\D*$/.test(text) ? "; a unit belongs into the header, or --unit" : "";
  return `${quoted(text)}; wanted a number${unit}`;
}
