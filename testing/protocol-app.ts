/** The platform in this process with credentials, for tests of ingest protocols. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { QueryService } from "../gen/es/telltale/v1/query_pb.ts";
import type { ScoredReading } from "../gen/es/telltale/v1/reading_pb.ts";
import { RegistryService } from "../gen/es/telltale/v1/registry_pb.ts";
import { type App, startApp } from "../server/app.ts";
import { loadConfig } from "../server/config.ts";
import { silentLogger } from "../server/observe/logger.ts";
import { copyEmbeddedDatabase } from "./database-template.ts";

export interface ProtocolApp {
  /** Base addresses of both listeners: protocols are served on each. */
  readonly http: string;
  readonly grpc: string;
  readonly token: string;
  /** Of a request with the token. */
  readonly bearer: { readonly authorization: string };
  /** A sensor's readings, the oldest first. */
  readings(sensorId: string): Promise<ScoredReading[]>;
  attributes(sensorId: string): Promise<Record<string, string>>;
  /** Of a counter on the metrics page; `labels` as the page has them. 0 where it is not there. */
  metric(name: string, labels: string): Promise<number>;
  stop(): Promise<void>;
}

const TOKEN = "an-administrator-of-32-characters";

export async function startProtocolApp(environment: NodeJS.ProcessEnv = {}): Promise<ProtocolApp> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-protocol-"));
  await chmod(folder, 0o755);
  await copyEmbeddedDatabase(folder);
  const own = { PORT: "0", GRPC_PORT: "0", DATA_DIR: folder, AUTH: "on", ADMIN_TOKEN: TOKEN };
  const app: App = await startApp({
    config: loadConfig({ ...own, ...environment }),
    logger: silentLogger(),
    tracing: false,
    onFatal: (error) => {
      throw error;
    },
  });
  const grpc = `http://127.0.0.1:${app.grpcPort}`;
  const bearer = { authorization: `Bearer ${TOKEN}` };
  const transport = createGrpcTransport({ baseUrl: grpc });
  const query = createClient(QueryService, transport);
  const registry = createClient(RegistryService, transport);
  return {
    http: `http://127.0.0.1:${app.httpPort}`,
    grpc,
    token: TOKEN,
    bearer,
    async readings(sensorId) {
      const { readings } = await query.listReadings({ sensorId, limit: 1000 }, { headers: bearer });
      return readings.reverse();
    },
    async attributes(sensorId) {
      const { sensor } = await registry.getSensor({ sensorId }, { headers: bearer });
      return sensor?.attributes ?? {};
    },
    async metric(name, labels) {
      const text = await (await fetch(`${grpc}/metrics`, { headers: bearer })).text();
      return Number(text.split(`\n${name}{${labels}} `)[1]?.split("\n")[0] ?? 0);
    },
    async stop() {
      await app.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
