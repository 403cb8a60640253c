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
 * kept for those who know them from the predecessor.
 */
export function createMetrics({ processMetrics = true }: { processMetrics?: boolean } = {}) {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  // Process metrics bring the event loop's delay (nodejs_eventloop_lag_*), memory, CPU and garbage collection.
  if (processMetrics) collectDefaultMetrics({ register: registry });
  return {
    registry,
    ...contractMetrics(registers),
    ...pipelineMetrics(registers),
    ...doorMetrics(registers),
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
      help: "Records of a partition that this process has been given but not committed",
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
      name: "telltale_maintenance_last_run_seconds",
      help: "When this process last looked after the stored blocks, seconds since 1970",
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
      help: "What this process deleted past its days, by unit: block, month",
      labelNames: ["unit"],
      registers,
    }),
    recoveries: new Counter({
      name: "telltale_state_recoveries_total",
      help: "Partitions opened, by how their state came back: loaded, rebuilt, warmed, patched (docs/operations.md)",
      labelNames: ["kind"],
      registers,
    }),
    alertTransitions: new Counter({
      name: "telltale_alert_transitions_total",
      help: "Alert transitions committed, by type",
      labelNames: ["type"],
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

function doorMetrics(registers: Registry[]) {
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
      help: "Calls ended, by method and code",
      labelNames: ["method", "code"],
      registers,
    }),
    connections: new Gauge({ name: "telltale_connections", help: "Connections of the gRPC door", registers }),
    watchers: new Gauge({
      name: "telltale_watchers",
      help: "Watches under way, by kind: readings, alerts",
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
      help: "Live messages dropped because the bus was out of reach",
      registers,
    }),
  };
}
