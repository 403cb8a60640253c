/** The stretch of time around an alert that shows how it came and how it went. */
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import type { Span } from "../chart/range.ts";
import { msOf } from "./format.ts";

/** Readings before the alert that are worth seeing. */
export const READINGS_BEFORE = 150;
const LEAST_BEFORE_MS = 30_000;

/**
 * @param alert with the time that it opened
 * @param earlierMs when the reading READINGS_BEFORE before it was observed; undefined: it is not known
 */
export function spanAround({ openedAt, lastSeenAt, closedAt }: Alert, earlierMs: number | undefined): Span {
  const opened = openedAt === undefined ? 0 : msOf(openedAt);
  const ended = Math.max(opened, ...[lastSeenAt, closedAt].flatMap((time) => (time === undefined ? [] : [msOf(time)])));
  const before = Math.max(
    LEAST_BEFORE_MS,
    earlierMs === undefined ? 3_600_000 : opened - earlierMs,
    (ended - opened) / 3,
  );
  return { from: Math.floor(opened - before), to: Math.ceil(ended + Math.max(before / 3, (ended - opened) / 10)) };
}
