import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Plant } from "../../formats/plant.ts";
import { runCli } from "../../testing/cli.ts";
import { startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";
import { alertWithoutId, allAlerts, allReadings, withoutId } from "../../testing/readings.ts";

const KILLS = 3;
const ROWS = 60_000;
/** Rows are a minute apart; this plays about 8,000 of them a second, so that the kills fall into the middle of the work. */
const SPEED = 8_000 * 60;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "telltale-send-"));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function csv(path: string, seed: number): string {
  const minuteUs = 60e6;
  const plant = new Plant({ seed, sensors: 1, intervalUs: minuteUs, faultRate: 0.0005 });
  const lines = ["timestamp,value"];
  for (let minute = 0; lines.length <= ROWS; minute++) {
    const atUs = 1_600_000_000e6 + minute * minuteUs;
    for (const { value } of plant.step(atUs).readings) lines.push(`${new Date(atUs / 1000).toISOString()},${value}`);
  }
  const file = join(path, "plant.csv");
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

async function start(dataDir: string, grpcPort: number) {
  const platform = await startPlatform({ DATA_DIR: dataDir, GRPC_PORT: String(grpcPort) });
  cleanups.push(() => end(platform.process, "SIGKILL"));
  return platform;
}

async function told(grpc: string) {
  const readings = (await allReadings(grpc, "machine")).map(withoutId);
  return { readings, alerts: (await allAlerts(grpc, "machine")).map(alertWithoutId) };
}

test(`kill -9 at ${KILLS} random moments of a sending loses nothing, stores nothing twice, and changes no score`, {
  timeout: 900_000,
}, async () => {
  const seed = Number(process.env.TELLTALE_SEED ?? Date.now() % 1_000_000);
  process.stdout.write(`TELLTALE_SEED=${seed} repeats these moments\n`);
  const file = csv(folder(), seed);
  const send = (url: string, ...more: string[]) =>
    runCli("send", file, "--sensor-id", "machine", "--url", url, ...more);

  const quiet = await start(folder(), await freePort());
  const undisturbed = send(quiet.grpc);
  expect(await undisturbed.ended).toBe(0);
  expect(undisturbed.stdout()).toContain(`${ROWS} sent = ${ROWS} accepted + 0 duplicate + 0 conflicting + 0 rejected`);
  const wanted = await told(quiet.grpc);
  expect(wanted.readings).toHaveLength(ROWS);
  expect(wanted.alerts.length).toBeGreaterThan(0);
  await end(quiet.process);

  const dataDir = folder();
  const port = await freePort();
  let platform = await start(dataDir, port);
  const disturbed = send(platform.grpc, "--speed", String(SPEED));
  cleanups.push(() => disturbed.process.kill("SIGKILL"));
  for (let kill = 0; kill < KILLS; kill++) {
    // A linear congruence is random enough for moments.
    await delay(50 + ((seed * 7919 + kill * 104_729) % 650));
    const gone = once(platform.process, "exit");
    platform.process.kill("SIGKILL");
    await gone;
    platform = await start(dataDir, port);
  }
  expect(await disturbed.ended).toBe(0);
  expect(disturbed.stderr()).toContain("The server is back; continuing.");
  const counts = /(\d+) sent = (\d+) accepted \+ (\d+) duplicate \+ 0 conflicting \+ 0 rejected/.exec(
    disturbed.stdout(),
  );
  expect(counts, disturbed.stdout()).not.toBeNull();
  expect(Number(counts![1])).toBe(ROWS);
  expect(Number(counts![2]) + Number(counts![3])).toBe(ROWS);
  const got = await told(platform.grpc);
  expect(got.readings).toEqual(wanted.readings);
  expect(got.alerts).toEqual(wanted.alerts);

  const again = send(platform.grpc);
  expect(await again.ended).toBe(0);
  expect(again.stdout()).toContain(`${ROWS} sent = 0 accepted + ${ROWS} duplicate + 0 conflicting + 0 rejected`);

  await end(platform.process);
  const check = runCli("fsck", "--data-dir", dataDir);
  expect(await check.ended, check.stdout()).toBe(0);
});
