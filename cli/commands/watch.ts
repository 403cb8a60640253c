import { toJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { Command } from "commander";
import type { connect } from "../../client/transport.ts";
import { type ScoredReading, ScoredReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import {
  type AlertEvent,
  AlertEventSchema,
  AlertEventType,
  type WatchAlertsResponse,
  type WatchReadingsResponse,
  WatchService,
} from "../../gen/es/telltale/v1/watch_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { alertLine } from "../alerts.ts";
import { follow } from "../follow.ts";
import { type ServerOptions, withServer } from "../server.ts";
import { severityOf, severityOption } from "../severity.ts";
import { inert } from "../text.ts";

/** Alert events come at least once: so many ids are remembered to show each once. */
const REMEMBERED_EVENTS = 10_000;

interface Filters extends ServerOptions {
  readonly sensorId?: string;
  readonly sensorType?: string;
  readonly location?: string;
  readonly anomaliesOnly?: true;
  readonly minSeverity?: string;
  readonly json?: true;
}

/** `telltale watch readings|alerts`: prints what happens, as it happens. */
export function watchCommand(): Command {
  const readings = new Command("readings")
    .description("print readings as they are stored, with their scores")
    .option("--sensor-type <type>", "only of this type")
    .option("--location <place>", "only from here")
    .option("--anomalies-only", "only abnormal ones");
  const alerts = new Command("alerts")
    .description("print alerts as they open, rise and close")
    .addOption(severityOption());
  const both = [readings.action(watchReadings), alerts.action(watchAlerts)];
  for (const each of both) {
    withServer(each.option("-s, --sensor-id <id>", "only of this sensor").option("--json", "a JSON object a line"));
  }
  return new Command("watch")
    .description("print readings or alerts live; reconnects by itself and reports gaps")
    .addCommand(readings)
    .addCommand(alerts);
}

async function watchReadings(options: Filters): Promise<void> {
  const { sensorId = "", sensorType = "", location = "", anomaliesOnly = false } = options;
  await follow<WatchReadingsResponse>(
    options,
    (connection, resumeToken, signal) =>
      serviceOf(connection).watchReadings({ sensorId, sensorType, location, anomaliesOnly, resumeToken }, { signal }),
    ({ readings }) => {
      for (const each of readings)
        console.log(options.json ? toJsonString(ScoredReadingSchema, each) : readingLine(each));
    },
  );
}

async function watchAlerts(options: Filters): Promise<void> {
  const { sensorId = "", minSeverity } = options;
  const seen = new Set<string>();
  await follow<WatchAlertsResponse>(
    options,
    (connection, resumeToken, signal) =>
      serviceOf(connection).watchAlerts({ sensorId, minSeverity: severityOf(minSeverity), resumeToken }, { signal }),
    ({ event }) => {
      if (!event || seen.has(event.id)) return;
      seen.add(event.id);
      if (seen.size > REMEMBERED_EVENTS) seen.delete(seen.values().next().value!);
      console.log(options.json ? toJsonString(AlertEventSchema, event) : eventLine(event));
    },
  );
}

function serviceOf(connection: ReturnType<typeof connect>) {
  return createClient(WatchService, connection.transport);
}

function readingLine(reading: ScoredReading): string {
  const at = reading.observedAt ? timestampDate(reading.observedAt).toISOString() : "";
  const bounds =
    reading.lower === undefined || reading.upper === undefined
      ? ""
      : ` in ${short(reading.lower)} … ${short(reading.upper)}`;
  const verdict = reading.isAnomaly
    ? `ANOMALY score ${reading.anomalyScore.toFixed(4)} (${reading.reason})`
    : reading.late
      ? "late, not judged"
      : `confidence ${reading.confidence.toFixed(4)}`;
  return `${at}  ${inert(reading.sensorId)}  ${short(reading.value)} ${inert(reading.unit)}${bounds}  ${verdict}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(7)));
}

function eventLine(event: AlertEvent): string {
  const what = enumName(AlertEventType, event.type);
  return event.alert ? alertLine(event.alert, what) : `alert event ${event.id}: ${what}`;
}
