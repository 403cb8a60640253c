/** A real Prometheus that writes to the platform while the platform is killed: what was scraped is stored, each sample once. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";

const KILLS = 3;
/** Scrapes between two kills. */
const SCRAPES = 20;

describeWith(["prometheus"], "remote_write of a real Prometheus", () => {
  let platform: Platform;
  let prometheus: ChildProcess;
  let target: Server;
  let folder: string;
  let api: string;
  let scrapes = 0;
  const environment: NodeJS.ProcessEnv = {};
  const SENSOR = 'plant_scrapes_total{instance="a",job="plant"}';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-prometheus-"));
    await chmod(folder, 0o755);
    Object.assign(environment, { PORT: String(await freePort()), GRPC_PORT: String(await freePort()) });
    platform = await startPlatform(environment);
    environment.DATA_DIR = platform.dataDir;
    target = createServer((_, response) => response.end(`plant_scrapes_total ${++scrapes}\nplant_nothing NaN\n`));
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as AddressInfo;
    const queue = "{ batch_send_deadline: 100ms, min_backoff: 30ms, max_backoff: 300ms }";
    const config = `global: { scrape_interval: 100ms, scrape_timeout: 100ms }
scrape_configs:
  - job_name: plant
    static_configs: [{ targets: ["127.0.0.1:${port}"], labels: { instance: a } }]
remote_write:
  - url: ${platform.http}/api/v1/write
    queue_config: ${queue}
`;
    await writeFile(join(folder, "prometheus.yml"), config);
    const apiPort = await freePort();
    api = `http://127.0.0.1:${apiPort}`;
    const options = [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${apiPort}`,
    ];
    prometheus = spawn(program("prometheus")!, options, { stdio: "ignore" });
  }, 120_000);

  afterAll(async () => {
    await end(prometheus);
    target?.close();
    await platform?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const reached = (count: number) => expect.poll(() => scrapes, { timeout: 60_000 }).toBeGreaterThanOrEqual(count);

  /** What Prometheus itself has, in milliseconds and values. */
  async function scraped(): Promise<[number, number][]> {
    const answer = await fetch(`${api}/api/v1/query?query=${encodeURIComponent("plant_scrapes_total[1h]")}`);
    const { data } = (await answer.json()) as { data: { result: { values: [number, string][] }[] } };
    return data.result[0]?.values.map(([seconds, value]) => [Math.round(seconds * 1000), Number(value)]) ?? [];
  }

  async function stored(): Promise<[number, number][]> {
    const query = createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
    const { readings } = await query.listReadings({ sensorId: SENSOR, limit: 1000 });
    return readings
      .map(({ observedAt, value }): [number, number] => [
        Number(observedAt!.seconds) * 1000 + observedAt!.nanos / 1e6,
        value,
      ])
      .reverse();
  }

  it("loses nothing and stores nothing twice through kill -9", async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      await reached(scrapes + SCRAPES);
      await end(platform.process, "SIGKILL");
      // Meanwhile Prometheus finds nobody.
      await reached(scrapes + SCRAPES / 2);
      platform = await startPlatform(environment);
    }
    await reached(scrapes + SCRAPES);
    target.closeAllConnections();
    target.close();
    const frozen = scrapes;
    await expect.poll(async () => (await scraped()).at(-1)?.[1]).toBeGreaterThanOrEqual(frozen - 1);
    const all = await scraped();
    expect(all.length).toBeGreaterThan(KILLS * SCRAPES);
    await expect.poll(stored, { timeout: 60_000, interval: 500 }).toEqual(all);
    // Its own view of the same: nothing that it gave up.
    const metrics = await (await fetch(`${api}/metrics`)).text();
    for (const lost of ["failed", "dropped"]) {
      const value = new RegExp(`^prometheus_remote_storage_samples_${lost}_total\\{.*\\} (\\d+)$`, "m").exec(
        metrics,
      )?.[1];
      expect([lost, Number(value)]).toEqual([lost, 0]);
    }
  }, 300_000);
});
