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
  message:
    "Anomaly detected with score 0.9731: temperature of pump-7 far above normal since 2026-01-31 12:01:00 UTC; critical: 171.5 C where 71.5 was expected (70.1 to 72.9); " +
    "likely a spike or a level shift: the value is outside everything seen so far (value record)",
  anomaly_score: 0.9731,
  sensor_value: 171.5,
  threshold: 72.9,
  timestamp: "2026-01-31T12:01:00.000000Z",
  resolved: false,
  resolved_at: null,
};

const SETTINGS = { sensor_id: "pump-7", range_max: 95, direction: "high" };

const SETTINGS_IN_FORCE = {
  config: {
    sensor_type: "",
    alarms_per_sensor_day: 0.1,
    range_min: null,
    max_rate_per_second: null,
    stuck_seconds: null,
    silence_seconds: null,
    reorder_hold_ms: 0,
    counter: false,
    off: false,
    ...SETTINGS,
  },
  origins: [
    { field: "range_max", source: "sensor" },
    { field: "direction", source: "sensor" },
  ],
};

const SETTINGS_EFFECT = {
  alerts_avoided_30d: 1,
  alerts_added_30d: 0,
  avoided: [ALERT],
  added: [],
  sensors: 1,
  sensors_concerned: 1,
  readings: 43_200,
  summary:
    "Over their last 30 days, the 1 sensor concerned would have raised 1 fewer and 0 more alerts with the change.",
};

const { id: _id, timestamp, is_anomaly, anomaly_score, ...SENT } = READING;
const { value, ...REST } = SENT;

const PROFILE = {
  display_name: "Pump 7",
  description: "Cooling water of the press",
  owner: "maintenance",
  runbook_url: "https://wiki.example/pump-7",
  asset: "site-1/line-3/press",
  tags: ["cooling"],
  attributes: { room: "7" },
};

const SENSOR = {
  sensor_id: "pump-7",
  ...PROFILE,
  attributes: { line: "3", room: "7" },
  sent_attributes: { line: "3" },
  edited_attributes: { room: "7" },
  series: [
    {
      sensor_type: "temperature",
      unit: "C",
      location: "hall 2",
      total_readings: 1042,
      first_reading: "2026-01-01T00:00:00.000000Z",
      last_reading: "2026-01-31T12:00:00.000000Z",
    },
  ],
  first_reading: "2026-01-01T00:00:00.000000Z",
  last_reading: "2026-01-31T12:00:00.000000Z",
  open_alerts: 0,
  worst_severity: "unspecified",
  state: "ok",
  revision: 4,
  updated_at: "2026-01-30T09:00:00.000000Z",
  updated_by: "token:maintenance",
};

const INCIDENT = {
  id: 1043,
  kind: "related",
  state: "open",
  summary: "2 alerts of 2 sensors, worst critical of pump-7; began with pump-7",
  opened_at: ALERT.timestamp,
  last_opened_at: "2026-01-31T12:02:00.000000Z",
  closed_at: null,
  origin_alert_id: 1043,
  origin_sensor_id: "pump-7",
  worst_severity: "critical",
  worst_alert_id: 1043,
  worst_sensor_id: "pump-7",
  alert_count: 2,
  open_count: 2,
  acknowledged_count: 0,
  sensor_count: 2,
  flood: null,
  merged_incident_ids: [],
};

const MEMBER = {
  alert_id: 1051,
  sensor_id: "valve-2",
  alert_type: "anomaly_detection",
  severity: "high",
  opened_at: INCIDENT.last_opened_at,
  closed_at: null,
  acknowledged: false,
  owner: PROFILE.owner,
  asset: PROFILE.asset,
  reason: {
    kind: "asset",
    key: "asset",
    value: PROFILE.asset,
    other_alert_id: 1043,
    other_sensor_id: "pump-7",
    co_openings: 0,
    expected: 0,
    p_value: 0,
    text: "shares the asset site-1/line-3/press with pump-7 (alert 1043)",
  },
};

const COLUMNS = { column_width_us: 60_000_000, first_column_time: "2026-01-31T12:00:00.000000Z", column_count: 60 };

const SERIES = {
  sensor_id: "pump-7",
  unit: "C",
  raw: false,
  columns: {
    indexes: [0, 1],
    counts: [60, 60],
    first_values: [71.4, 71.5],
    min_values: [71.2, 71.3],
    max_values: [71.7, 171.5],
    last_values: [71.5, 171.5],
    expected_values: [71.5, 71.5],
    lower_bounds: [70.1, 70.1],
    upper_bounds: [72.9, 72.9],
    anomaly_counts: [0, 1],
    max_anomaly_scores: [0, 0.9731],
  },
  readings: null,
  other_units: [],
};

const HEATMAP_ROW = {
  sensor_id: "pump-7",
  anomaly_count: 1,
  max_anomaly_score: 0.9731,
  indexes: [1],
  anomaly_counts: [1],
  max_anomaly_scores: [0.9731],
};

export const EXAMPLES: Readonly<Record<string, { readonly request?: unknown; readonly response: unknown }>> = {
  submit_sensor_data: {
    request: { ...SENT, metadata: { line: 3 }, observed_at: timestamp },
    response: READING,
  },
  list_sensor_data: { response: [READING] },
  latest_sensor_data: { response: READING },
  list_sensors: { response: { sensors: [SENSOR], next_page_token: "", counts: null } },
  get_sensor: { response: SENSOR },
  replace_sensor: { request: PROFILE, response: SENSOR },
  change_sensor: { request: { owner: "maintenance", revision: 3 }, response: SENSOR },
  list_alerts: { response: [ALERT] },
  resolve_alert: { response: { message: "Alert resolved successfully" } },
  series: { response: { ...COLUMNS, series: [SERIES], unknown_sensor_ids: [], completing: false } },
  anomaly_heatmap: { response: { ...COLUMNS, rows: [HEATMAP_ROW], sensor_count: 1, completing: false } },
  list_incidents: { response: { incidents: [INCIDENT], next_page_token: "" } },
  get_incident: { response: { incident: INCIDENT, members: [MEMBER], next_page_token: "" } },
  forecast: {
    response: {
      sensor_id: "pump-7",
      unit: "C",
      from: timestamp,
      points: [
        {
          time: "2026-10-25T13:00:00Z",
          ...{ expected: 61.4, lower_50: 60.9, upper_50: 61.9, lower_80: 60.3 },
          ...{ upper_80: 62.6, lower_95: 59.2, upper_95: 63.8 },
        },
      ],
      crossings: [
        {
          ...{ setting: "range_max", limit: 65, probability: 0.61, earliest: "2026-10-25T16:00:00Z" },
          ...{ expected: "2026-10-25T17:30:00Z", latest: null },
        },
      ],
      basis: "Computed from its newest 50000 readings; intervals follow from 480 and more earlier forecasts.",
    },
  },
  detector_settings: { response: SETTINGS_IN_FORCE },
  set_detector_settings: { request: SETTINGS, response: { ...SETTINGS_IN_FORCE, effect: null } },
  try_detector_settings: { request: SETTINGS, response: { ...SETTINGS_IN_FORCE, effect: SETTINGS_EFFECT } },
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
