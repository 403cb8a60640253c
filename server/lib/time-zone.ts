/**
 * What this machine knows of a time zone, written down: whoever makes a setting resolves it here once, and the log carries the result.
 * Nothing that judges readings asks for it.
 */
import { create } from "@bufbuild/protobuf";
import { type TimeZoneRules, TimeZoneRulesSchema } from "../../gen/es/telltale/v1/log_pb.ts";

/** Rules are resolved between these, in seconds since 1970. */
const FROM = 0;
const UNTIL: number = Date.UTC(2100, 0, 1) / 1000;
/** No two changes of a zone are nearer to each other than this: the nearest are of Gaza and Recife, an hour less than a week apart. */
const STEP = 6 * 86_400;

export const isTimeZone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
};

const resolved = new Map<string, TimeZoneRules>();

/** The offsets of a zone. Throws a RangeError where there is no such zone. */
export function timeZoneRules(name: string): TimeZoneRules {
  const known = resolved.get(name);
  if (known !== undefined) return known;
  const rules = resolve(offsetsOf(name));
  resolved.set(name, rules);
  return rules;
}

function resolve(offsetAt: (second: number) => number): TimeZoneRules {
  const changeAt: bigint[] = [];
  const changeTo: number[] = [];
  const firstOffset = offsetAt(FROM);
  let offset = firstOffset;
  for (let second = FROM; second < UNTIL; second += STEP) {
    const next = offsetAt(second + STEP);
    if (next === offset) continue;
    changeAt.push(BigInt(firstWith(offsetAt, next, second, second + STEP)));
    changeTo.push(next);
    offset = next;
  }
  return create(TimeZoneRulesSchema, { firstOffset, changeAt, changeTo, database: process.versions.tz ?? "" });
}

/** The first second after `low`, at the latest `high`, with that offset. */
function firstWith(offsetAt: (second: number) => number, wanted: number, low: number, high: number): number {
  let [before, after] = [low, high];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetAt(middle) === wanted) after = middle;
    else before = middle;
  }
  return after;
}

/** Local time less UTC of a zone, by second since 1970. */
function offsetsOf(name: string): (second: number) => number {
  const format = new Intl.DateTimeFormat("en", { timeZone: name, timeZoneName: "longOffset" });
  return (second) => {
    const text = format.formatToParts(second * 1000).find(({ type }) => type === "timeZoneName")?.value ?? "";
    const found = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text);
    if (found === null) throw new Error(`the offset of ${name} is written as "${text}"`);
    const [, sign, hours, minutes, seconds] = found;
    const size = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0);
    return sign === "-" ? -size : size;
  };
}
