/** A real vmalert, which asks a Prometheus and tells an Alertmanager. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hold } from "./held.ts";
import { end, freePort, untilLine } from "./processes.ts";
import { program } from "./programs.ts";

const READY_MS = 60_000;

/** Its alert VmHighTemp fires while the gauge of the Prometheus shows more than 80. */
export async function startVmalert(prometheus: string, alertmanager: string): Promise<{ stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-vmalert-"));
  await writeFile(
    join(folder, "rules.yml"),
    `groups:
  - name: boilers
    interval: 1s
    rules:
      - alert: VmHighTemp
        expr: boiler_temperature > 80
        annotations: { summary: "boiler {{ $labels.boiler }} is at {{ $value }}" }
`,
  );
  const args = [
    `-rule=${join(folder, "rules.yml")}`,
    `-datasource.url=${prometheus}`,
    `-notifier.url=${alertmanager}`,
    `-httpListenAddr=127.0.0.1:${await freePort()}`,
    // What was scraped this moment counts.
    "-rule.evalDelay=0s",
  ];
  const child = spawn(program("vmalert")!, args, { stdio: ["ignore", "ignore", "pipe"] });
  const stop = hold({ folder, ...(child.pid === undefined ? {} : { pid: child.pid }) }, async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  });
  try {
    await untilLine(child, /group "boilers".*(started|interval)/, READY_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
