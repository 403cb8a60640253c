import type { LimitAhead } from "./episode.ts";
import {
  FAULT_HEADLINES,
  FAULT_KINDS,
  LEVEL_REASONS,
  REASON_DETAILS,
  REASON_DROPOUT,
  REASON_SILENCE,
  REASON_STUCK,
  REASONS,
} from "./reasons.ts";
import { SEVERITY_NAMES } from "./severity.ts";

/** What an alert's sentence tells of. Score in steps of 1e-4; times in microseconds; expected and band NaN where there are none. */
export interface MessageInput {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string | undefined;
  readonly score: number;
  readonly severity: number;
  /** Value at the peak; of a silence the last one before it. */
  readonly value: number;
  readonly expected: number;
  readonly band: number;
  /** Index into REASONS of the detector that spoke at the peak. */
  readonly reason: number;
  /** Abnormal readings so far. */
  readonly readings: number;
  /** Since when: the first abnormal reading, or the last one before a silence. */
  readonly sinceUs: number;
  /** When it recovered; NaN where it has not. */
  readonly recoveredUs: number;
  /** Of an early alert: the limit, and the time of the look that it follows from. */
  readonly ahead?: LimitAhead & { readonly asOfUs: number };
}

/** From so many abnormal readings on a level that is wrong is no spike. */
const SHIFT_READINGS = 10;

/**
 * The sentence of an alert: what, where, since when, how bad, and which kind of fault is likely. For example "Anomaly detected with
 * score 0.9731: temperature of boiler-1 (hall 1) far above normal since 2026-11-22 23:43:28 UTC; critical: 98.2 C where 71.4 was expected
 * (68 to 74.8); likely a spike: the value is outside everything seen so far (value record)". Once it has recovered it begins with
 * when, and how long it lasted.
 */
export function alertMessage(input: MessageInput): string {
  if (input.ahead !== undefined) return earlyMessage(input, input.ahead);
  const head = `Anomaly detected with score ${(input.score / 10000).toFixed(4)}`;
  const over = Number.isFinite(input.recoveredUs);
  const recovered = over
    ? `, recovered ${instant(input.recoveredUs)} after ${duration(input.recoveredUs - input.sinceUs)}`
    : "";
  return `${head}${recovered}: ${what(input)} ${where(input)}; ${how(input)}; ${likely(input)}`;
}

/**
 * The sentence of an early alert. For example "Limit ahead: temperature of boiler-1 (hall 1) expected to rise above 80 C in about 5 h, at
 * 2026-11-22 23:40 UTC (between 3 h and 9 h; probability 0.93); medium: 71.4 C at 2026-11-22 18:40:00 UTC; likely …".
 */
function earlyMessage(input: MessageInput, ahead: NonNullable<MessageInput["ahead"]>): string {
  const { setting, limit } = ahead;
  const over = Number.isFinite(input.recoveredUs);
  const place = input.location === undefined || input.location === "" ? "" : ` (${input.location})`;
  const course = setting === "range_max" ? "rise above" : "fall below";
  const will = `${over ? "was " : ""}expected to ${course} ${quantity(limit, input.unit)} ${when(ahead)}`;
  const now = `${quantity(input.value, input.unit)} at ${instant(ahead.asOfUs)}`;
  const severity = SEVERITY_NAMES[input.severity] ?? "";
  return `${over ? endOf(input, ahead) : "Limit ahead"}: ${subject(input)} ${input.sensorId}${place} ${will}; ${severity}: ${now}; ${likely(input)}`;
}

function endOf({ recoveredUs, sinceUs }: MessageInput, { end, asOfUs }: NonNullable<MessageInput["ahead"]>): string {
  const at = `at ${instant(recoveredUs)}, ${duration(recoveredUs - sinceUs)} after this alert opened`;
  if (end === "unheard")
    return `No readings since ${instant(asOfUs)}, so that nobody knows whether the limit was crossed; closed ${at}`;
  return end === "crossed" ? `Limit crossed ${at}` : `Limit no longer ahead ${at}`;
}

/** When a limit will be crossed, as of the look. */
function when({ asOfUs, earliestUs, expectedUs, latestUs, probability }: NonNullable<MessageInput["ahead"]>): string {
  const after = (us: number) => roughly(Math.max(0, us - asOfUs));
  const expected = Number.isFinite(expectedUs) ? `in about ${after(expectedUs)}, at ${instant(expectedUs)}` : "soon";
  const range = Number.isFinite(latestUs)
    ? `between ${after(earliestUs)} and ${after(latestUs)}`
    : `not before ${after(earliestUs)}`;
  return `${expected} (${range}; probability ${probability.toFixed(2)})`;
}

