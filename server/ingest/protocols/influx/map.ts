/** Lines to sensors and times. The rules are in docs/reference/protocol-mapping.md. */
import { epochUnit } from "../../../../formats/time.ts";
import { TelltaleError } from "../../../errors.ts";
import { quoted } from "../../../lib/quoted.ts";
import { type Described, Identities, type Identity, quotedName } from "../identity.ts";
import type { Points } from "../points.ts";
import { type Line, LineError, seriesOf, unescapeKey } from "./parse.ts";

/** Microseconds of the digits of a time. @throws LineError */
export type ReadTime = (digits: string) => number;

const LAST_US = Date.UTC(9999, 11, 31, 23, 59, 59, 999) * 1e3;

const scaled =
  (us: number): ReadTime =>
  (digits) => {
    const timeUs = Number(digits) * us;
    if (timeUs > LAST_US) throw new LineError(`the time ${digits} is behind the year 9999${hint(digits)}`);
    return timeUs;
  };

/** Nanoseconds of our days have more digits than a double. */
const nanoseconds: ReadTime = (digits) => {
  if (digits.startsWith("-")) return -1;
  return digits.length > 3 ? Number(digits.slice(0, -3)) : 0;
};

/** Digits of the nanoseconds of a day in 1990. */
const LEAST_DIGITS = 18;

/** Where no precision is given: seconds would be of the first weeks of 1970, in which nobody measured, and nobody would find them there. */
const unstated: ReadTime = (digits) => {
  const unit = digits.length < LEAST_DIGITS ? hint(digits) : "";
  if (unit !== "") throw new LineError(`the time ${digits} is in nanoseconds where there is no precision${unit}`);
  return nanoseconds(digits);
};

/** What the digits are most likely in, as the end of a sentence. */
function hint(digits: string): string {
  const unit = epochUnit(digits);
  return unit === undefined ? "" : `: give precision=${unit}`;
}

export const PRECISIONS: ReadonlyMap<string, ReadTime> = new Map([
  ["ns", nanoseconds],
  ["n", nanoseconds],
  ["us", scaled(1)],
  ["u", scaled(1)],
  ["µ", scaled(1)],
  ["ms", scaled(1e3)],
  ["s", scaled(1e6)],
  ["m", scaled(60e6)],
  ["h", scaled(3600e6)],
]);

/** @throws TelltaleError "invalid" */
export function precisionOf(given: string | null): ReadTime {
  if (given === null || given === "") return unstated;
  const precision = PRECISIONS.get(given);
  if (precision !== undefined) return precision;
  throw new TelltaleError("invalid", `precision is ${quoted(given)}: give ns, us, ms or s`);
}

/** Sensors of series and fields, kept between requests. */
export class LineMapper {
  readonly #identities = new Identities();

  /** All of the line, or nothing. @throws LineError */
  map({ series, fields, time }: Line, read: ReadTime, to: Points): void {
    const timeUs = time === "" ? undefined : read(time);
    const [first] = fields;
    if (first !== undefined && fields.length === 1) {
      to.add(this.#of(series, first.key), timeUs, first.value);
      return;
    }
    const identities = fields.map(({ key }) => this.#of(series, key));
    for (let i = 0; i < fields.length; i++) to.add(identities[i]!, timeUs, fields[i]!.value);
  }

  #of(series: string, field: string): Identity {
    const key = `${series} ${field}`;
    return this.#identities.find(key) ?? this.#identities.add(key, describe(ownCopy(series), ownCopy(field)));
  }
}

/** A part of a text keeps the whole of it in memory. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}

function describe(series: string, field: string): Described {
  const { measurement, tags } = seriesOf(series);
  const key = unescapeKey(field);
  return { name: `${measurement}.${key}`, idName: `${word(measurement)}.${word(key)}`, labels: tags };
}

/** Without the point that is between measurement and field. */
const PLAIN = /^[\w:/-]+$/;

function word(text: string): string {
  return PLAIN.test(text) ? text : quotedName(text);
}
