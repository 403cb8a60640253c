/** Debian's Alertmanager on the loopback: the oracle of what we answer in its place, and a receiver of what we tell. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hold } from "./held.ts";
import { end, freePort, untilLine } from "./processes.ts";
import { program } from "./programs.ts";

const READY_MS = 60_000;

export interface KnownThere {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
}

export interface Alertmanager {
  readonly url: string;
  readonly port: number;
  /** Alerts that it takes for open. */
  alerts(): Promise<readonly KnownThere[]>;
  stop(): Promise<void>;
}

/** A configuration by which every alert is told at once, to a webhook or to nobody. */
export function tellingAll(webhookUrl?: string): string {
  const told = webhookUrl === undefined ? "" : `, webhook_configs: [{url: '${webhookUrl}'}]`;
  return `route: {receiver: all, group_by: ['...'], group_wait: 0s, group_interval: 1s}\nreceivers: [{name: all${told}}]\n`;
}

/**
 * @param config a file in its format
 * @param port a free one where it is absent
 */
export async function startAlertmanager(config: string, port?: number): Promise<Alertmanager> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-alertmanager-"));
  await writeFile(join(folder, "alertmanager.yml"), config);
  const listens = port ?? (await freePort());
  const args = [
    `--config.file=${join(folder, "alertmanager.yml")}`,
    `--storage.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${listens}`,
    "--cluster.listen-address=",
  ];
  const child = spawn(program("prometheus-alertmanager")!, args, { stdio: ["ignore", "ignore", "pipe"] });
  const stop = hold({ folder, ...(child.pid === undefined ? {} : { pid: child.pid }) }, async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  });
  try {
    await untilLine(child, /Listening on|msg=Listening/, READY_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `http://127.0.0.1:${listens}`;
  const alerts = async () => (await (await fetch(`${url}/api/v2/alerts`)).json()) as KnownThere[];
  return { url, port: listens, alerts, stop };
}
