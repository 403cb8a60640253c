/** A real Prometheus that watches one gauge, and sends what its rules say to an Alertmanager. */
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
  /** What the gauge `boiler_temperature` shows from now on; the alert HighTemp fires above 80. */
  show(value: number): void;
  stop(): Promise<void>;
}

/** @param alertmanager such as http://127.0.0.1:8000; undefined: it tells nobody; `token`: a credential for it */
export async function startPrometheus(alertmanager: string | undefined, token?: string): Promise<Prometheus> {
  let shown = 20;
  const target = createServer((_, response) => {
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end(`boiler_temperature{boiler="7"} ${shown}\n`);
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
  const port = await freePort();
  const args = [
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--rules.alert.resend-delay=500ms",
  ];
  const child = spawn(program("prometheus")!, args, { stdio: ["ignore", "ignore", "pipe"] });
  const release = hold({ folder, ...(child.pid === undefined ? {} : { pid: child.pid }) }, async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  });
  const stop = async () => {
    await release();
    target.close();
    target.closeAllConnections();
  };
  try {
    await untilLine(child, /Server is ready to receive web requests/, READY_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    show: (value) => {
      shown = value;
    },
    stop,
  };
}

function alerting(alertmanager: string, token: string | undefined): string {
  const credentials = token === undefined ? "" : `      authorization: { credentials: "${token}" }\n`;
  return `alerting:
  alertmanagers:
    - static_configs: [{ targets: ["${new URL(alertmanager).host}"] }]
${credentials}`;
}
