/** A real collector of OpenTelemetry with the configurations of docs/guides/opentelemetry.md. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { hold } from "../held.ts";
import { until } from "../metric.ts";
import { end, freePort } from "../processes.ts";
import { program } from "../programs.ts";

const GUIDE = join(import.meta.dirname, "../../docs/guides/opentelemetry.md");

/** The exporters of the guide, by the beginning of their names. */
export type CollectorExporter = "otlphttp" | "otlp" | "prometheusremotewrite";

export interface OtelCollector {
  /** Where it takes OTLP over HTTP. */
  readonly otlp: string;
  /** Of its log, since it was started for the first time. */
  readonly lines: readonly string[];
  /** Ends it with SIGKILL, and starts it with the same queue. */
  killAndRestart(): Promise<void>;
  /** As an operator ends it. */
  stop(): Promise<void>;
}

/** @param http and `grpc` of the platform */
export async function startOtelCollector(
  exporter: CollectorExporter,
  { http, grpc }: { readonly http: string; readonly grpc: string },
): Promise<OtelCollector> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-otelcol-"));
  const port = await freePort();
  const files = configurations(exporter).map((text, i) => ({
    path: join(folder, `${i}.yaml`),
    text: text
      .replaceAll("http://127.0.0.1:8000", http)
      .replaceAll("127.0.0.1:50051", new URL(grpc).host)
      .replaceAll("127.0.0.1:4318", `127.0.0.1:${port}`)
      .replaceAll("/var/lib/otelcol", join(folder, "queue"))
      .replaceAll("collection_interval: 10s", "collection_interval: 1s"),
  }));
  for (const { path, text } of files) await writeFile(path, text);
  const lines: string[] = [];
  let child: ChildProcess | undefined;
  const start = async () => {
    const began = lines.length;
    const args = files.flatMap(({ path }) => ["--config", path]);
    const one = spawn(program("otelcol")!, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    child = one;
    createInterface({ input: one.stderr }).on("line", (line) => lines.push(line));
    await until(() => {
      if (one.exitCode !== null) throw new Error(`otelcol ended:\n${lines.slice(began).join("\n")}`);
      return lines.slice(began).some((line) => line.includes("Everything is ready"));
    });
  };
  const stop = hold({ folder }, async () => {
    if (child !== undefined) await end(child);
    await rm(folder, { recursive: true, force: true });
  });
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ otlp: `http://127.0.0.1:${port}`, lines, stop },
    killAndRestart: async () => {
      await end(child!, "SIGKILL");
      await start();
    },
  };
}

/** The guide's, then that of the exporter where it is another, then one that lets it try again sooner. */
function configurations(exporter: CollectorExporter): string[] {
  const blocks = [...readFileSync(GUIDE, "utf8").matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block]) => block!);
  const [collector, ...others] = blocks;
  const other = others.filter((block) => block.includes(`  ${exporter}/telltale:`));
  const soon = "retry_on_failure: { initial_interval: 100ms, max_interval: 500ms }";
  // Its own figures are on a port of the machine that others may have.
  const quiet = "service: { telemetry: { metrics: { level: none } } }";
  return [collector!, ...other, `exporters: { ${exporter}/telltale: { ${soon} } }\n${quiet}\n`];
}
