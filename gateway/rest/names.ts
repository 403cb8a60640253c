/** REST's names for the contracts: what each path answers. Paths and statuses stand in routes.ts, beside each row's name. */
import { ALERT_OPEN, storedReading, theOne } from "../mesh/rules.ts";
import type { Facade, Shaped } from "../mesh/tables.ts";

interface Component {
  readonly name: string;
  readonly healthy: boolean;
  readonly detail: string;
}

/** The four parts that answer, each "healthy" or "unhealthy: why". */
function services(components: readonly Component[]): Record<string, string> {
  const byName = new Map(components.map((component) => [component.name, component]));
  return Object.fromEntries(
    ["redis", "database", "kafka", "model"].map((name) => {
      const part = byName.get(name);
      if (part === undefined) return [name, "unhealthy: not reported"];
      return [name, part.healthy ? "healthy" : `unhealthy: ${part.detail}`];
    }),
  );
}

/** Without the database nothing can be answered; without another part the platform does less. */
export function overallStatus(byService: Record<string, string>): "healthy" | "degraded" | "unhealthy" {
  if (byService.database !== "healthy") return "unhealthy";
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
      args: { limit: "Int = 100", offset: "SafeInt = 0", page_token: null, anomalies_only: null },
    },
    { root: "Query", name: "latest_sensor_data", rpc: "QueryService.GetLatestReading", hoist: "reading" },
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
      description: "Closes an alert by hand. Again: no change.",
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
      args: { sensor_type: null, location: null, limit: null, after_sensor_id: null },
      // The most that one call may ask for; beyond it the counts still tell how many there are.
      request: () => ({ limit: 100_000 }),
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
    "telltale.v1.ListSensorsResponse": { name: "SensorsStatus", fields: {}, others: true },
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