/** A length of time that is not known to the minute. */
function roughly(us: number): string {
  const minutes = us / 60e6;
  if (minutes < 100) return `${Math.round(minutes / 10) * 10} min`;
  const hours = minutes / 60;
  return hours < 36 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} d`;
}

/**
 * The sentence with another id of its sensor in it; as it is where it does not name the one of before. The database has the same
 * (`renamed_message`, in `198_renamed_alerts.sql`).
 */
export function renamedMessage(message: string, sensorType: string, before: string, now: string): string {
  const places = [": no data from ", ": sensor ", `: ${sensorType} of `].flatMap((lead) => {
    const at = message.indexOf(`${lead}${before} `);
    return at < 0 ? [] : [at + lead.length];
  });
  if (places.length === 0) return message;
  const at = Math.min(...places);
  return message.slice(0, at) + now + message.slice(at + before.length);
}

/** What happened to which sensor, since when. */
function what(input: MessageInput): string {
  return input.reason === REASON_SILENCE ? "no data from" : subject(input);
}

function subject({ sensorType }: MessageInput): string {
  return sensorType === "" ? "sensor" : `${sensorType} of`;
}

function where(input: MessageInput): string {
  const place = input.location === undefined || input.location === "" ? "" : ` (${input.location})`;
  const headline = input.reason === REASON_SILENCE ? "" : ` ${headlineOf(input)}`;
  return `${input.sensorId}${place}${headline} since ${instant(input.sinceUs)}`;
}

/** What is wrong, in a few words. A value by itself within the band is never called high or low: its course is what is wrong. */
function headlineOf(input: MessageInput): string {
  if (input.reason === REASON_STUCK) return `stuck at ${quantity(input.value, input.unit)}`;
  if (input.reason === REASON_DROPOUT) return `dropped to ${quantity(input.value, input.unit)}`;
  const distance = input.value - input.expected;
  if (LEVEL_REASONS.has(input.reason) && Math.abs(distance) > input.band) {
    const side = distance > 0 ? "above" : "below";
    return Math.abs(distance) > 3 * input.band ? `far ${side} normal` : `${side} normal`;
  }
  return FAULT_HEADLINES[input.reason] ?? "abnormal";
}

/** Severity, and the figures of the worst reading where they say something. */
function how(input: MessageInput): string {
  const severity = SEVERITY_NAMES[input.severity] ?? "";
  if (!Number.isFinite(input.value)) return severity;
  const value = quantity(input.value, input.unit, input.band);
  if (input.reason === REASON_SILENCE) return `${severity}: the last value was ${value}`;
  const { expected, band } = input;
  if (!Number.isFinite(expected) || !Number.isFinite(band) || Math.abs(input.value - expected) <= band) {
    return `${severity}: ${value} at the worst reading`;
  }
  const [usual, low, high] = [expected, expected - band, expected + band].map((x) => figure(x, band));
  return `${severity}: ${value} where ${usual} was expected (${low} to ${high})`;
}

/** The likely kind of fault, and who says so. */
function likely(input: MessageInput): string {
  const detail = `${REASON_DETAILS[input.reason] || "the reading is abnormal"} (${REASONS[input.reason] || "detector"})`;
  const kind = FAULT_KINDS[input.reason];
  if (kind !== undefined) return `likely ${kind}: ${detail}`;
  const over = Number.isFinite(input.recoveredUs);
  if (input.readings >= SHIFT_READINGS) return `likely a level shift: ${detail}`;
  return `likely ${over ? "a spike" : "a spike or a level shift"}: ${detail}`;
}

function quantity(value: number, unit: string, apart?: number): string {
  return withUnit(figure(value, apart), unit);
}

/** A number and its unit as people read them: 1 is the unit of what has none, and "37 1" would be taken for another number. */
export function withUnit(text: string, unit: string): string {
  return unit === "" || unit === "1" ? text : `${text} ${unit}`;
}

/** Microseconds since 1970 as people read them, for example "2026-11-22 23:43:28 UTC". */
export function instant(us: number): string {
  const text = new Date(us / 1000).toISOString();
  return `${text.slice(0, -14)} ${text.slice(-13, -5)} UTC`;
}

/** A length of time in its two largest units, for example "6 h 12 min". */
export function duration(us: number): string {
  const seconds = Math.max(0, Math.round(us / 1e6));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const left = hours % 24;
  return left === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${left} h`;
}

/**
 * A number as people write it: four significant digits, or all those before the point. As many more as it takes to tell numbers from each
 * other that are `apart`, such as a large count and the ends of its narrow band.
 */
export function figure(x: number, apart: number = Number.POSITIVE_INFINITY): string {
  const size = Math.abs(x);
  if (size !== 0 && (size >= 1e15 || size < 1e-4)) return x.toExponential(3);
  const digits = apart > 0 ? magnitude(size) - magnitude(apart) + 1 : 0;
  if (digits > Math.max(4, magnitude(size) + 1)) return String(Number(x.toPrecision(Math.min(digits, MOST_DIGITS))));
  return String(size >= 1e4 ? Math.round(x) : Number(x.toPrecision(4)));
}

/** Bounds are kept as doubles. */
const MOST_DIGITS = 15;

function magnitude(size: number): number {
  return Math.floor(Math.log10(size));
}
