import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";

/** Microseconds of a minute, an hour and a day (UTC has no other length here). */
export const MINUTE_US = 60_000_000;
export const HOUR_US = 3_600_000_000;
export const DAY_US: number = 24 * HOUR_US;

/** Whole microseconds since 1970, or NaN where the timestamp is malformed. */
export function toMicros(t: Timestamp): number {
  if (t.nanos < 0 || t.nanos > 999_999_999) return Number.NaN;
  return Number(t.seconds) * 1e6 + Math.floor(t.nanos / 1000);
}

/** The contract's form of microseconds since 1970. */
export function toTimestamp(us: number): Timestamp {
  const seconds = Math.floor(us / 1e6);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: Math.round(us - seconds * 1e6) * 1000 });
}

/** ISO 8601 in UTC with six decimals, as REST writes times: one reading has the same text in every protocol. */
export function isoTime({ seconds, nanos }: Timestamp): string {
  const whole = new Date(Number(seconds) * 1_000).toISOString();
  return `${whole.slice(0, -5)}.${String(Math.floor(nanos / 1_000)).padStart(6, "0")}Z`;
}
