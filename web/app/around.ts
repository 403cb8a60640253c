/** The stretch of time around an alert that shows how it came and how it went. */
import { spanAround as around } from "../../formats/chart-frame.ts";
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import type { Span } from "../chart/range.ts";
import { msOf } from "./format.ts";

/**
 * @param alert with the time that it opened
 * @param earlierMs when the reading READINGS_BEFORE before it was observed; undefined: it is not known
 * @param nowMs behind which there is nothing to be seen
 */
export function spanAround(
  { openedAt, lastSeenAt, closedAt }: Alert,
  earlierMs: number | undefined,
  nowMs: number,
): Span {
  const openedMs = openedAt === undefined ? 0 : msOf(openedAt);
  const endedMs = Math.max(
    openedMs,
    ...[lastSeenAt, closedAt].flatMap((time) => (time === undefined ? [] : [msOf(time)])),
  );
  const { fromMs, toMs } = around({ openedMs, endedMs, earlierMs, nowMs });
  return { from: Math.floor(fromMs), to: Math.ceil(toMs) };
}
