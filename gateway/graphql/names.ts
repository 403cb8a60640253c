/** GraphQL's names for the contracts. A new RPC gets a field by a row here, then `npm run generate:gateway`. */

import { chartTypes } from "../mesh/charts.ts";
import { ALERT_OPEN, givenFields, storedReading, theOne } from "../mesh/rules.ts";
import type { Facade, FieldRow, Shaped } from "../mesh/tables.ts";

const LIST_ARGS = { limit: "Int = 100", offset: "Int = 0", pageToken: null } as const;

const SERIES_ARGS = { sensorIds: "[String!]!", columns: "Int!" } as const;
const HEATMAP_ARGS = { columns: "Int!", top: "Int = 50" } as const;

const queries: readonly FieldRow[] = [
  { root: "Query", name: "sensorData", rpc: "QueryService.ListReadings", hoist: "readings", args: LIST_ARGS },
  {
    root: "Query",
    name: "sensorDataPage",
    rpc: "QueryService.ListReadings",
    args: { limit: "Int = 100", offset: null },
    description: "Like sensorData, with a token that continues after the last reading, at constant cost.",
  },
  { root: "Query", name: "latestReading", rpc: "QueryService.GetLatestReading", hoist: "reading", notFound: null },
  { root: "Query", name: "latestReadings", rpc: "QueryService.BatchGetLatestReadings", hoist: "readings" },
  { root: "Query", name: "sensorStats", rpc: "QueryService.GetSensorStats", notFound: null },
  { root: "Query", name: "platformStats", rpc: "QueryService.GetPlatformStats" },
  { root: "Query", name: "platformHealth", rpc: "QueryService.GetPlatformHealth" },
  { root: "Query", name: "sensors", rpc: "QueryService.ListSensors", args: { limit: "Int = 100" } },
  { root: "Query", name: "sensor", rpc: "RegistryService.GetSensor", hoist: "sensor", notFound: null },
  {
    root: "Query",
    name: "registeredSensors",
    rpc: "RegistryService.ListSensors",
    args: { limit: "Int = 100", descending: "Boolean = false", withCounts: "Boolean = false" },
  },
  { root: "Query", name: "assetTree", rpc: "RegistryService.GetAssetTree" },
  { root: "Query", name: "silences", rpc: "NotificationService.ListSilences", args: { limit: "Int = 100" } },
  {
    root: "Query",
    name: "notifiedAlerts",
    rpc: "NotificationService.ListNotifiedAlerts",
    args: { limit: "Int = 100" },
  },
  { root: "Query", name: "notificationConfig", rpc: "NotificationService.GetNotificationConfig", hoist: "config" },
  {
    root: "Query",
    name: "notificationDeliveries",
    rpc: "NotificationService.ListDeliveries",
    args: { limit: "Int = 100", alertId: "SafeInt" },
  },
  {
    root: "Query",
    name: "explainNotification",
    rpc: "NotificationService.ExplainNotification",
    args: { alertId: "SafeInt!" },
    notFound: null,
  },
  { root: "Query", name: "heartbeats", rpc: "NotificationService.ListHeartbeats" },
  { root: "Query", name: "onCall", rpc: "NotificationService.GetOnCall", hoist: "schedules" },
  { root: "Query", name: "onCallShifts", rpc: "NotificationService.ListShifts", hoist: "shifts" },
  { root: "Query", name: "onCallOverrides", rpc: "NotificationService.ListOverrides", hoist: "overrides" },
  {
    root: "Query",
    name: "previewNotifications",
    rpc: "NotificationService.PreviewNotifications",
    args: { days: "Int!" },
  },
  { root: "Query", name: "sensorDeletions", rpc: "RegistryService.ListSensorDeletions", args: { limit: "Int = 100" } },
  {
    root: "Query",
    name: "aggregates",
    rpc: "QueryService.AggregateReadings",
    hoist: "buckets",
    args: { bucketSeconds: "Int!" },
  },
  { root: "Query", name: "series", rpc: "QueryService.GetSeries", args: SERIES_ARGS },
  { root: "Query", name: "anomalyHeatmap", rpc: "QueryService.GetAnomalyHeatmap", args: HEATMAP_ARGS },
  {
    root: "Query",
    name: "anomalyAlerts",
    rpc: "AlertService.ListAlerts",
    hoist: "alerts",
    args: LIST_ARGS,
    noMatch: [],
  },
  {
    root: "Query",
    name: "anomalyAlertsPage",
    rpc: "AlertService.ListAlerts",
    args: { limit: "Int = 100", offset: null },
    description: "Like anomalyAlerts, with a token that continues after the last alert, at constant cost.",
  },
  {
    root: "Query",
    name: "anomalyAlert",
    rpc: "AlertService.GetAlert",
    hoist: "alert",
    args: { alertId: "SafeInt!" },
    notFound: null,
  },
  {
    root: "Query",
    name: "incidents",
    rpc: "IncidentService.ListIncidents",
    args: { limit: "Int = 100", minAlerts: "Int = 1" },
    description: "Alerts that belong together, newest first.",
  },
  {
    root: "Query",
    name: "incident",
    rpc: "IncidentService.GetIncident",
    args: { incidentId: "SafeInt!", limit: "Int = 100" },
    notFound: null,
    description: "An incident, by its id or that of any alert in it, with its alerts and why each is in it.",
  },
  { root: "Query", name: "explainReading", rpc: "DetectorService.ExplainReading", notFound: null },
  { root: "Query", name: "forecast", rpc: "DetectorService.Forecast", notFound: null },
  { root: "Query", name: "detectorConfig", rpc: "DetectorService.GetDetectorConfig", hoist: "config" },
  {
    root: "Query",
    name: "detectorSettings",
    rpc: "DetectorService.GetDetectorConfig",
    notFound: null,
    description:
      "As detectorConfig, with the source of each field. Null where the sensor has neither readings nor settings.",
  },
  {
    root: "Query",
    name: "maintenanceWindows",
    rpc: "DetectorService.ListMaintenanceWindows",
    hoist: "windows",
    args: { limit: "Int = 1000", pageToken: null },
  },
  {
    root: "Query",
    name: "maintenanceWindowsPage",
    rpc: "DetectorService.ListMaintenanceWindows",
    args: { limit: "Int = 100" },
    description: "As maintenanceWindows, with a token that goes on after the last window.",
  },
  {
    root: "Query",
    name: "tokens",
    rpc: "AdminService.ListTokens",
    hoist: "tokens",
    args: { limit: "Int = 1000", pageToken: null },
  },
  {
    root: "Query",
    name: "tokensPage",
    rpc: "AdminService.ListTokens",
    args: { limit: "Int = 100" },
    description: "As tokens, with a token that goes on after the last one.",
  },
  {
    root: "Query",
    name: "auditEvents",
    rpc: "AdminService.ListAuditEvents",
    hoist: "events",
    args: { limit: "Int = 100", beforeId: "SafeInt = 0", pageToken: null },
  },
  {
    root: "Query",
    name: "auditEventsPage",
    rpc: "AdminService.ListAuditEvents",
    args: { limit: "Int = 100", beforeId: null },
    description: "As auditEvents, with a token that goes on after the last event.",
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
    name: "acknowledgeIncident",
    rpc: "IncidentService.AcknowledgeIncident",
    args: { incidentId: "SafeInt!" },
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
    name: "updateSensor",
    rpc: "RegistryService.UpdateSensor",
    message: "telltale.v1.SensorProfile",
    request: givenFields,
    hoist: "sensor",
    description: "Changes the profile of a sensor: the fields that are given, also to what is empty.",
  },
  { root: "Mutation", name: "createSilence", rpc: "NotificationService.CreateSilence" },
  { root: "Mutation", name: "updateSilence", rpc: "NotificationService.UpdateSilence", notFound: null },
  {
    root: "Mutation",
    name: "acknowledgeReceivedAlert",
    rpc: "NotificationService.AcknowledgeReceivedAlert",
    args: { alertId: "SafeInt!" },
    notFound: null,
  },
  {
    root: "Mutation",
    name: "expireSilence",
    rpc: "NotificationService.ExpireSilence",
    hoist: "silence",
    notFound: null,
  },
  { root: "Mutation", name: "createOnCallOverride", rpc: "NotificationService.CreateOverride", hoist: "override" },
  {
    root: "Mutation",
    name: "endOnCallOverride",
    rpc: "NotificationService.EndOverride",
    hoist: "override",
    notFound: null,
  },
  { root: "Mutation", name: "setNotificationConfig", rpc: "NotificationService.SetNotificationConfig" },
  { root: "Mutation", name: "testReceiver", rpc: "NotificationService.TestReceiver", notFound: null },
  { root: "Mutation", name: "sendHeartbeat", rpc: "NotificationService.SendHeartbeat", notFound: null },
  { root: "Mutation", name: "revokeNotificationLinks", rpc: "NotificationService.RevokeLinks" },
  { root: "Mutation", name: "applySensors", rpc: "RegistryService.ApplySensors" },
  { root: "Mutation", name: "retireSensors", rpc: "RegistryService.RetireSensors", hoist: "sensors" },
  { root: "Mutation", name: "restoreSensors", rpc: "RegistryService.RestoreSensors", hoist: "sensors" },
  { root: "Mutation", name: "renameSensor", rpc: "RegistryService.RenameSensor", hoist: "sensor" },
  { root: "Mutation", name: "deleteSensor", rpc: "RegistryService.DeleteSensor", hoist: "deletion", notFound: null },
  { root: "Mutation", name: "deleteSensors", rpc: "RegistryService.DeleteSensors", hoist: "deletions" },
  {
    root: "Mutation",
    name: "changeDetectorSettings",
    rpc: "DetectorService.SetDetectorConfig",
    description:
      "As setDetectorConfig, with the source of each field. With dryRun it changes nothing and says what the change would have done.",
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

const GAPS =
  "With `resumeToken` of a value, goes on behind it. Where values were missed, the next one says so by `missed` where that is asked for; else an error (MISSED) ends the subscription.";

/** Of the values of subscriptions. */
const WATCH_FIELDS = {
  resumeToken: {
    type: "String",
    value: () => null,
    description: "In a subscription: pass it to a new one to continue after this value.",
  },
  missed: {
    type: "Boolean",
    value: () => null,
    description: "In a subscription: whether values before this one were missed.",
  },
} as const;

const subscriptions: readonly FieldRow[] = [
  {
    root: "Subscription",
    name: "sensorDataStream",
    rpc: "WatchService.WatchReadings",
    type: "SensorDataType!",
    each: (response) => response.readings as Shaped[],
    resumes: true,
    description: `Each reading once, in the order of their commit. ${GAPS}`,
  },
  {
    root: "Subscription",
    name: "anomalyAlertStream",
    rpc: "WatchService.WatchAlerts",
    args: { minSeverity: null },
    type: "AnomalyAlertType!",
    each: newAlerts,
    resumes: true,
    description: `Each alert as it opens; with a severity, as it opens with it or is raised to it. ${GAPS}`,
  },
  {
    root: "Subscription",
    name: "alertEvents",
    rpc: "WatchService.WatchAlerts",
    type: "AlertEvent!",
    each: ({ event }) => (event === null ? [] : [event]),
    resumes: true,
    description: `Every transition of every alert: opened, raised, acknowledged, recovered, resolved. ${GAPS}`,
  },
  {
    root: "Subscription",
    name: "incidentEvents",
    rpc: "IncidentService.WatchIncidents",
    type: "IncidentEvent!",
    each: ({ type, incident }) => (incident === null ? [] : [{ type, incident }]),
    resumes: true,
    description: `Incidents as they change, each as it is then. ${GAPS}`,
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
        ...WATCH_FIELDS,
      },
      others: true,
    },
    "telltale.v1.AlertEvent": { name: "AlertEvent", fields: WATCH_FIELDS, others: true },
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
        ...WATCH_FIELDS,
      },
      others: true,
    },
    "telltale.v1.GetSensorStatsResponse": {
      name: "SensorStatsType",
      fields: { lastReading: { from: "last_reading", type: "DateTime!" } },
      others: true,
    },
    "telltale.v1.UnitStatistics": {
      name: "UnitStatisticsType",
      fields: {
        firstReading: { from: "first_reading", type: "DateTime!" },
        lastReading: { from: "last_reading", type: "DateTime!" },
      },
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
          description: "Its newest reading, with all fields.",
        },
      },
      others: true,
    },
    "telltale.v1.Bucket": {
      name: "AggregateType",
      fields: { startTime: { from: "start_time", type: "DateTime!" } },
      others: true,
    },
    ...chartTypes("camel"),
    "telltale.v1.ListReadingsResponse": { name: "SensorDataPage", fields: {}, others: true },
    "telltale.v1.ListAlertsResponse": { name: "AnomalyAlertPage", fields: {}, others: true },
    "telltale.v1.ListSensorsResponse": { name: "SensorList", fields: {}, others: true },
    "telltale.v1.RegistryServiceListSensorsResponse": { name: "RegisteredSensorPage", fields: {}, others: true },
    "telltale.v1.GetAssetTreeResponse": { name: "AssetTree", fields: {}, others: true },
    "telltale.v1.ApplySensorsResponse": { name: "AppliedSensors", fields: {}, others: true },
    "telltale.v1.WatchIncidentsResponse": {
      name: "IncidentEvent",
      fields: { type: { from: "type" }, incident: { from: "incident" }, ...WATCH_FIELDS },
      others: false,
    },
    "telltale.v1.ListIncidentsResponse": { name: "IncidentPage", fields: {}, others: true },
    "telltale.v1.GetIncidentResponse": { name: "IncidentDetails", fields: {}, others: true },
    "telltale.v1.AcknowledgeIncidentResponse": { name: "AcknowledgedIncident", fields: {}, others: true },
    "telltale.v1.ListMaintenanceWindowsResponse": { name: "MaintenanceWindowPage", fields: {}, others: true },
    "telltale.v1.ListTokensResponse": { name: "TokenPage", fields: {}, others: true },
    "telltale.v1.ListAuditEventsResponse": { name: "AuditEventPage", fields: {}, others: true },
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
    "telltale.v1.ForecastResponse": { name: "SensorForecast", fields: {}, others: true },
    "telltale.v1.GetDetectorConfigResponse": { name: "DetectorSettings", fields: {}, others: true },
    "telltale.v1.SetDetectorConfigResponse": { name: "DetectorSettingsChange", fields: {}, others: true },
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
