import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import {
  choice,
  decimal,
  type Environment,
  flag,
  integer,
  jsonStrings,
  list,
  refuse,
  text,
  url,
} from "./environment.ts";
import { StartupError } from "./errors.ts";
import type { IncidentSettings } from "./incidents/settings.ts";
import { loadMqttSettings, type MqttSettings } from "./ingest/protocols/mqtt/settings.ts";
import { HOUR_US } from "./lib/time.ts";
import { isTimeZone } from "./lib/time-zone.ts";
import { MAX_PARTITIONS } from "./log/id-clock.ts";
import { ALLOWED_HOSTS_SETTING, isAllowedHost } from "./notify/channels/addresses.ts";
import type { Secret } from "./notify/config/config.ts";
import { type LinkSettings, loadLinkSettings } from "./notify/links/settings.ts";
import { loadPushKey } from "./notify/push/settings.ts";
import { loadSecuritySettings, type SecuritySettings } from "./security/settings.ts";

export const roles = ["ingest", "score", "query", "gateway", "notify"] as const;
export type Role = (typeof roles)[number];

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

const scorerRuntimes = ["auto", "js", "tfjs-wasm", "tfjs-node"] as const;
export type ScorerRuntime = (typeof scorerRuntimes)[number];

/** Everything that the environment decides. Undefined addresses mean the embedded dependency. */
export interface Config {
  readonly roles: ReadonlySet<Role>;
  readonly bindAddress: string;
  /** 0 asks the system for a free port. */
  readonly grpcPort: number;
  /** Of the HTTP listener: health, REST, GraphQL. 0 asks the system for a free port. */
  readonly httpPort: number;
  /** Where the gateway finds the gRPC services, for example "http://127.0.0.1:50051". */
  readonly grpcUrl: string;
  /** Absolute path. */
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
  /** Each "host:port". */
  readonly kafkaBootstrapServers: readonly string[] | undefined;
  readonly kafkaReplication: number;
  readonly kafkaSensorTopic: string;
  readonly kafkaAnomalyTopic: string;
  readonly kafkaEventsTopic: string;
  /** Of the log, whichever it is; fixed for the life of an installation. */
  readonly partitions: number;
  /** Absolute path of another model than the one that comes with the product. */
  readonly modelPath: string | undefined;
  /** Confidence from which a reading may open an alert, above 0, at most 1. */
  readonly modelAccuracyThreshold: number;
  /** Alarm budget of a sensor on normal data. */
  readonly alarmsPerSensorDay: number;
  /** The zone of the platform's sensors, as Intl calls it. Undefined: what the log says stays. */
  readonly timeZone: string | undefined;
  readonly scorerRuntime: ScorerRuntime;
  readonly scorerThreads: number;
  readonly incidents: IncidentSettings;
  /** Origins that may call from a browser; "*" is any. */
  readonly allowedHosts: readonly string[];
  readonly logLevel: LogLevel;
  /** 0 keeps readings forever. */
  readonly retentionDays: number;
  /** How stale a cached answer may be. */
  readonly cacheTtlMs: number;
  /** Readings a second that a process makes messages of for watchers, and that it sends them in all. */
  readonly watchReadingsPerSecond: number;
  /** Sensors that the installation may have; 0: no limit. */
  readonly limitSensorsTotal: number;
  /** How far `observed_at` may be ahead of the server's clock. */
  readonly maxClockAheadMs: number;
  /** Take the `timestamp` of a REST reading for its `observed_at`. */
  readonly acceptTimestamp: boolean;
  /** How long calls in progress may take when the server stops. */
  readonly shutdownGraceMs: number;
  /** Where people reach the platform, for links in messages; empty: messages have no links. */
  readonly externalUrl: string;
  /** Names, addresses and ranges of hosts beside those of the internet that notifications may be sent to. */
  readonly notifyAllowedHosts: readonly string[];
  /** Links by which people act from a message. */
  readonly links: LinkSettings;
  /** Where the key of web push is; undefined: in the database. */
  readonly pushKey: Secret | undefined;
  readonly security: SecuritySettings;
  /** Undefined: readings come from no broker. */
  readonly mqtt: MqttSettings | undefined;
}

const anyPort = { min: 0, max: 65_535 };
const defaultGrpcPort = 50_051;
const defaultHttpPort = 8_000;
// An id has room for so many: beyond, two partitions would give the same ids. Each is scored by a thread of its own.
const partitionRange = { min: 1, max: MAX_PARTITIONS };
const yearMs = 365 * 86_400_000;

/**
 * Reads and checks the whole environment once. Throws StartupError with a sentence that names the variable, what it got and
 * what it wants.
 */
