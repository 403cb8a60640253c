/**
 * Old alerts beside the platform's own. They are not stored: an alert is a result of the log, and what the old platform judged is no
 * reading. What can be done is to say which of them the platform confirms, and where the two differ.
 */
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createClient } from "@connectrpc/connect";
import { type Connection, connect } from "../../client/transport.ts";
import { type CsvOptions, csvRow } from "../../formats/csv/index.ts";
import { instantText, parseInstant } from "../../formats/time.ts";
import { type Alert, AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { credentials, type ServerOptions } from "../server.ts";
import { microsecondsOf } from "../time.ts";
import { ALERTS_TABLE, isDatabase, openOldDatabase } from "./database.ts";
import { readExport } from "./files.ts";
import type { Fields } from "./row.ts";

/** Old alerts are kept in memory, to be looked at sensor by sensor. */
const MAX_ALERTS = 1_000_000;
/** The old platform dated an alert when it got to the reading, not when the reading was taken. */
const WITHIN_US = 60_000_000;
const PAGE = 1_000;

export interface Comparison {
  readonly old: number;
  /** Of the old ones, how many lie within an alert of the platform for the same sensor. */
  readonly met: number;
  /** Alerts of the platform for these sensors, in the time that the old ones cover. */
  readonly own: number;
  /** Of those, how many no old alert lies within. */
  readonly ownAlone: number;
  /** Old alerts without a sensor or a time that can be read. */
  readonly bad: number;
}

interface OldAlert {
  readonly fields: Fields;
  readonly us: number;
}

/** Undefined where the source has no alerts. Writes a line for each old alert to the file, as CSV. */
export async function compareAlerts(
  source: string,
  server: ServerOptions,
  file: string,
  csv: CsvOptions,
): Promise<Comparison | undefined> {
  const { bySensor, bad, old } = await collect(oldAlerts(source, csv), source);
  if (old + bad === 0) return undefined;
  const connection = connect(credentials(server));
  const sums = { old, met: 0, own: 0, ownAlone: 0, bad };
  try {
    await pipeline(Readable.from(report(bySensor, connection, sums)), createWriteStream(file));
  } finally {
    connection.close();
  }
  return sums;
}

type Sums = { -readonly [K in keyof Comparison]: Comparison[K] };

async function* report(bySensor: Map<string, OldAlert[]>, connection: Connection, sums: Sums): AsyncGenerator<string> {
  yield csvRow([...COLUMNS, "telltale_alert_id", "telltale_severity", "telltale_opened_at", "telltale_message"]);
  for (const [sensorId, old] of bySensor) {
    const own = await ownAlerts(connection, sensorId, old);
    sums.own += own.length;
    const alone = new Set(own);
    for (const each of old) {
      const alert = own.find((one) => covers(one, each.us));
      if (alert) sums.met++;
      for (const one of own) if (covers(one, each.us)) alone.delete(one);
      yield csvRow([...COLUMNS.map((name) => each.fields[name]), ...(alert ? ownCells(alert) : ["", "", "", ""])]);
    }
    sums.ownAlone += alone.size;
  }
}

const COLUMNS = ["id", "sensor_id", "timestamp", "severity", "anomaly_score", "resolved", "message"];

function ownCells(alert: Alert): unknown[] {
  return [alert.id, enumName(Severity, alert.severity), instantText(microseconds(alert.openedAt)), alert.message];
}

/** Those of the platform from the first to the last of the old ones. */
async function ownAlerts(connection: Connection, sensorId: string, old: readonly OldAlert[]): Promise<Alert[]> {
  const service = createClient(AlertService, connection.transport);
  const from = Math.min(...old.map(({ us }) => us));
  const to = Math.max(...old.map(({ us }) => us));
  const all: Alert[] = [];
  for (let offset = 0n; ; offset += BigInt(PAGE)) {
    const { alerts } = await service.listAlerts({ sensorId, limit: PAGE, offset });
    all.push(...alerts.filter((alert) => end(alert) >= from - WITHIN_US && start(alert) <= to + WITHIN_US));
    if (alerts.length < PAGE) return all;
  }
}

const start = (alert: Alert) => microseconds(alert.openedAt);
const end = (alert: Alert) => microseconds(alert.lastSeenAt ?? alert.openedAt);

function covers(alert: Alert, us: number): boolean {
  return us >= start(alert) - WITHIN_US && us <= end(alert) + WITHIN_US;
}

function microseconds(time: Alert["openedAt"]): number {
  return time ? microsecondsOf(time) : 0;
}

async function collect(
  alerts: AsyncIterable<Fields | undefined>,
  source: string,
): Promise<{ bySensor: Map<string, OldAlert[]>; bad: number; old: number }> {
  const bySensor = new Map<string, OldAlert[]>();
  let bad = 0;
  let old = 0;
  for await (const fields of alerts) {
    const us = typeof fields?.timestamp === "string" ? parseInstant(fields.timestamp) : Number.NaN;
    if (typeof fields?.sensor_id !== "string" || Number.isNaN(us)) {
      bad++;
      continue;
    }
    if (++old > MAX_ALERTS) throw new Error(`${source} has more than ${MAX_ALERTS} alerts: compare it in parts.`);
    const own = bySensor.get(fields.sensor_id);
    if (own) own.push({ fields, us });
    else bySensor.set(fields.sensor_id, [{ fields, us }]);
  }
  return { bySensor, bad, old };
}

/** Undefined for one that cannot be read. */
async function* oldAlerts(source: string, csv: CsvOptions): AsyncGenerator<Fields | undefined> {
  if (!isDatabase(source)) {
    for await (const found of readExport(source, ["sensor_id", "timestamp"], csv)) {
      yield "wanted" in found ? undefined : found.fields;
    }
    return;
  }
  const database = openOldDatabase(source);
  try {
    if (await database.hasTable(ALERTS_TABLE)) yield* database.alerts();
  } finally {
    await database.close();
  }
}
