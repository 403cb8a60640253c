/** A disk that is full: nothing is acknowledged and nothing lost, the platform stays up, says why, and continues by itself. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runNode } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";
import { noDisk, SmallDisk } from "../../testing/small-disk.ts";

const MAIN = fileURLToPath(new URL("../../server/main.ts", import.meta.url));
const eventually = <T>(look: () => Promise<T>) => vi.waitFor(look, { timeout: 60_000, interval: 200 });
const title = noDisk === undefined ? "a full disk" : `a full disk [${noDisk}]`;

/** Unless the full disk has ended it already: without its file it does not run. */
function killDatabase(pidFile: string): void {
  if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, "utf8").split("\n")[0]), "SIGKILL");
}

describe.skipIf(noDisk !== undefined)(title, () => {
  const folder = mkdtempSync("/tmp/telltale-full-");
  let disk: SmallDisk;
  let platform: Platform;
  beforeAll(async () => {
    chmodSync(folder, 0o755);
    disk = new SmallDisk(join(folder, "disk"), "640m");
    const env = { DATA_DIR: join(folder, "disk"), PARTITIONS: "2", LOG_LEVEL: "DEBUG" };
    // A copy has files of its log to spare, with which the database starts on a full disk.
    platform = await startPlatform(env, { firstStart: true });
  }, 120_000);
  afterAll(async () => {
    await end(platform?.process);
    disk?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const send = async (at: number) => {
    const reading = { sensorId: "a", sensorType: "t", unit: "C", value: at, observedAt: new Date(1.7e12 + at * 1000) };
    const response = await fetch(`${platform.grpc}/telltale.v1.IngestService/SubmitReadings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ readings: [reading] }),
    });
    return { status: response.status, retry: response.headers.get("retry-after"), body: await response.json() };
  };
  const rest = (at: number) =>
    fetch(`${platform.http}/api/v1/sensors/data`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sensor_id: "r", sensor_type: "t", unit: "C", value: at }),
    });
  const readiness = async () => (await fetch(`${platform.grpc}/health`)).status;
  const health = async () => (await fetch(`${platform.http}/api/v1/monitoring/health`)).json() as Promise<Health>;
  const stored = async () => {
    const url = `${platform.http}/api/v1/sensors/data?sensor_id=a&limit=1000`;
    return ((await (await fetch(url)).json()) as { value: number }[]).map((r) => r.value).sort((a, b) => a - b);
  };
  interface Health {
    status: string;
    services: Record<string, string>;
  }

  test("refuses with the reason, keeps what it acknowledged through the database's death, and goes on when there is room", async () => {
    const acknowledged: number[] = [];
    for (let at = 0; at < 5; at++) {
      expect((await send(at)).status).toBe(200);
      acknowledged.push(at);
    }
    expect(await readiness()).toBe(200);
    disk.fill();
    let at = 5;
    const refused = await eventually(async () => {
      const answer = await send(at++);
      if (answer.status === 200) acknowledged.push(at - 1);
      expect(answer.body).toMatchObject({ code: "resource_exhausted" });
      return answer;
    });
    expect(refused.body.message).toContain("is full");
    expect(Number(refused.retry)).toBeGreaterThan(0);
    const answer = await rest(1);
    expect(answer.status).toBe(507);
    expect(answer.headers.get("retry-after")).not.toBeNull();
    await eventually(async () => expect(await readiness()).toBe(503));
    expect((await health()).services.database).toMatch(/^unhealthy: .*is full/);
    expect((await health()).status).toBe("unhealthy");

    // The database itself is ended and cannot start: more often than the five times after which other causes end the platform.
    killDatabase(join(folder, "disk/postgres/postmaster.pid"));
    await eventually(async () => expect(platform.output().match(/did not come back/g)?.length ?? 0).toBeGreaterThan(6));
    expect(platform.process.exitCode).toBeNull();

    disk.free();
    await eventually(async () => expect(await readiness()).toBe(200));
    const last = await eventually(async () => {
      const sent = await send(at++);
      expect(sent.status).toBe(200);
      return at - 1;
    });
    acknowledged.push(last);
    await eventually(async () => expect(await stored()).toEqual(acknowledged));
    expect((await health()).status).toBe("healthy");
  }, 120_000);

  test("a start on a full disk names the line of the database's log that says so", async () => {
    await end(platform.process);
    disk.fill();
    const start = runNode([MAIN], { DATA_DIR: join(folder, "disk"), PARTITIONS: "2", PORT: "0", GRPC_PORT: "0" });
    expect(await start.ended).toBe(1);
    expect(start.stderr()).toContain("No space left on device");
  }, 60_000);
});
