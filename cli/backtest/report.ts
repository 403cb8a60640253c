/** What a backtest found, for people. */
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { SingleBar } from "cli-progress";
import { counted } from "../../formats/counted.ts";
import type { Alert } from "../../gen/es/telltale/v1/alert_pb.ts";
import type { BacktestPicture, BacktestResponse, BacktestSummary } from "../../gen/es/telltale/v1/detector_pb.ts";
import { type ScoredReading, Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import { duration } from "../../ml/picture.ts";
import { enumName } from "../../server/lib/enum-name.ts";

/** Without a terminal, progress is a line this often. */
const LINE_EVERY_MS = 5_000;

export interface Found {
  readonly alerts: readonly Alert[];
  readonly pictures: readonly BacktestPicture[];
  readonly summary: BacktestSummary;
}

/** Gathers the responses, with progress on stderr. `onReadings` takes readings as they come. */
export async function gather(
  responses: AsyncIterable<BacktestResponse>,
  onReadings: (readings: readonly ScoredReading[]) => Promise<void>,
): Promise<Found> {
  const bar = progress();
  const alerts: Alert[] = [];
  const pictures: BacktestPicture[] = [];
  let summary: BacktestSummary | undefined;
  try {
    for await (const r of responses) {
      bar.update(Number(r.readingsDone), Number(r.readingsTotal));
      alerts.push(...r.alerts);
      if (r.picture !== undefined) pictures.push(r.picture);
      if (r.readings.length > 0) await onReadings(r.readings);
      summary = r.summary ?? summary;
    }
  } finally {
    bar.stop();
  }
  if (summary === undefined) throw new Error("The server ended the backtest without a summary.");
  alerts.sort((a, b) => Number((a.openedAt?.seconds ?? 0n) - (b.openedAt?.seconds ?? 0n)) || Number(a.id - b.id));
  return { alerts, pictures, summary };
}

/** A bar on a terminal, a line now and then elsewhere; always on stderr. */
function progress(): { update(done: number, total: number): void; stop(): void } {
  if (process.stderr.isTTY) {
    const bar = new SingleBar({ format: "{bar} {percentage}% | {value}/{total} readings", stream: process.stderr });
    bar.start(0, 0);
    return {
      update: (done, total) => {
        bar.setTotal(total);
        bar.update(done);
      },
      stop: () => bar.stop(),
    };
  }
  let lastLine = Date.now();
  return {
    update: (done, total) => {
      if (Date.now() - lastLine < LINE_EVERY_MS) return;
      lastLine = Date.now();
      console.error(`${done}/${total} readings`);
    },
    stop: () => {},
  };
}

export function backtestLine(a: Alert): string {
  const opened = timestampDate(a.openedAt!);
  const lasted = a.closedAt ? duration((timestampDate(a.closedAt).getTime() - opened.getTime()) / 1000) : "still open";
  const severity = enumName(Severity, a.severity);
  return `${opened.toISOString()}  ${lasted.padEnd(10)}  ${severity.padEnd(8)}  ${a.sensorId}  ${a.message}`;
}

/** `stored`: whether it is compared with the stored alerts. */
export function summaryLines(s: BacktestSummary, stored: boolean): string[] {
  const lines = [
    `${counted(s.alerts, "alert")} of ${counted(s.sensors, "sensor")} (${s.alertsPerSensorDay.toFixed(3)} a sensor and day), ${counted(s.notifications, "notification")}; ` +
      `${duration(s.alertSeconds)} in alert, the longest ${duration(s.longestAlertSeconds)}.`,
  ];
  if (stored) {
    const met = s.alertsStored - s.alertsAvoided;
    lines.push(
      `Live there were ${s.alertsStored}: ${met} would be raised again, ${s.alertsAvoided} not; ${s.alertsAdded} would be raised in addition. ` +
        (s.readingsChanged === 0n
          ? "Every score is bit-identical to the stored one."
          : `${counted(s.readingsChanged, "reading", ["differs", "differ"])} from the stored scores or bounds.`),
    );
  }
  if (s.labelsTotal > 0n || s.precision !== undefined) {
    const precision =
      s.precision === undefined
        ? ""
        : `; ${counted(s.alertsRight, "alert")} right, ${s.alertsWrong} wrong (precision ${s.precision.toFixed(3)})`;
    lines.push(`${s.labelsMet} of ${counted(s.labelsTotal, "labelled event")} met${precision}.`);
  }
  return [...lines, ...s.notes];
}
