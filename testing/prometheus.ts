/** A real Prometheus that watches a gauge of some boilers, and sends what its rules say to an Alertmanager. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hold } from "./held.ts";
import { end, freePort, untilLine } from "./processes.ts";
import { program } from "./programs.ts";

const READY_MS = 60_000;

export interface Prometheus {
  readonly url: string;
  /** What the gauge `boiler_temperature` shows of a boiler from now on, 7 by default; the alert HighTemp fires above 80. */
  show(value: number, boiler?: string): void;
  stop(): Promise<void>;
}

/** @param alertmanager such as http://127.0.0.1:8000; undefined: it notifies nobody; `token`: a credential for it */
export async function startPrometheus(alertmanager: string | undefined, token?: string): Promise<Prometheus> {
  const shown = new Map([["7", 20]]);
  const target = createServer((_, response) => {
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end([...shown].map(([boiler, value]) => `boiler_temperature{boiler="${boiler}"} ${value}\n`).join(""));
  });
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
  const folder = await mkdtemp(join(tmpdir(), "telltale-prometheus-"));
  await writeFile(
    join(folder, "prometheus.yml"),
    `global: { scrape_interval: 200ms, evaluation_interval: 200ms }
rule_files: [rules.yml]
scrape_configs:
  - job_name: plant
    static_configs: [{ targets: ["127.0.0.1:${(target.address() as AddressInfo).port}"] }]
${alertmanager === undefined ? "" : alerting(alertmanager, token)}`,
  );
  await writeFile(
    join(folder, "rules.yml"),
    `groups:
  - name: boilers
    rules:
      - alert: HighTemp
        expr: boiler_temperature > 80
        labels: { severity: critical }
        annotations: { summary: "boiler {{ $labels.boiler }} is at {{ $value }}" }
`,
  );
  const closeTarget = () => {
    target.close();
    target.closeAllConnections();
  };
  try {
    const { url, stop } = await launch(folder, ["--rules.alert.resend-delay=500ms"]);
    return {
      url,
      show: (value, boiler = "7") => {
        shown.set(boiler, value);
      },
      async stop() {
        await stop();
        closeTarget();
      },
    };
  } catch (error) {
    closeTarget();
    throw error;
  }
}

/**
 * One that scrapes nothing, and takes what is written to it.
 *
 * @param readFrom where it reads what it does not have itself, such as http://127.0.0.1:8000/api/v1/read
 */
export async function startStore(readFrom?: string): Promise<Pick<Prometheus, "url" | "stop">> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-prometheus-"));
  const remote = readFrom === undefined ? "" : `remote_read: [{ url: "${readFrom}", read_recent: true }]\n`;
  await writeFile(join(folder, "prometheus.yml"), `global: {}\n${remote}`);
  return launch(folder, ["--web.enable-remote-write-receiver"]);
}

/** Runs in a folder with its prometheus.yml, which goes when it ends. */
async function launch(folder: string, more: readonly string[]): Promise<Pick<Prometheus, "url" | "stop">> {
  const port = await freePort();
  const args = [
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    ...more,
  ];
  const child = spawn(program("prometheus")!, args, { stdio: ["ignore", "ignore", "pipe"] });
  const stop = hold({ folder, ...(child.pid === undefined ? {} : { pid: child.pid }) }, async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  });
  try {
    await untilLine(child, /Server is ready to receive web requests/, READY_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, stop };
}

function alerting(alertmanager: string, token: string | undefined): string {
  const credentials = token === undefined ? "" : `      authorization: { credentials: "${token}" }\n`;
  return `alerting:
  alertmanagers:
    - static_configs: [{ targets: ["${new URL(alertmanager).host}"] }]
${credentials}`;
}
