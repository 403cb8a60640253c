import { describe, expect, it } from "vitest";
import { isWhole, loadConfig } from "./config.ts";
import { StartupError } from "./errors.ts";

const shared = { KAFKA_BOOTSTRAP_SERVERS: "a:9092,b:9093", DATABASE_URL: "postgresql://u:p@h/d" };

describe("the configuration", () => {
  it("is the whole platform with embedded parts when nothing is set", () => {
    const config = loadConfig({}, 2);
    expect(isWhole(config)).toBe(true);
    expect(config).toMatchObject({
      grpcPort: 50_051,
      httpPort: 8_000,
      bindAddress: "127.0.0.1",
      grpcUrl: "http://127.0.0.1:50051",
      databaseUrl: undefined,
      redisUrl: undefined,
      kafkaBootstrapServers: undefined,
      kafkaSensorTopic: "sensor-data",
      kafkaAnomalyTopic: "anomaly-alerts",
      kafkaEventsTopic: "alert-events",
      partitions: 4,
      modelAccuracyThreshold: 0.95,
      allowedHosts: ["*"],
      logLevel: "info",
      retentionDays: 0,
      scorerThreads: 1,
      notifyAllowedHosts: [],
    });
    expect(config.dataDir).toMatch(/\/\.telltale$/);
  });

  it("takes no more partitions than ids have room for", () => {
    for (const name of ["PARTITIONS", "KAFKA_PARTITIONS"]) {
      expect(() => loadConfig({ [name]: "129" })).toThrow(
        `${name} is "129", but it must be a whole number from 1 to 128.`,
      );
    }
    expect(loadConfig({ PARTITIONS: "128" }).partitions).toBe(128);
  });

  it("cannot be changed afterwards", () => {
    expect(() => Object.assign(loadConfig({}), { grpcPort: 1 })).toThrow(TypeError);
  });

  it("takes an empty variable for an unset one", () => {
    expect(loadConfig({ REDIS_URL: "", PORT: " " })).toMatchObject({ redisUrl: undefined, httpPort: 8_000 });
  });

  it("takes the database address of a Python service", () => {
    expect(loadConfig({ DATABASE_URL: "postgresql+asyncpg://u:p@h:5432/d" }).databaseUrl).toBe(
      "postgresql://u:p@h:5432/d",
    );
  });

  it("takes the log level in any case and by its Python names", () => {
    expect(["INFO", "Warning", "CRITICAL", "debug"].map((name) => loadConfig({ LOG_LEVEL: name }).logLevel)).toEqual([
      "info",
      "warn",
      "fatal",
      "debug",
    ]);
  });

  it("has eight partitions on Kafka and never more scorer threads than partitions", () => {
    expect(loadConfig({ KAFKA_BOOTSTRAP_SERVERS: "k:1" }, 64)).toMatchObject({ partitions: 8, scorerThreads: 8 });
    expect(loadConfig({ PARTITIONS: "2", SCORER_THREADS: "9" })).toMatchObject({ partitions: 2, scorerThreads: 2 });
  });

  it("takes a comma list of roles where log and database are shared", () => {
    const config = loadConfig({ ...shared, ROLE: "Ingest, score" });
    expect([...config.roles]).toEqual(["ingest", "score"]);
    expect(config.kafkaBootstrapServers).toEqual(["a:9092", "b:9093"]);
  });

  it("lets a gateway run alone with nothing but the address of the services", () => {
    expect(loadConfig({ ROLE: "gateway", GRPC_URL: "http://q:50051" }).grpcUrl).toBe("http://q:50051");
  });

  const refusals: [string, Record<string, string>, RegExp][] = [
    ["a port out of range", { PORT: "70000" }, /^PORT is "70000", but it must be a whole number from 0 to 65535\.$/],
    ["a port that is no number", { GRPC_PORT: "0x10" }, /^GRPC_PORT is "0x10"/],
    ["the same port twice", { PORT: "50051" }, /GRPC_PORT and PORT are both 50051/],
    ["an unknown role", { ROLE: "ingest,cook" }, /^ROLE is "ingest,cook".*ingest, score, query, gateway/],
    ["a role without shared parts", { ROLE: "score" }, /needs KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL/],
    ["a role without a database", { ROLE: "score", KAFKA_BOOTSTRAP_SERVERS: "k:1" }, /needs DATABASE_URL:/],
    ["a gateway that finds nobody", { ROLE: "gateway" }, /needs GRPC_URL/],
    ["a threshold of zero", { MODEL_ACCURACY_THRESHOLD: "0" }, /^MODEL_ACCURACY_THRESHOLD is "0".*above 0, at most 1/],
    ["a threshold above one", { MODEL_ACCURACY_THRESHOLD: "95" }, /^MODEL_ACCURACY_THRESHOLD/],
    ["a threshold that is no number", { MODEL_ACCURACY_THRESHOLD: "high" }, /^MODEL_ACCURACY_THRESHOLD/],
    ["origins that are no JSON", { ALLOWED_HOSTS: "*" }, /^ALLOWED_HOSTS is "\*".*JSON list/],
    ["origins that are no texts", { ALLOWED_HOSTS: "[1]" }, /^ALLOWED_HOSTS/],
    [
      "an address of a receiver for its host",
      { NOTIFY_ALLOWED_HOSTS: "mail.plant.example,https://hook.plant.example/x" },
      /^NOTIFY_ALLOWED_HOSTS is "https:\/\/hook.plant.example\/x".*host names, addresses and ranges/,
    ],
    ["a broker without a port", { KAFKA_BOOTSTRAP_SERVERS: "kafka" }, /^KAFKA_BOOTSTRAP_SERVERS is "kafka".*host:port/],
    ["an impossible topic", { KAFKA_SENSOR_TOPIC: "a b" }, /^KAFKA_SENSOR_TOPIC is "a b"/],
    ["one topic for two purposes", { KAFKA_EVENTS_TOPIC: "sensor-data" }, /must differ/],
    ["a database of another kind", { DATABASE_URL: "mysql://h/d" }, /^DATABASE_URL is "mysql:\/\/h\/d"/],
    ["an unknown log level", { LOG_LEVEL: "loud" }, /^LOG_LEVEL is "loud"/],
    ["an unknown runtime", { SCORER_RUNTIME: "cuda" }, /^SCORER_RUNTIME is "cuda".*auto, js, tfjs-wasm, tfjs-node/],
    ["a negative retention", { RETENTION_DAYS: "-1" }, /^RETENTION_DAYS is "-1"/],
  ];
  it.each(refusals)("refuses %s with a sentence that says what is wanted", (_, env, sentence) => {
    expect(() => loadConfig(env)).toThrow(StartupError);
    expect(() => loadConfig(env)).toThrow(sentence);
  });

  it.each(["DATABASE_URL", "REDIS_URL"])("never repeats the password in %s", (name) => {
    for (const address of [
      "http://user:hunter2@h",
      "http:user:hunter2@h",
      "http://u:hun@ter2@h/x",
      "x://h?password=hunter2",
    ]) {
      const told = () => loadConfig({ [name]: address });
      expect(told).toThrow(`${name} is`);
      expect(told).not.toThrow(/ter2/);
    }
  });
});
