/** GraphQL's names for the contracts. A new RPC gets a field by a row here, then `npm run generate:gateway`. */

import { ALERT_OPEN, storedReading, theOne } from "../mesh/rules.ts";
import type { Facade, FieldRow, Shaped } from "../mesh/tables.ts";

const LIST_ARGS = { limit: "Int = 100", offset: "Int = 0", pageToken: null } as const;

const queries: readonly FieldRow[] = [
  { root: "Query", name: "sensorData", rpc: "QueryService.ListReadings", hoist: "readings", args: LIST_ARGS },
  {
    root: "Query",
    name: "sensorDataPage",
    rpc: "QueryService.ListReadings",
    args: { limit: "Int = 100", offset: null },
    description: "As sensorData, with a token that goes on after the last reading: cheap however deep.",
  },
  { root: "Query", name: "latestReading", rpc: "QueryService.GetLatestReading", hoist: "reading", notFound: null },
  { root: "Query", name: "latestReadings", rpc: "QueryService.BatchGetLatestReadings", hoist: "readings" },
  { root: "Query", name: "sensorStats", rpc: "QueryService.GetSensorStats", notFound: null },
  { root: "Query", name: "platformStats", rpc: "QueryService.GetPlatformStats" },
  { root: "Query", name: "platformHealth", rpc: "QueryService.GetPlatformHealth" },
  { root: "Query", name: "sensors", rpc: "QueryService.ListSensors", args: { limit: "Int = 100" } },
  {
    root: "Query",
    name: "aggregates",
    rpc: "QueryService.AggregateReadings",
    hoist: "buckets",
    args: { bucketSeconds: "Int!" },
  },
  {
    root: "Query",
    name: "anomalyAlerts",
    rpc: "AlertService.ListAlerts",
    hoist: "alerts",
    args: { limit: "Int = 100", offset: "Int = 0" },
    noMatch: [],
  },
  {
    root: "Query",
    name: "anomalyAlert",
    rpc: "AlertService.GetAlert",
    hoist: "alert",
    args: { alertId: "SafeInt!" },
    notFound: null,
  },
  { root: "Query", name: "explainReading", rpc: "DetectorService.ExplainReading", notFound: null },
  { root: "Query", name: "detectorConfig", rpc: "DetectorService.GetDetectorConfig", hoist: "config" },
  { root: "Query", name: "maintenanceWindows", rpc: "DetectorService.ListMaintenanceWindows", hoist: "windows" },
  { root: "Query", name: "tokens", rpc: "AdminService.ListTokens", hoist: "tokens" },
  {
    root: "Query",
    name: "auditEvents",
    rpc: "AdminService.ListAuditEvents",
    hoist: "events",
    args: { limit: "Int = 100", beforeId: "SafeInt = 0" },
  },
];

const mutations: readonly FieldRow[] = [
  {
    root: "Mutation",
    name: "resolveAlert",
    rpc: "AlertService.ResolveAlert",
    args: { alertId: "SafeInt!" },
    type: "Boolean!",
    result: () => true,
    notFound: false,
    description: "Closes an alert by hand. False where there is no such alert.",
  },
  {
    root: "Mutation",
    name: "acknowledgeAlert",
    rpc: "AlertService.AcknowledgeAlert",
    hoist: "alert",
    args: { alertId: "SafeInt!" },
    notFound: null,
  },
  {
    root: "Mutation",
    name: "submitSensorData",
    rpc: "IngestService.SubmitReadings",
    message: "telltale.v1.Reading",
    request: (reading) => ({ readings: [reading] }),
    type: "SensorDataType!",
    result: storedReading,
    // Sending a reading again changes nothing and is answered alike.
    otherwise: {
      name: "sensorData",
      args: ({ sensorId, observedAt: at }) => ({ sensorId, startTime: at, endTime: at, limit: 1 }),
      result: theOne,
    },
    description: "Stores one reading and answers with it as scored.",
  },
  {
    root: "Mutation",
    name: "labelAlert",
    rpc: "DetectorService.LabelAlert",
    args: { alertId: "SafeInt!" },
    notFound: null,
  },
  {
    root: "Mutation",
    name: "setDetectorConfig",
    rpc: "DetectorService.SetDetectorConfig",
    message: "telltale.v1.DetectorConfig",
    request: (config) => ({ config }),
    hoist: "config",
  },
  {
    root: "Mutation",
    name: "createMaintenanceWindow",
    rpc: "DetectorService.CreateMaintenanceWindow",
    message: "telltale.v1.MaintenanceWindow",
    args: { id: null },
    request: (window) => ({ window }),
    hoist: "window",
  },
  {
    root: "Mutation",
    name: "deleteMaintenanceWindow",
    rpc: "DetectorService.DeleteMaintenanceWindow",
    type: "Boolean!",
    result: () => true,
    notFound: false,
    description: "Ends a window. False where there is none with that id that has not ended.",
  },
  {
    root: "Mutation",
    name: "createToken",
    rpc: "AdminService.CreateToken",
    message: "telltale.v1.Token",
    args: { id: null, createdAt: null, lastUsedAt: null, revokedAt: null },
    request: (token) => ({ token }),
  },
  { root: "Mutation", name: "revokeToken", rpc: "AdminService.RevokeToken", hoist: "token", notFound: null },
];

