import type { ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import { MAX_TIME_US } from "../../formats/time.ts";
import type { ReportService } from "../../gen/es/telltale/v1/report_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { HOUR_US } from "../lib/time.ts";
import { makeReport } from "../report/report.ts";
import { invalid, timeOf } from "./query.ts";

/** A report reads every hour of every sensor of its range and baseline. */
const MAX_HOURS = 31 * 24;
const DEFAULT_TOP = 10;
/** One at a time: it takes a connection and a core for seconds, and the next gets its answer from the same data. */
const RETRY_MS = 5_000;

export function createReportService({ sql, clock }: { sql: Sql; clock: Clock }): ServiceImpl<typeof ReportService> {
  let busy = false;
  return {
    async getFleetReport({ startTime, endTime, operators, top }) {
      const fromUs = hour(timeOf("start_time", startTime, 0));
      const toUs = hour(timeOf("end_time", endTime, MAX_TIME_US));
      const nowUs = clock.nowUs();
      const hours = (toUs - fromUs) / HOUR_US;
      if (hours < 1 || hours > MAX_HOURS) {
        throw invalid("end_time", `the range has ${hours} whole hours: give 1 to ${MAX_HOURS}`);
      }
      if (fromUs >= nowUs) throw invalid("start_time", "the range has not begun yet");
      if (busy)
        throw new TelltaleError("exhausted", "Another report is being made: ask again", { retryAfterMs: RETRY_MS });
      busy = true;
      try {
        const options = { fromUs, toUs, nowUs, operators: operators || 1, top: top || DEFAULT_TOP };
        return { report: await makeReport(sql, options) };
      } finally {
        busy = false;
      }
    },
  };
}

function hour(us: number): number {
  return Math.floor(us / HOUR_US) * HOUR_US;
}
