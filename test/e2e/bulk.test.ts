/** Large uploads to the real platform: in bounded memory, and with nothing lost or stored twice where it is killed meanwhile. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { request as open } from "node:http";
import { Readable } from "node:stream";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { arrowOf } from "../../testing/columnar/arrow.ts";
import { parquetOf, type TestReading } from "../../testing/columnar/parquet.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";

const PATH = "/api/v1/sensors/data/bulk";
const START = Date.UTC(2026, 0, 5);
const MINUTES_MS = 300_000;
const SENSORS = 10;

/** Rows of several sensors, some kilobytes at a time. */
function* rows(from: number, to: number, note = ""): Generator<string> {
  let text = from === 0 ? "sensor_id,time,value,note\n" : "";
  for (let i = from; i < to; i++) {
    const time = new Date(START + Math.floor(i / SENSORS) * 1_000).toISOString();
    text += `s${i % SENSORS},${time},${Math.sin(i / 100).toFixed(4)},${note}\n`;
    if (text.length < 64 * 1024) continue;
    yield text;
    text = "";
  }
  yield text;
}

function start(platform: Platform) {
  const { hostname: host, port } = new URL(platform.http);
  return open({ method: "POST", host, port, path: PATH, headers: { "content-type": "text/csv" } });
}

async function upload(platform: Platform, body: Iterable<string> | AsyncIterable<string>) {
  const request = start(platform);
  const answered = once(request, "response");
  Readable.from(body).pipe(request);
  const [response] = await answered;
  const text = (await response.setEncoding("utf8").toArray()).join("");
  return { status: response.statusCode as number, body: JSON.parse(text) };
}

/** Of all sensors. */
async function stored(platform: Platform): Promise<number> {
  const query = createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
  const { totalDataPoints } = await query.getPlatformStats({});
  return Number(totalDataPoints);
}

test(
  "a platform that is killed in the middle has each reading once when the file is sent again",
  async () => {
    const total = 60_000;
    let platform = await startPlatform();
    try {
      const request = start(platform);
      const failed = new Promise((resolve) => request.once("close", resolve));
      request.on("error", () => {});
      // The body does not end: it is in the middle whenever the platform is killed.
      Readable.from(rows(0, total / 2)).pipe(request, { end: false });
      await expect.poll(() => stored(platform)).toBeGreaterThan(5_000);
      await end(platform.process, "SIGKILL");
      await failed;
      platform = await startPlatform({ DATA_DIR: platform.dataDir });
      const { status, body } = await upload(platform, rows(0, total));
      expect([status, body.accepted + body.duplicate, body.conflicting, body.rejected]).toEqual([200, total, 0, 0]);
      expect(body.duplicate).toBeGreaterThan(5_000);
      expect(await stored(platform)).toBe(total);
      expect((await upload(platform, rows(0, total))).body).toMatchObject({ accepted: 0, duplicate: total });
    } finally {
      await platform.stop();
    }
  },
  MINUTES_MS,
);

test(
  "a platform that is killed while Parquet and Arrow are uploaded has each reading once when they are sent again",
  async () => {
    const total = 60_000;
    const readings = (prefix: string): TestReading[] =>
      Array.from({ length: total }, (_, i) => ({
        ...{ sensorId: `${prefix}${i % SENSORS}`, timeUs: (START + Math.floor(i / SENSORS) * 1_000) * 1_000 },
        value: Math.sin(i / 100),
      }));
    const bodies = [
      { type: "application/vnd.apache.parquet", body: parquetOf(readings("p")) },
      { type: "application/vnd.apache.arrow.stream", body: await arrowOf(readings("a"), { batchRows: 2_000 }) },
    ];
    let platform = await startPlatform();
    try {
      const { http } = platform;
      const send = ({ type, body }: (typeof bodies)[number]) =>
        fetch(`${http}${PATH}`, { method: "POST", headers: { "content-type": type }, body });
      const interrupted = Promise.allSettled(bodies.map(send));
      await expect.poll(() => stored(platform)).toBeGreaterThan(5_000);
      await end(platform.process, "SIGKILL");
      await interrupted;
      platform = await startPlatform({ DATA_DIR: platform.dataDir });
      let duplicate = 0;
      for (const { type, body } of bodies) {
        const response = await fetch(`${platform.http}${PATH}`, {
          method: "POST",
          headers: { "content-type": type },
          body,
        });
        const answer = (await response.json()) as { accepted: number; duplicate: number; rejected: number };
        expect([response.status, answer.accepted + answer.duplicate, answer.rejected]).toEqual([200, total, 0]);
        duplicate += answer.duplicate;
      }
      expect(duplicate).toBeGreaterThan(5_000);
      expect(await stored(platform)).toBe(2 * total);
    } finally {
      await platform.stop();
    }
  },
  MINUTES_MS,
);

test(
  "an upload of 300 MB takes less memory than the body has bytes",
  async () => {
    const platform = await startPlatform();
    try {
      const memory = async () => {
        const [, kB] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${platform.process.pid}/status`, "utf8")) ?? [];
        return Number(kB) / 1024;
      };
      const note = "n".repeat(300_000);
      /** Uploads the readings; the most memory that the platform had meanwhile, MB. */
      const most = async (readings: number, expected: object) => {
        let most = 0;
        async function* watched() {
          for (const text of rows(0, readings, note)) {
            most = Math.max(most, await memory());
            yield text;
          }
        }
        expect((await upload(platform, watched())).body).toMatchObject(expected);
        return most;
      };
      // Few readings, so that what scoring and storing them takes does not count.
      const small = await most(100, { accepted: 100 });
      const large = await most(1_000, { accepted: 900, duplicate: 100 });
      console.error(`${Math.round(small)} MB with an upload of 30 MB, ${Math.round(large)} MB with one of 300 MB`);
      expect(large - small).toBeLessThan(150);
    } finally {
      await platform.stop();
    }
  },
  MINUTES_MS,
);