const subscriptions: readonly FieldRow[] = [
  {
    root: "Subscription",
    name: "sensorDataStream",
    rpc: "WatchService.WatchReadings",
    args: { resumeToken: null },
    type: "SensorDataType!",
    each: (response) => response.readings as Shaped[],
    description:
      "Each reading once, in the order of their commit. Ends with an error that says so when readings were missed.",
  },
  {
    root: "Subscription",
    name: "anomalyAlertStream",
    rpc: "WatchService.WatchAlerts",
    args: { resumeToken: null, minSeverity: null },
    type: "AnomalyAlertType!",
    each: newAlerts,
    description: "Each alert as it opens; with a severity, as it opens with it or is raised to it.",
  },
  {
    root: "Subscription",
    name: "alertEvents",
    rpc: "WatchService.WatchAlerts",
    args: { resumeToken: null },
    type: "AlertEvent!",
    each: ({ event }) => (event === null ? [] : [event]),
    description: "Every transition of every alert: opened, raised, acknowledged, recovered, resolved.",
  },
  {
    root: "Subscription",
    name: "backtest",
    rpc: "DetectorService.Backtest",
    // A picture has NaN in it, which JSON has not: it is drawn by `telltale backtest --html`.
    args: { pictureColumns: null },
    type: "BacktestProgress!",
    each: (response) => [response],
  },
];

/** With a severity wanted, an alert raised to it is as new to the watcher as one that opened with it. */
function newAlerts({ event }: Shaped, args: Shaped): readonly unknown[] {
  if (event === null) return [];
  const { type, alert } = event as { type: string; alert: unknown };
  return type === "opened" || (type === "raised" && args.severity) ? [alert] : [];
}

export const graphqlFacade: Facade = {
  naming: "camel",
  rows: [...queries, ...mutations, ...subscriptions],
  types: {
    "telltale.v1.ScoredReading": {
      name: "SensorDataType",
      fields: {
        id: { from: "id" },
        sensorId: { from: "sensor_id" },
        sensorType: { from: "sensor_type" },
        timestamp: { from: "observed_at", type: "DateTime!" },
        value: { from: "value" },
        unit: { from: "unit" },
        location: { from: "location" },
        isAnomaly: { from: "is_anomaly" },
        anomalyScore: { from: "anomaly_score", type: "Float" },
      },
      others: true,
    },
    "telltale.v1.Alert": {
      name: "AnomalyAlertType",
      fields: {
        id: { from: "id" },
        sensorId: { from: "sensor_id" },
        alertType: { from: "alert_type" },
        severity: { from: "severity" },
        message: { from: "message" },
        anomalyScore: { from: "anomaly_score" },
        sensorValue: { from: "sensor_value" },
        timestamp: { from: "opened_at", type: "DateTime!" },
        resolved: {
          type: "Boolean!",
          value: (get) => get("state") !== ALERT_OPEN,
          description: "Whether it is over: the sensor recovered, or a person closed it.",
        },
        resolvedAt: { from: "closed_at" },
      },
      others: true,
    },
    "telltale.v1.GetSensorStatsResponse": {
      name: "SensorStatsType",
      fields: { lastReading: { from: "last_reading", type: "DateTime!" } },
      others: true,
    },
    "telltale.v1.Sensor": {
      name: "SensorType",
      fields: {
        lastSeen: { from: "last_seen", type: "DateTime!" },
        latestReading: {
          type: "SensorDataType",
          batch: {
            rpc: "QueryService.BatchGetLatestReadings",
            key: "sensor_id",
            keys: "sensor_ids",
            maxKeys: 1000,
            list: "readings",
            by: "sensorId",
          },
          description: "Its newest reading, whole.",
        },
      },
      others: true,
    },
    "telltale.v1.Bucket": {
      name: "AggregateType",
      fields: { startTime: { from: "start_time", type: "DateTime!" } },
      others: true,
    },
    "telltale.v1.ListReadingsResponse": { name: "SensorDataPage", fields: {}, others: true },
    "telltale.v1.ListSensorsResponse": { name: "SensorList", fields: {}, others: true },
    "telltale.v1.GetPlatformStatsResponse": {
      name: "PlatformStatsType",
      fields: { timestamp: { from: "timestamp", type: "DateTime!" } },
      others: true,
    },
    "telltale.v1.GetPlatformHealthResponse": {
      name: "PlatformHealthType",
      fields: { timestamp: { from: "timestamp", type: "DateTime!" } },
      others: true,
    },
    "telltale.v1.ExplainReadingResponse": { name: "ReadingExplanation", fields: {}, others: true },
    "telltale.v1.LabelAlertResponse": { name: "AlertLabelEffect", fields: {}, others: true },
    "telltale.v1.CreateTokenResponse": { name: "CreatedToken", fields: {}, others: true },
    "telltale.v1.BacktestResponse": {
      name: "BacktestProgress",
      fields: {
        readingsDone: { from: "readings_done" },
        readingsTotal: { from: "readings_total" },
        alerts: { from: "alerts" },
        readings: { from: "readings" },
        summary: { from: "summary" },
      },
      others: false,
    },
  },
};
