import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadConfig } from "./config.ts";
import { misspelled, recorded, warnOfMisspelled } from "./misspelled.ts";
import { createLogger } from "./observe/logger.ts";

const asked = new Set<string>();
loadConfig(recorded({}, asked));
const meantBy = (name: string) => misspelled({ [name]: "x" }, asked).map(({ meant }) => meant);

test.each([
  ["DATABSE_URL", "DATABASE_URL"],
  ["DATABASE_URI", "DATABASE_URL"],
  ["KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"],
  ["LOGLEVEL", "LOG_LEVEL"],
  ["grpc_port", "GRPC_PORT"],
  ["TELLTALE_DATA_DIR", "DATA_DIR"],
  ["TELLTALE_TOKN", "TELLTALE_TOKEN"],
  ["RETENTION_DAY", "RETENTION_DAYS"],
  ["ACCEPT_TIMESTAMPS", "ACCEPT_TIMESTAMP"],
  ["TELLTALE_COLOR", undefined],
])("%s is told of at the start, with %s", (name, meant) => expect(meantBy(name)).toEqual([meant]));

test.each([
  "PATH",
  "HOME",
  "HOST",
  "PORT",
  "PORTS",
  "EDITOR",
  "NODE_ENV",
  "npm_config_loglevel",
  "SSL_CERT_FILE",
  "KUBERNETES_PORT",
  "TELLTALE_SERVICE_HOST",
  "TELLTALE_PORT_50051_TCP_ADDR",
  "OTEL_SERVICE_NAME",
])("%s is none of ours", (name) => expect(meantBy(name)).toEqual([]));

test("no variable of .env.example is taken for another", () => {
  const text = readFileSync(new URL("../.env.example", import.meta.url), "utf8");
  const names = [...text.matchAll(/^#?([A-Z][A-Z_]+)=/gm)].map(([, name]) => name!);
  expect(names.length).toBeGreaterThan(40);
  expect(misspelled(Object.fromEntries(names.map((name) => [name, "x"])), asked)).toEqual([]);
});

test("the line names the variable and never its value", () => {
  const lines: string[] = [];
  const logger = createLogger({ level: "info", write: (line) => lines.push(line) });
  warnOfMisspelled(misspelled({ ADMIN_TOKENS: "a-secret" }, asked), logger);
  expect(lines.join()).toContain("did you mean ADMIN_TOKEN?");
  expect(lines.join()).not.toContain("a-secret");
});
