/** REST's names for the contracts: what each path answers. Paths and statuses stand in routes.ts, beside each row's name. */

import { chartTypes } from "../mesh/charts.ts";
import { ALERT_OPEN, allFields, firstSensor, givenFields, oneOfMany, storedReading, theOne } from "../mesh/rules.ts";
import type { Facade, Shaped } from "../mesh/tables.ts";

interface Component {
  readonly name: string;
  readonly healthy: boolean;
  readonly detail: string;
}

/** The four parts that answer, each "healthy" or "unhealthy: why"; and scoring and the MQTT broker, while they do not go on. */
function services(components: readonly Component[]): Record<string, string> {
  const byName = new Map(components.map((component) => [component.name, component]));
  const standing = ["scoring", "mqtt"].filter((name) => byName.get(name)?.healthy === false);
  return Object.fromEntries(
    ["redis", "database", "kafka", "model", ...standing].map((name) => {
      const part = byName.get(name);
      if (part === undefined) return [name, "unhealthy: not reported"];
      return [name, part.healthy ? "healthy" : `unhealthy: ${part.detail}`];
    }),
  );
}

/** Without the database, or while readings are not scored, nothing goes on; without another part the platform does less. */
function overallStatus(byService: Record<string, string>): "healthy" | "degraded" | "unhealthy" {
  if (byService.database !== "healthy" || byService.scoring !== undefined) return "unhealthy";
  return Object.values(byService).every((status) => status === "healthy") ? "healthy" : "degraded";
}

export function platformHealth({ components, timestamp }: Shaped): Shaped {
  const byService = services(components as Component[]);
  return { status: overallStatus(byService), timestamp, services: byService };
}

