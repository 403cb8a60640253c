/** Lines to sensors and times. The rules are in docs/reference/protocol-mapping.md. */
import { TelltaleError } from "../../../errors.ts";
import { quoted } from "../../../lib/quoted.ts";
import { type Described, Identities, type Identity, quotedName } from "../identity.ts";
import type { Points } from "../points.ts";
import { type Line, seriesOf, unescapeKey } from "./parse.ts";

/** Microseconds of the digits of a time. */
export type ReadTime = (digits: string) => number;

const scaled =
  (us: number): ReadTime =>
  (digits) =>
    Number(digits) * us;

/** Nanoseconds of our days have more digits than a double. */
const nanoseconds: ReadTime = (digits) => {
  if (digits.startsWith("-")) return -1;
  return digits.length > 3 ? Number(digits.slice(0, -3)) : 0;
};

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
  const precision = PRECISIONS.get(given === null || given === "" ? "ns" : given);
  if (precision !== undefined) return precision;
  throw new TelltaleError("invalid", `precision is ${quoted(given ?? "")}: give ns, us, ms or s`);
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