export function loadConfig(env: Environment, cores: number = availableParallelism()): Config {
  const ports = {
    grpcPort: integer(env, "GRPC_PORT", defaultGrpcPort, anyPort),
    httpPort: integer(env, "PORT", defaultHttpPort, anyPort),
  };
  const partitions = readPartitions(env);
  // With brackets, as in an address of the web, or without.
  const bindAddress = (text(env, "BIND_ADDRESS") ?? "127.0.0.1").replace(/^\[(.*)\]$/, "$1");
  const config: Config = {
    roles: readRoles(env),
    bindAddress,
    ...ports,
    grpcUrl: url(env, "GRPC_URL", ["http", "https"]) ?? `http://127.0.0.1:${ports.grpcPort}`,
    dataDir: resolve(text(env, "DATA_DIR") ?? ".telltale"),
    databaseUrl: readDatabaseUrl(env),
    redisUrl: url(env, "REDIS_URL", ["redis", "rediss"]),
    ...readKafka(env),
    partitions,
    ...readDetection(env, partitions, cores),
    incidents: readIncidents(env),
    allowedHosts: Object.freeze(jsonStrings(env, "ALLOWED_HOSTS", ["*"])),
    // Python's names are taken too: people come with them.
    logLevel: choice(env, "LOG_LEVEL", "info", logLevels, { warning: "warn", critical: "fatal", notset: "trace" }),
    retentionDays: integer(env, "RETENTION_DAYS", 0, { min: 0, max: 36_500 }),
    cacheTtlMs: integer(env, "CACHE_TTL_MS", 1_000, { min: 0, max: 3_600_000 }),
    watchReadingsPerSecond: integer(env, "WATCH_READINGS_PER_SECOND", 10_000, { min: 1, max: 10_000_000 }),
    limitSensorsTotal: integer(env, "LIMIT_SENSORS_TOTAL", 0, { min: 0, max: 1_000_000_000 }),
    maxClockAheadMs: integer(env, "MAX_CLOCK_AHEAD_MS", 300_000, { min: 0, max: yearMs }),
    acceptTimestamp: flag(env, "ACCEPT_TIMESTAMP", false),
    shutdownGraceMs: integer(env, "SHUTDOWN_GRACE_MS", 10_000, { min: 0, max: 600_000 }),
    externalUrl: url(env, "EXTERNAL_URL", ["http", "https"]) ?? "",
    notifyAllowedHosts: Object.freeze(readAllowedHosts(env)),
    links: loadLinkSettings(env),
    pushKey: loadPushKey(env),
    security: loadSecuritySettings(env, bindAddress),
    mqtt: loadMqttSettings(env),
  };
  checkTogether(config, text(env, "GRPC_URL") !== undefined);
  return Object.freeze(config);
}

/** Whether this process is the whole platform; nothing of it needs notifications. */
export function isWhole(config: Config): boolean {
  return roles.every((role) => role === "notify" || config.roles.has(role));
}

/** Whether the process has services behind the gRPC port: it is more than a gateway. */
export function hasServices({ roles: own }: Pick<Config, "roles">): boolean {
  return [...own].some((role) => role !== "gateway");
}

function readRoles(env: Environment): ReadonlySet<Role> {
  const names = list(env, "ROLE")?.map((name) => name.toLowerCase()) ?? ["all"];
  if (names.length === 1 && names[0] === "all") return new Set(roles);
  const known = names.filter((name): name is Role => (roles as readonly string[]).includes(name));
  if (known.length < names.length) refuse("ROLE", names.join(","), `"all" or a comma list of ${roles.join(", ")}`);
  return new Set(known);
}

function readPartitions(env: Environment): number {
  const embedded = integer(env, "PARTITIONS", 4, partitionRange);
  const kafka = integer(env, "KAFKA_PARTITIONS", 8, partitionRange);
  return text(env, "KAFKA_BOOTSTRAP_SERVERS") === undefined ? embedded : kafka;
}

/** SQLAlchemy's driver suffix is dropped: it names a Python library. */
function readDatabaseUrl(env: Environment): string | undefined {
  const schemes = ["postgresql", "postgres", "postgresql+asyncpg", "postgres+asyncpg"];
  return url(env, "DATABASE_URL", schemes)?.replace(/^(postgres(?:ql)?)\+asyncpg:/i, "$1:");
}

function readKafka(env: Environment) {
  const servers = list(env, "KAFKA_BOOTSTRAP_SERVERS");
  const bad = servers?.find((server) => !/^[^\s:/]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i.test(server));
  if (bad !== undefined) refuse("KAFKA_BOOTSTRAP_SERVERS", bad, "a comma list of host:port");
  return {
    kafkaBootstrapServers: servers && Object.freeze(servers),
    // Brokers store a replica factor in 16 bits; -1 would mean "the broker's default", which hides what one gets.
    kafkaReplication: integer(env, "KAFKA_REPLICATION", 1, { min: 1, max: 32_767 }),
    kafkaSensorTopic: topic(env, "KAFKA_SENSOR_TOPIC", "sensor-data"),
    kafkaAnomalyTopic: topic(env, "KAFKA_ANOMALY_TOPIC", "anomaly-alerts"),
    kafkaEventsTopic: topic(env, "KAFKA_EVENTS_TOPIC", "alert-events"),
  };
}

function readAllowedHosts(env: Environment): readonly string[] {
  const hosts = list(env, ALLOWED_HOSTS_SETTING) ?? [];
  const bad = hosts.find((host) => !isAllowedHost(host));
  if (bad === undefined) return hosts;
  return refuse(ALLOWED_HOSTS_SETTING, bad, "a comma list of host names, addresses and ranges such as 10.1.0.0/16");
}

