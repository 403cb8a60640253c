import { setTimeout as delay } from "node:timers/promises";
import { toJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { Command, Option } from "commander";
import { backoffMs } from "../../client/backoff.ts";
import { connect } from "../../client/transport.ts";
import { type ScoredReading, ScoredReadingSchema, Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import {
  type AlertEvent,
  AlertEventSchema,
  AlertEventTypeSchema,
  type WatchAlertsResponse,
  type WatchReadingsResponse,
  WatchService,
} from "../../gen/es/telltale/v1/watch_pb.ts";
import { credentials, outageReporter, type ServerOptions, withServer } from "../server.ts";
import { untilInterrupted } from "../signals.ts";
import { inert } from "../text.ts";
import { alertLine, enumName } from "./alerts.ts";

const MAX_BACKOFF_MS = 5_000;
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
    .addOption(
      new Option("--min-severity <severity>", "at least so severe").choices(["low", "medium", "high", "critical"]),
    );
  const both = [readings.action(watchReadings), alerts.action(watchAlerts)];
  for (const each of both) {
    withServer(each.option("-s, --sensor-id <id>", "only of this sensor").option("--json", "a JSON object a line"));
  }
  return new Command("watch")
    .description("print readings or alerts live; connects again by itself and says what it missed")
    .addCommand(readings)
    .addCommand(alerts);
}

async function watchReadings(options: Filters): Promise<void> {
  const { sensorId = "", sensorType = "", location = "", anomaliesOnly = false } = options;
  await follow<WatchReadingsResponse>(
    options,
    (service, resumeToken, signal) =>
      service.watchReadings({ sensorId, sensorType, location, anomaliesOnly, resumeToken }, { signal }),
    ({ readings }) => {
      for (const each of readings)
        console.log(options.json ? toJsonString(ScoredReadingSchema, each) : readingLine(each));
    },
  );
}

async function watchAlerts(options: Filters): Promise<void> {
  const { sensorId = "", minSeverity } = options;
  const atLeast = minSeverity ? Severity[minSeverity.toUpperCase() as keyof typeof Severity] : Severity.UNSPECIFIED;
  const seen = new Set<string>();
  await follow<WatchAlertsResponse>(
    options,
    (service, resumeToken, signal) => service.watchAlerts({ sensorId, minSeverity: atLeast, resumeToken }, { signal }),
    ({ event }) => {
      if (!event || seen.has(event.id)) return;
      seen.add(event.id);
      if (seen.size > REMEMBERED_EVENTS) seen.delete(seen.values().next().value!);
      console.log(options.json ? toJsonString(AlertEventSchema, event) : eventLine(event));
    },
  );
}

/** Watches until Ctrl-C; after a lost connection goes on where it was. */
async function follow<R extends { resumeToken: string; missed: boolean }>(
  options: ServerOptions,
  watch: (service: ReturnType<typeof serviceOf>, resumeToken: string, signal: AbortSignal) => AsyncIterable<R>,
  show: (response: R) => void,
): Promise<void> {
  const connection = connect(credentials(options));
  const report = outageReporter((text) => console.error(text));
  let resumeToken = "";
  try {
    await untilInterrupted(async (signal) => {
      for (let attempt = 0; !signal.aborted; attempt++) {
        try {
          for await (const response of watch(serviceOf(connection), resumeToken, signal)) {
            report({ connected: true });
            attempt = 0;
            if (response.missed) console.error("(some were missed here; query the server for them)");
            show(response);
            resumeToken = response.resumeToken || resumeToken;
          }
        } catch (error) {
          const failure = ConnectError.from(error);
          if (final.has(failure.code)) throw failure;
          report({ connected: false, reason: failure.rawMessage });
        }
        await delay(backoffMs(attempt, MAX_BACKOFF_MS), undefined, { signal });
      }
    });
    process.exitCode = 0; // Ctrl-C is how a watch ends
  } finally {
    connection.close();
  }
}

/** What trying again cannot change. */
const final = new Set([Code.InvalidArgument, Code.Unauthenticated, Code.PermissionDenied, Code.Unimplemented]);

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
  const what = enumName(AlertEventTypeSchema, event.type);
  return event.alert ? alertLine(event.alert, what) : `alert event ${event.id}: ${what}`;
}
