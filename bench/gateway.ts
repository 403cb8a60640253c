/**
 * What the endpoints cost: the same questions by REST, GraphQL and direct Connect, one after another against one platform with its embedded
 * parts. Prints rate, latency and CPU a request, with ratios to direct Connect from the same run.
 *
 * npm run -s bench:gateway [-- --seconds 5 --connections 32]
 */
import { Agent, request } from "node:http";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../gen/es/telltale/v1/query_pb.ts";
import { type Platform, startPlatform } from "../testing/platform.ts";
import { runScript } from "../testing/script.ts";
import { cpuOf, sum, threadsOf } from "./cpu.ts";

const { values: options } = parseArgs({
  options: { seconds: { type: "string", default: "5" }, connections: { type: "string", default: "32" } },
});
const SECONDS = Number(options.seconds);
const CONNECTIONS = Number(options.connections);

interface Result {
  readonly name: string;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU of the platform's own process a request, in ms. */
  readonly cpuMs: number;
  /** The same with its database's processes. */
  readonly allCpuMs: number;
}

/** CPU seconds so far: of the process, and with those that it started. */
function cpuNow(pid: number): { own: number; all: number } {
  const total = (seconds: ReadonlyMap<string, number>) => sum(Object.fromEntries(seconds));
  return { own: total(threadsOf(pid)), all: total(cpuOf([pid])) };
}

async function measure(name: string, pid: number, call: (i: number) => Promise<void>): Promise<Result> {
  let n = 0;
  const worker = async (until: number, times: number[]) => {
    while (performance.now() < until) {
      const began = performance.now();
      await call(n++);
      times.push(performance.now() - began);
    }
  };
  const run = (ms: number, times: number[]) =>
    Promise.all(Array.from({ length: CONNECTIONS }, () => worker(performance.now() + ms, times)));
  await run(1000, []); // warm: compiled code, open connections
  const times: number[] = [];
  const before = cpuNow(pid);
  const began = performance.now();
  await run(SECONDS * 1000, times);
  const seconds = (performance.now() - began) / 1000;
  const after = cpuNow(pid);
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  const perRequest = (from: number, to: number) => ((to - from) * 1000) / times.length;
  return {
    name,
    perSecond: times.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    cpuMs: perRequest(before.own, after.own),
    allCpuMs: perRequest(before.all, after.all),
  };
}

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

function http(url: string, body?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        agent,
        method: body === undefined ? "GET" : "POST",
        headers: body === undefined ? {} : { "content-type": "application/json" },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => {
          if (response.statusCode === 200 && !text.includes('"errors"')) resolve();
          else reject(new Error(`${url}: ${response.statusCode} ${text.slice(0, 300)}`));
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

const FIELDS = "id sensorId sensorType timestamp value unit location isAnomaly anomalyScore";

/** Sensors enough that the threads and partitions share the work. */
const sensor = (i: number) => `bench-${i % 200}`;
const valueAt = (i: number) => 20 + Math.sin(i);

async function compare({ http: base, grpc, process: { pid } }: Platform): Promise<[string, Result[]][]> {
  const transport = createGrpcTransport({ baseUrl: grpc });
  const ingest = createClient(IngestService, transport);
  const query = createClient(QueryService, transport);
  const graphql = (text: string) => http(`${base}/api/v1/graphql`, JSON.stringify({ query: text }));
  const reading = (i: number) => ({ sensorId: sensor(i), sensorType: "bench", value: valueAt(i), unit: "C" });
  const post = await runs(pid!, [
    ["Connect SubmitReadings", async (i) => void (await ingest.submitReadings({ readings: [reading(i)] }))],
    [
      "REST POST",
      (i) =>
        http(
          `${base}/api/v1/sensors/data`,
          JSON.stringify({ sensor_id: sensor(i), sensor_type: "bench", value: valueAt(i), unit: "C" }),
        ),
    ],
    [
      "GraphQL submitSensorData",
      (i) =>
        graphql(
          `mutation { submitSensorData(sensorId:"${sensor(i)}", sensorType:"bench", value:${valueAt(i)}, unit:"C") { ${FIELDS} } }`,
        ),
    ],
  ]);
  const list = await runs(pid!, [
    ["Connect ListReadings", async () => void (await query.listReadings({ limit: 100 }))],
    ["REST list", () => http(`${base}/api/v1/sensors/data?limit=100`)],
    ["GraphQL sensorData", () => graphql(`{ sensorData(limit: 100) { ${FIELDS} } }`)],
  ]);
  const alerts = await runs(pid!, [
    ["Connect GetPlatformStats", async () => void (await query.getPlatformStats({}))],
    ["REST stats (SOFA over Mesh)", () => http(`${base}/api/v1/monitoring/stats`)],
    [
      "GraphQL platformStats",
      () => graphql("{ platformStats { totalDataPoints totalAnomalies activeSensors timestamp } }"),
    ],
  ]);
  return [
    ["One reading in, answered when settled", post],
    ["List of 100", list],
    ["One object", alerts],
  ];
}

async function runs(
  pid: number,
  cases: readonly (readonly [string, (i: number) => Promise<void>])[],
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [name, call] of cases) results.push(await measure(name, pid, call));
  return results;
}

function print(title: string, results: readonly Result[]): void {
  const [direct] = results as [Result];
  console.log(`\n${title}`);
  console.log(
    `${"".padEnd(30)}${["req/s", "p50 ms", "p99 ms", "CPU ms", "with DB", "CPU ratio"].map((head) => head.padStart(10)).join("")}`,
  );
  for (const { name, perSecond, p50, p99, cpuMs, allCpuMs } of results) {
    const cells = [
      perSecond.toFixed(0),
      p50.toFixed(1),
      p99.toFixed(1),
      cpuMs.toFixed(2),
      allCpuMs.toFixed(2),
      (cpuMs / direct.cpuMs).toFixed(2),
    ];
    console.log(`${name.padEnd(30)}${cells.map((cell) => cell.padStart(10)).join("")}`);
  }
}

await runScript({ name: "npm run bench:gateway", needs: [] }, async () => {
  const platform = await startPlatform();
  console.log(
    `${CONNECTIONS} connections, ${SECONDS} s each, ${cpus()[0]!.model}, ${availableParallelism()} cores, Node ${process.version}; load and platform share them.`,
  );
  for (const [title, results] of await compare(platform)) print(title, results);
  agent.destroy();
  return 0;
});