/** Kafka's own rule for topic names. */
function topic(env: Environment, name: string, fallback: string): string {
  const value = text(env, name) ?? fallback;
  const good = /^[a-zA-Z0-9._-]{1,249}$/.test(value) && value !== "." && value !== "..";
  return good ? value : refuse(name, value, "a Kafka topic name: 1 to 249 letters, digits, dots, underscores, hyphens");
}

function readDetection(env: Environment, partitions: number, cores: number) {
  const model = text(env, "MODEL_PATH");
  // One core stays free for the event loop that serves the listeners.
  const threads = integer(env, "SCORER_THREADS", Math.max(1, cores - 1), { min: 1, max: 256 });
  return {
    modelPath: model === undefined ? undefined : resolve(model),
    modelAccuracyThreshold: decimal(env, "MODEL_ACCURACY_THRESHOLD", 0.95, { min: 0, max: 1 }),
    alarmsPerSensorDay: decimal(env, "ALARMS_PER_SENSOR_DAY", 0.1, { min: 0, max: 1_000 }),
    timeZone: readTimeZone(env),
    scorerRuntime: choice(env, "SCORER_RUNTIME", "auto", scorerRuntimes),
    // A partition is always scored by the same thread: more threads than partitions would idle.
    scorerThreads: Math.min(threads, partitions),
  };
}

function readTimeZone(env: Environment): string | undefined {
  const name = text(env, "TIME_ZONE");
  if (name === undefined || isTimeZone(name)) return name;
  return refuse("TIME_ZONE", name, 'the name of a time zone such as "Europe/Berlin" or "UTC"');
}

/** Names of attributes: as many as an alert can be looked up by at once. */
const MAX_INCIDENT_ATTRIBUTES = 8;

function readIncidents(env: Environment): IncidentSettings {
  const given = list(env, "INCIDENT_ATTRIBUTES") ?? ["device", "gateway", "machine"];
  const attributes = given.length === 1 && given[0] === "none" ? [] : given;
  if (attributes.length > MAX_INCIDENT_ATTRIBUTES || attributes.some((name) => name.length > 64)) {
    const wanted = `"none" or a comma list of at most ${MAX_INCIDENT_ATTRIBUTES} names of attributes with up to 64 characters each`;
    refuse("INCIDENT_ATTRIBUTES", given.join(","), wanted);
  }
  const seconds = (name: string, fallback: number) => integer(env, name, fallback, { min: 1, max: 86_400 }) * 1e6;
  return Object.freeze({
    attributes: Object.freeze(attributes),
    windowUs: seconds("INCIDENT_WINDOW_SECONDS", 300),
    floodAlerts: integer(env, "INCIDENT_FLOOD_ALERTS", 10, { min: 1, max: 1_000 }),
    floodWindowUs: seconds("INCIDENT_FLOOD_SECONDS", 600),
    maxAgeUs: integer(env, "INCIDENT_MAX_HOURS", 24, { min: 1, max: 8_760 }) * HOUR_US,
  });
}

/** What no variable can be judged for by itself. */
function checkTogether(config: Config, grpcUrlGiven: boolean): void {
  const { grpcPort, httpPort, kafkaSensorTopic, kafkaAnomalyTopic, kafkaEventsTopic } = config;
  if (grpcPort !== 0 && grpcPort === httpPort) {
    throw new StartupError(`GRPC_PORT and PORT are both ${grpcPort}, but they must differ.`);
  }
  if (new Set([kafkaSensorTopic, kafkaAnomalyTopic, kafkaEventsTopic]).size < 3) {
    throw new StartupError(
      `KAFKA_SENSOR_TOPIC, KAFKA_ANOMALY_TOPIC and KAFKA_EVENTS_TOPIC are "${kafkaSensorTopic}", "${kafkaAnomalyTopic}" and "${kafkaEventsTopic}", but they must differ.`,
    );
  }
  if (!isWhole(config)) checkRoles(config, grpcUrlGiven);
}

/** Processes that share the work also share the log and the database; embedded dependencies belong to one process. */
function checkRoles(config: Config, grpcUrlGiven: boolean): void {
  const names = [...config.roles].join(",");
  if (config.roles.has("gateway") && !config.roles.has("query") && !grpcUrlGiven) {
    throw new StartupError(
      `ROLE is "${names}", which needs GRPC_URL: where the gateway finds the gRPC services of the others.`,
    );
  }
  if (!hasServices(config)) return;
  const missing = [
    config.kafkaBootstrapServers === undefined ? "KAFKA_BOOTSTRAP_SERVERS" : undefined,
    config.databaseUrl === undefined ? "DATABASE_URL" : undefined,
  ].filter((name) => name !== undefined);
  if (missing.length > 0) {
    throw new StartupError(
      `ROLE is "${names}", which needs ${missing.join(" and ")}: only ROLE=all runs with embedded dependencies.`,
    );
  }
}
