/**
 * What a page asks for first, as it is sent: written by hand, since the code that writes messages has not come yet. The page's own calls are the
 * same to the byte (calls.test.ts), and take these answers; one that is not costs a call, and nothing else.
 */
import type { Page } from "../app/routes.ts";
import { columnsOf, firstChartWidth } from "../chart/columns.ts";
import { firstSpan, rangeMs, type Span, spanOfQuery } from "../chart/range.ts";

export interface EarlyCall {
  /** SERVICE/METHOD. */
  readonly method: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

interface Where {
  readonly query: URLSearchParams;
  readonly nowMs: number;
  /** Of the window, in pixels. */
  readonly width: number;
}

/** Of the inbox at once. */
export const FIRST_ALERTS = 200;

export function callsOf(page: Page, where: Where): EarlyCall[] {
  if (page.name === "sensor") return ofSensor(page.id, where);
  if (page.name === "alert") return [call("AlertService/GetAlert", varint(1, Number(page.id)))];
  if (page.name === "alerts") return ofInbox(where);
  return [];
}

export function caller(): EarlyCall {
  return call("AdminService/GetCaller");
}

function ofSensor(id: string, { query, nowMs, width }: Where): EarlyCall[] {
  const span =
    spanOfQuery(query.get("from") ?? "", query.get("to") ?? "") ??
    firstSpan(rangeMs(query.get("range") ?? "") ?? rangeMs("24h")!, nowMs);
  const sensor = call("RegistryService/GetSensor", text(1, id));
  const columns = columnsOf(firstChartWidth(width));
  if (span.from < 0 || columns === 0) return [sensor];
  return [sensor, call("QueryService/GetSeries", [...text(1, id), ...times(span), ...varint(4, columns)])];
}

function ofInbox({ query }: Where): EarlyCall[] {
  if (query.has("show") || query.has("severity")) return [];
  return [call("AlertService/ListAlerts", [...tag(3, VARINT), 0, ...varint(6, FIRST_ALERTS)])];
}

function call(method: string, bytes: readonly number[] = []): EarlyCall {
  return { method, body: new Uint8Array(bytes) };
}

const VARINT = 0;
const BYTES = 2;

function tag(field: number, kind: number): number[] {
  return [field * 8 + kind];
}

/** What is 0 is not sent. */
function varint(field: number, value: number): number[] {
  return value === 0 ? [] : [...tag(field, VARINT), ...digits(value)];
}

/** Of up to 53 bits. */
function digits(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...digits(Math.floor(value / 128))];
}

function message(field: number, bytes: readonly number[]): number[] {
  return [...tag(field, BYTES), ...digits(bytes.length), ...bytes];
}

function text(field: number, value: string): number[] {
  return message(field, [...new TextEncoder().encode(value)]);
}

function times({ from, to }: Span): number[] {
  return [...message(2, timestamp(from)), ...message(3, timestamp(to))];
}

function timestamp(ms: number): number[] {
  const seconds = Math.floor(ms / 1_000);
  return [...varint(1, seconds), ...varint(2, (ms - seconds * 1_000) * 1_000_000)];
}
