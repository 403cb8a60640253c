/** Examples for the document, by route. */
const READING = {
  id: 1042,
  sensor_id: "pump-7",
  sensor_type: "temperature",
  timestamp: "2026-01-31T12:00:00.000000Z",
  value: 71.5,
  unit: "C",
  location: "hall 2",
  is_anomaly: false,
  anomaly_score: 0,
};

const ALERT = {
  id: 1043,
  sensor_id: "pump-7",
  alert_type: "anomaly_detection",
  severity: "critical",
  message: "Anomaly detected with score 0.9731: 171.5 C where 70.1 to 72.9 was expected.",
  anomaly_score: 0.9731,
  sensor_value: 171.5,
  threshold: 72.9,
  timestamp: "2026-01-31T12:01:00.000000Z",
  resolved: false,
  resolved_at: null,
};

const { id: _id, timestamp, is_anomaly, anomaly_score, ...SENT } = READING;
const { value, ...REST } = SENT;

export const EXAMPLES: Readonly<Record<string, { readonly request?: unknown; readonly response: unknown }>> = {
  submit_sensor_data: {
    request: { ...SENT, metadata: { line: 3 }, observed_at: timestamp },
    response: READING,
  },
  list_sensor_data: { response: [READING] },
  latest_sensor_data: { response: READING },
  list_alerts: { response: [ALERT] },
  resolve_alert: { response: { message: "Alert resolved successfully" } },
  platform_health: {
    response: {
      status: "healthy",
      timestamp,
      services: { redis: "healthy", database: "healthy", kafka: "healthy", model: "healthy" },
    },
  },
  platform_stats: {
    response: {
      total_data_points: 120_000,
      total_anomalies: 6,
      active_sensors: 12,
      recent_anomalies_24h: 1,
      anomaly_rate_percent: 0.005,
      platform_uptime_percent: 99.98,
      timestamp,
    },
  },
  sensors_status: {
    response: {
      sensors: [{ ...REST, last_seen: timestamp, status: "healthy", latest_value: value, is_anomaly, anomaly_score }],
      total_count: 1,
      healthy_count: 1,
      stale_count: 0,
    },
  },
};
