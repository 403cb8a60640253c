import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

// Devices choose the names of sensor types; past this many the rest are counted together, so that memory stays bounded.
const maxSensorTypes = 1_000;
const otherTypes = "other";

// From a warm unary call (milliseconds) to a stalled database (a minute).
const durations = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
// Readings in a batch: from one by one to a message's limit.
const sizes = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536];

/**
 * All metrics of one process, in a registry of their own: two platforms in one test do not mix. Names without a prefix are
 * kept for clients that already use these names.
 */
export function createMetrics({ processMetrics = true }: { processMetrics?: boolean } = {}) {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  // Process metrics bring the event loop's delay (nodejs_eventloop_lag_*), memory, CPU and garbage collection.
  if (processMetrics) {
    collectDefaultMetrics({ register: registry });
    // Gauges that are named as counters; the same by type, without the sum, stay.
    for (const misnamed of ["handles", "requests", "resources"]) {
      registry.removeSingleMetric(`nodejs_active_${misnamed}_total`);
    }
  }
  return {
    registry,
    ...contractMetrics(registers),
    ...pipelineMetrics(registers),
    ...endpointMetrics(registers),
    ...notifyMetrics(registers),
    ...mqttMetrics(registers),
    /** The text that Prometheus scrapes. */
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function contractMetrics(registers: Registry[]) {
  const sensorData = new Counter({
    name: "sensor_data_total",
    help: "Readings stored, counted by the process that committed them",
    labelNames: ["sensor_type"],
    registers,
  });
  const types = new Set<string>();
  return {
    sensorData,
    /** Counts stored readings of a sensor type. */
    countStored(sensorType: string, readings: number): void {
      const known = types.has(sensorType) || (types.size < maxSensorTypes && types.add(sensorType));
      sensorData.inc({ sensor_type: known ? sensorType : otherTypes }, readings);
    },
    anomaliesDetected: new Counter({
      name: "anomalies_detected_total",
      help: "Anomalous readings stored, by severity, counted by the process that committed them",
      labelNames: ["severity"],
      registers,
    }),
    dataProcessingSeconds: new Histogram({
      name: "data_processing_seconds",
      help: "From a record's arrival in the log to the commit of its scored readings",
      buckets: durations,
      registers,
    }),
    activeSensors: new Gauge({
      name: "active_sensors_count",
      help: "Sensors of this process's partitions seen in the last 24 hours",
      registers,
    }),
  };
}

function pipelineMetrics(registers: Registry[]) {
  return {
    outcomes: new Counter({
      name: "telltale_readings_total",
      help: "Readings settled, by outcome: accepted, duplicate, conflicting, rejected; late ones are accepted too",
      labelNames: ["outcome"],
      registers,
    }),
    refusals: new Counter({
      name: "telltale_refusals_total",
      help: "Readings refused, by reason",
      labelNames: ["reason"],
      registers,
    }),
    protocolSkipped: new Counter({
      name: "telltale_protocol_skipped_total",
      help: "Parts of requests of ingest protocols that are no readings, such as texts and exemplars, by protocol and reason",
      labelNames: ["protocol", "reason"],
      registers,
    }),
    batchReadings: new Histogram({
      name: "telltale_batch_readings",
      help: "Readings in a batch, by stage",
      labelNames: ["stage"],
      buckets: sizes,
      registers,
    }),
    queueDepth: new Gauge({
      name: "telltale_queue_depth",
      help: "What waits in a bounded queue, in the queue's own unit",
      labelNames: ["queue"],
      registers,
    }),
    lag: new Gauge({
      name: "telltale_log_lag_records",
      help: "Records of a partition that this process has received but not committed",
      labelNames: ["partition"],
      registers,
    }),
    stalledSeconds: new Gauge({
      name: "telltale_partition_stalled_seconds",
      help: "For how long a partition of this process has not advanced although records wait; 0 while it advances",
      labelNames: ["partition"],
      registers,
    }),
    quarantined: new Counter({
      name: "telltale_quarantined_total",
      help: "What this process set aside, by kind: reading, control",
      labelNames: ["kind"],
      registers,
    }),
    quarantineWaiting: new Gauge({
      name: "telltale_quarantine_waiting",
      help: "What is set aside in the installation and neither submitted again nor discarded",
      registers,
    }),
    diskFull: new Gauge({
      name: "telltale_disk_full",
      help: "1 while readings are refused because the database has no room",
      registers,
    }),
    unitChanges: new Counter({
      name: "telltale_unit_changes_total",
      help: "Sensors that began to send in another unit",
      registers,
    }),
    clockBehind: new Gauge({
      name: "telltale_log_clock_behind_seconds",
      help: "How far the clock of the newest record is behind the newest time in its partition's log; 0 unless a clock went back",
      labelNames: ["partition"],
      registers,
    }),
    ackSeconds: new Histogram({
      name: "telltale_ack_seconds",
      help: "From a batch's arrival to its acknowledgement, by kind: durable, settled",
      labelNames: ["kind"],
      buckets: durations,
      registers,
    }),
    scoreSeconds: new Histogram({
      name: "telltale_score_seconds",
      help: "Time to score a batch",
      buckets: durations,
      registers,
    }),
    commitSeconds: new Histogram({
      name: "telltale_commit_seconds",
      help: "Time to commit a batch to the store",
      buckets: durations,
      registers,
    }),
    lostCommits: new Counter({
      name: "telltale_lost_commits_total",
      help: "Commits refused because another process owns the partition",
      registers,
    }),
    maintained: new Gauge({
      name: "telltale_maintenance_last_run_timestamp_seconds",
      help: "When this process last ran maintenance of the stored blocks, seconds since 1970",
      registers,
    }),
    /** The same under its name of before; goes with version 0.3. */
    maintainedBefore: new Gauge({
      name: "telltale_maintenance_last_run_seconds",
      help: "Deprecated: telltale_maintenance_last_run_timestamp_seconds",
      registers,
    }),
    waitingGenerations: new Gauge({
      name: "telltale_compaction_waiting_generations",
      help: "Generations of newly stored blocks that wait for their compaction",
      registers,
    }),
    compactedReadings: new Counter({
      name: "telltale_compacted_readings_total",
      help: "Readings that this process moved into compact blocks",
      registers,
    }),
    expired: new Counter({
      name: "telltale_expired_total",
      help: "What this process deleted when its retention ended, by unit: block, month",
      labelNames: ["unit"],
      registers,
    }),
    waitingDeletions: new Gauge({
      name: "telltale_sensor_deletions_waiting",
      help: "Deleted sensors of which not everything that was stored is removed yet",
      registers,
    }),
    finishedDeletions: new Counter({
      name: "telltale_sensor_deletions_finished_total",
      help: "Deleted sensors of which this process removed the last of what was stored",
      registers,
    }),
    recoveries: new Counter({
      name: "telltale_state_recoveries_total",
      help: "Partitions opened, by how their state was recovered: loaded, rebuilt, migrated, warmed, patched (docs/guides/operations.md)",
      labelNames: ["kind"],
      registers,
    }),
    alertTransitions: new Counter({
      name: "telltale_alert_transitions_total",
      help: "Alert transitions committed, by type",
      labelNames: ["type"],
      registers,
    }),
    outboxEvents: new Counter({
      name: "telltale_outbox_events_total",
      help: "Alert events given to a receiver, by outcome: delivered, dropped (it can never take them), retried",
      labelNames: ["receiver", "outcome"],
      registers,
    }),
    incidentEvents: new Counter({
      name: "telltale_incident_events_total",
      help: "Alert events that this process derived incidents from",
      registers,
    }),
    incidentSeconds: new Histogram({
      name: "telltale_incident_step_seconds",
      help: "Time to derive incidents from alert events that came together, with their transaction",
      buckets: durations,
      registers,
    }),
    incidentsWaiting: new Gauge({
      name: "telltale_incident_waiting_events",
      help: "Alert events of the installation that incidents are not derived from yet",
      registers,
    }),
    incidentsOpen: new Gauge({
      name: "telltale_incidents_open",
      help: "Incidents with an open alert, by kind: related, flood; only of the process that derives them",
      labelNames: ["kind"],
      registers,
    }),
    incidentsDeriving: new Gauge({
      name: "telltale_incidents_deriving",
      help: "1 in the process that derives incidents, 0 in those that stand by",
      registers,
    }),
    modelInfo: new Gauge({
      name: "telltale_model_info",
      help: "1 for the model in use",
      labelNames: ["version", "runtime"],
      registers,
    }),
  };
}

function notifyMetrics(registers: Registry[]) {
  return {
    notifyActive: new Gauge({
      name: "telltale_notify_active",
      help: "1 in the process that decides on notifications and sends them, 0 in those that stand by",
      registers,
    }),
    notifyAlerts: new Gauge({
      name: "telltale_notify_alerts",
      help: "Alerts that are open, or of which somebody is still to hear that they are over",
      registers,
    }),
    notifyGroups: new Gauge({
      name: "telltale_notify_groups",
      help: "Groups of alerts that notifications are decided for",
      registers,
    }),
    notifyConfigProblems: new Gauge({
      name: "telltale_notify_config_problems",
      help: "What of the configuration of notifications cannot be read, because another version of the program took it",
      registers,
    }),
    receivedAlerts: new Counter({
      name: "telltale_received_alerts_total",
      help: "Alerts that other programs sent, by what became of them: new, known (sent again), over, refused",
      labelNames: ["outcome"],
      registers,
    }),
    notifyBroken: new Gauge({
      name: "telltale_notify_channels_broken",
      help: "Channels that refused their last message, or have not taken one for too long",
      registers,
    }),
    heartbeatsMissing: new Gauge({
      name: "telltale_heartbeats_missing",
      help: "Programs that are expected to give a sign of life and have given none in time",
      registers,
    }),
    notifyPings: new Counter({
      name: "telltale_notify_pings_total",
      help: "Pings by which others learn that notifications work, by the outcome: ok, retry, failed",
      labelNames: ["outcome"],
      registers,
    }),
    notifyAttempts: new Counter({
      name: "telltale_notify_attempts_total",
      help: "Attempts to send a message, by the channel's kind and the outcome: ok, retry, failed",
      labelNames: ["channel", "outcome"],
      registers,
    }),
    notifyPictures: new Counter({
      name: "telltale_notify_pictures_total",
      help: "Pictures of alerts for messages, by the outcome: made, none (nothing to draw), busy (too many at once), late, failed",
      labelNames: ["outcome"],
      registers,
    }),
    notifyDelay: new Histogram({
      name: "telltale_notify_delay_seconds",
      help: "From the decision on a message to its being taken, by the channel's kind",
      labelNames: ["channel"],
      buckets: durations,
      registers,
    }),
  };
}

/** Of a process that reads a broker, a collector too. */
export function mqttMetrics(registers: Registry[]) {
  return {
    mqttConnected: new Gauge({
      name: "telltale_mqtt_connected",
      help: "1 while this process is connected to the MQTT broker and has all its subscriptions, 0 while not; absent without MQTT_URL",
      labelNames: ["broker"],
      registers,
    }),
    mqttMessages: new Counter({
      name: "telltale_mqtt_messages_total",
      help: "Messages that this process received from the MQTT broker, by their quality of service: 0, 1",
      labelNames: ["qos"],
      registers,
    }),
    mqttSkipped: new Counter({
      name: "telltale_mqtt_messages_skipped_total",
      help: "MQTT messages, or readings of them, that could not be taken and were acknowledged, by reason (docs/guides/mqtt.md)",
      labelNames: ["reason"],
      registers,
    }),
  };
}

function endpointMetrics(registers: Registry[]) {
  return {
    rpcSeconds: new Histogram({
      name: "telltale_rpc_seconds",
      help: "Time to answer unary calls",
      labelNames: ["method"],
      buckets: durations,
      registers,
    }),
    rpcs: new Counter({
      name: "telltale_rpcs_total",
      help: "Calls ended, by method, code and kind: unary, stream",
      labelNames: ["method", "code", "kind"],
      registers,
    }),
    connections: new Gauge({ name: "telltale_connections", help: "Connections of the gRPC listener", registers }),
    watchers: new Gauge({
      name: "telltale_watchers",
      help: "Watches under way, by kind: readings, alerts, incidents",
      labelNames: ["kind"],
      registers,
    }),
    watchGaps: new Counter({
      name: "telltale_watch_gaps_total",
      help: "Gaps declared to watchers that were too slow",
      labelNames: ["kind"],
      registers,
    }),
    cacheRequests: new Counter({
      name: "telltale_cache_requests_total",
      help: "Reads of the cache, by result: hit, miss, error",
      labelNames: ["result"],
      registers,
    }),
    busDropped: new Counter({
      name: "telltale_bus_dropped_total",
      help: "Live messages dropped because the bus was unavailable",
      registers,
    }),
  };
}
