/** Parameters of Prometheus' HTTP API. Times are milliseconds since 1970. */
import { durationMs } from "../../promql/durations.ts";
import { badQuery } from "../../promql/errors.ts";

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
/** Go's RFC 3339: with a zone. */
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;
/** What a Date can hold. */
const MAX_MS = 8.64e15;

export function timeOf(name: string, text: string): number {
  if (NUMBER.test(text)) {
    const ms = Number(text) * 1_000;
    if (Math.abs(ms) <= MAX_MS) return Math.round(ms);
  } else if (RFC3339.test(text)) {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return ms;
  }
  throw badQuery(
    `${name} is ${JSON.stringify(text.slice(0, 100))}: give seconds since 1970, or a time such as 2026-01-31T12:00:00Z`,
  );
}

/** @returns milliseconds, above 0 */
export function durationOf(name: string, text: string): number {
  const ms = NUMBER.test(text) ? Number(text) * 1_000 : durationMs(text);
  if (ms !== undefined && ms >= 1 && Number.isFinite(ms)) return Math.round(ms);
  throw badQuery(
    `${name} is ${JSON.stringify(text.slice(0, 100))}: give seconds, or a duration such as 15s, of at least 1 ms`,
  );
}

export function required(parameters: URLSearchParams, name: string): string {
  const value = parameters.get(name) ?? "";
  if (value === "") throw badQuery(`the parameter ${name} is missing`);
  return value;
}

/** 0 and absent: as many as `most`. */
export function limitOf(parameters: URLSearchParams, most: number): number {
  const text = parameters.get("limit") ?? "";
  if (text === "") return most;
  if (!/^\d{1,9}$/.test(text)) throw badQuery(`limit is ${JSON.stringify(text.slice(0, 100))}: give a whole number`);
  return Number(text) === 0 ? most : Math.min(Number(text), most);
}