export const restFacade: Facade = {
  naming: "snake",
  rows: [
    {
      root: "Mutation",
      name: "submit_sensor_data",
      rpc: "IngestService.SubmitReadings",
      message: "telltale.v1.Reading",
      // Existing clients may send one of their own by that name: it is ignored as before.
      args: { attributes: null },
      request: (reading) => ({ readings: [reading] }),
      type: "SensorData!",
      result: storedReading,
      // Sending a reading again changes nothing and is answered alike.
      otherwise: {
        name: "list_sensor_data",
        args: ({ sensor_id, observed_at: at }) => ({ sensor_id, start_time: at, end_time: at, limit: 1 }),
        result: theOne,
      },
      description: "Stores a reading and answers with it as scored.",
    },
    {
      root: "Query",
      name: "list_sensor_data",
      rpc: "QueryService.ListReadings",
      hoist: "readings",
      args: { limit: "Int = 100", offset: "SafeInt = 0", anomalies_only: null },
    },
    { root: "Query", name: "latest_sensor_data", rpc: "QueryService.GetLatestReading", hoist: "reading" },
    {
      root: "Query",
      name: "list_sensors",
      rpc: "RegistryService.ListSensors",
      args: { limit: "Int = 100" },
    },
    { root: "Query", name: "get_sensor", rpc: "RegistryService.GetSensor", hoist: "sensor" },
    {
      root: "Mutation",
      name: "replace_sensor",
      rpc: "RegistryService.UpdateSensor",
      message: "telltale.v1.SensorProfile",
      request: allFields,
      hoist: "sensor",
      description: "Sets the whole profile of a sensor: what is left out is empty then.",
    },
    {
      root: "Mutation",
      name: "change_sensor",
      rpc: "RegistryService.UpdateSensor",
      message: "telltale.v1.SensorProfile",
      request: givenFields,
      hoist: "sensor",
      description: "Changes the profile of a sensor: the fields that are given, also to what is empty.",
    },
    {
      root: "Mutation",
      name: "retire_sensor",
      rpc: "RegistryService.RetireSensors",
      message: "telltale.v1.GetSensorRequest",
      request: oneOfMany,
      type: "RegisteredSensor!",
      result: firstSensor,
      description:
        "Retires a sensor: it raises no silence alert and counts in no health count. Its open alerts are resolved.",
    },
    {
      root: "Mutation",
      name: "restore_sensor",
      rpc: "RegistryService.RestoreSensors",
      message: "telltale.v1.GetSensorRequest",
      request: oneOfMany,
      type: "RegisteredSensor!",
      result: firstSensor,
      description: "Takes the retirement of a sensor back.",
    },
    {
      root: "Mutation",
      name: "rename_sensor",
      rpc: "RegistryService.RenameSensor",
      message: "telltale.v1.RenameSensorRequest",
      request: (request) => request,
      hoist: "sensor",
    },
    { root: "Mutation", name: "delete_sensor", rpc: "RegistryService.DeleteSensor", hoist: "deletion" },
    {
      root: "Query",
      name: "list_sensor_deletions",
      rpc: "RegistryService.ListSensorDeletions",
      args: { limit: "Int = 100" },
    },
    { root: "Query", name: "series", rpc: "QueryService.GetSeries" },
    { root: "Query", name: "anomaly_heatmap", rpc: "QueryService.GetAnomalyHeatmap", args: { top: "Int = 50" } },
    {
      root: "Query",
      name: "list_alerts",
      rpc: "AlertService.ListAlerts",
      hoist: "alerts",
      args: { limit: "Int = 100", offset: "SafeInt = 0" },
      noMatch: [],
    },
    {
      root: "Mutation",
      name: "resolve_alert",
      rpc: "AlertService.ResolveAlert",
      args: { alert_id: "SafeInt!", comment: null },
      type: "Message!",
      result: () => ({ message: "Alert resolved successfully" }),
      description: "Closes an alert manually. Repeating it changes nothing.",
    },
    {
      root: "Query",
      name: "list_incidents",
      rpc: "IncidentService.ListIncidents",
      args: { limit: "Int = 100", min_alerts: "Int = 1" },
    },
    {
      root: "Query",
      name: "get_incident",
      rpc: "IncidentService.GetIncident",
      args: { incident_id: "SafeInt!", limit: "Int = 100" },
    },
    { root: "Query", name: "forecast", rpc: "DetectorService.Forecast" },
    {
      root: "Query",
      name: "list_silences",
      rpc: "NotificationService.ListSilences",
      args: { limit: "Int = 100", matchers: null },
    },
    { root: "Query", name: "get_silence", rpc: "NotificationService.GetSilence", hoist: "silence" },
    {
      root: "Mutation",
      name: "create_silence",
      rpc: "NotificationService.CreateSilence",
      message: "telltale.v1.CreateSilenceRequest",
      request: (request) => request,
    },
    {
      root: "Mutation",
      name: "update_silence",
      rpc: "NotificationService.UpdateSilence",
      message: "telltale.v1.UpdateSilenceRequest",
      request: (request) => request,
    },
    { root: "Mutation", name: "expire_silence", rpc: "NotificationService.ExpireSilence", hoist: "silence" },
    { root: "Query", name: "detector_settings", rpc: "DetectorService.GetDetectorConfig" },
    {
      root: "Mutation",
      name: "set_detector_settings",
      rpc: "DetectorService.SetDetectorConfig",
      message: "telltale.v1.DetectorConfig",
      request: (config) => ({ config }),
    },
    {
      root: "Mutation",
      name: "try_detector_settings",
      rpc: "DetectorService.SetDetectorConfig",
      message: "telltale.v1.DetectorConfig",
      // The one name or the other, by who encodes it.
      request: (config) => ({ config, dryRun: true, dry_run: true }),
      description: "Says what a change of settings would have done to the alerts of the last 30 days. Changes nothing.",
    },
    {
      root: "Query",
      name: "platform_health",
      rpc: "QueryService.GetPlatformHealth",
      type: "PlatformHealth!",
      result: platformHealth,
    },
    { root: "Query", name: "platform_stats", rpc: "QueryService.GetPlatformStats" },
    {
      root: "Query",
      name: "sensors_status",
      rpc: "QueryService.ListSensors",
      args: { sensor_type: null, location: null, limit: null, after_sensor_id: null, page_token: null },
      // About 2 MB; beyond it the counts still tell how many there are.
      request: () => ({ limit: 10_000 }),
    },
  ],
  types: {
    "telltale.v1.ScoredReading": {
      name: "SensorData",
      fields: {
        id: { from: "id" },
        sensor_id: { from: "sensor_id" },
        sensor_type: { from: "sensor_type" },
        timestamp: { from: "observed_at", type: "DateTime!" },
        value: { from: "value" },
        unit: { from: "unit" },
        location: { from: "location" },
        is_anomaly: { from: "is_anomaly" },
        anomaly_score: { from: "anomaly_score", type: "Float" },
      },
      others: false,
    },
    "telltale.v1.Alert": {
      name: "Alert",
      fields: {
        id: { from: "id" },
        sensor_id: { from: "sensor_id" },
        alert_type: { from: "alert_type" },
        severity: { from: "severity" },
        message: { from: "message" },
        anomaly_score: { from: "anomaly_score" },
        sensor_value: { from: "sensor_value" },
        threshold: { from: "threshold" },
        timestamp: { from: "opened_at", type: "DateTime!" },
        resolved: {
          type: "Boolean!",
          value: (get) => get("state") !== ALERT_OPEN,
          description: "Whether it is over: the sensor recovered, or a person closed it.",
        },
        resolved_at: { from: "closed_at" },
      },
      others: false,
    },
    ...chartTypes("snake"),
    "telltale.v1.ListIncidentsResponse": { name: "Incidents", fields: {}, others: true },
    "telltale.v1.GetIncidentResponse": { name: "IncidentDetails", fields: {}, others: true },
    "telltale.v1.ForecastResponse": { name: "SensorForecast", fields: {}, others: true },
    "telltale.v1.GetDetectorConfigResponse": { name: "DetectorSettings", fields: {}, others: true },
    "telltale.v1.SetDetectorConfigResponse": { name: "DetectorSettingsChange", fields: {}, others: true },
    "telltale.v1.GetPlatformStatsResponse": {
      name: "PlatformStats",
      fields: {
        total_data_points: { from: "total_data_points" },
        total_anomalies: { from: "total_anomalies" },
        active_sensors: { from: "active_sensors" },
        recent_anomalies_24h: { from: "recent_anomalies_24h" },
        anomaly_rate_percent: { from: "anomaly_rate_percent" },
        platform_uptime_percent: { from: "platform_uptime_percent" },
        timestamp: { from: "timestamp", type: "DateTime!" },
      },
      others: false,
    },
    "telltale.v1.Sensor": {
      name: "SensorStatus",
      fields: {
        sensor_id: { from: "sensor_id" },
        sensor_type: { from: "sensor_type" },
        last_seen: { from: "last_seen", type: "DateTime!" },
        status: { from: "status" },
        latest_value: { from: "latest_value" },
        unit: { from: "unit" },
        location: { from: "location" },
        is_anomaly: { from: "is_anomaly" },
        anomaly_score: { from: "anomaly_score", type: "Float" },
      },
      others: false,
    },
    "telltale.v1.RegistryServiceListSensorsResponse": { name: "RegisteredSensors", fields: {}, others: true },
    "telltale.v1.ListSensorsResponse": {
      name: "SensorsStatus",
      fields: {
        sensors: { from: "sensors" },
        total_count: { from: "total_count" },
        healthy_count: { from: "healthy_count" },
        stale_count: { from: "stale_count" },
      },
      // Its form is that of existing clients: no page tokens.
      others: false,
    },
  },
  extra: /* GraphQL */ `
    "What was done."
    type Message {
      message: String!
    }
    "Whether the platform works as a whole, and each of its parts."
    type PlatformHealth {
      "healthy; degraded where a part other than the database does not answer; unhealthy where the database does not."
      status: String!
      timestamp: DateTime!
      services: ServicesHealth!
    }
    "Each \\"healthy\\", or \\"unhealthy: \\" and why."
    type ServicesHealth {
      redis: String!
      database: String!
      kafka: String!
      model: String!
    }
  `,
};
