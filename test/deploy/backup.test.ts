import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { startPostgres } from "../../testing/postgres.ts";

const startSeconds = Math.floor(Date.now() / 1000) - 3_600;
const readings = Array.from({ length: 500 }, (_, i) => ({
  sensorId: `pump-${i % 5}`,
  sensorType: "pressure",
  unit: "bar",
  value: 20 + (i % 7),
  observedAt: { seconds: BigInt(startSeconds + i), nanos: 0 },
}));

describeWith(["pg_dump", "pg_restore"], "backup and restore, as the page on operation tells it", () => {
  test("a dump taken while the platform runs, restored elsewhere, has every reading, and knows those that are sent again", async () => {
    const postgres = await startPostgres();
    const folder = mkdtempSync("/tmp/telltale-backup-");
    const file = join(folder, "telltale.dump");
    try {
      const before = await use(postgres.url, async (send, list) => {
        expect((await send()).counts).toMatchObject({ accepted: 500n, duplicate: 0n });
        const found = await list();
        expect(found).toHaveLength(100);
        execFileSync(program("pg_dump")!, ["--format=custom", "--file", file, postgres.url]);
        return found;
      });
      const other = postgres.url.replace(/postgres$/, "restored");
      execFileSync(program("psql")!, [postgres.url, "-c", "create database restored"]);
      execFileSync(program("pg_restore")!, ["--exit-on-error", "--no-owner", "--dbname", other, file]);
      await use(other, async (send, list) => {
        expect(await list()).toEqual(before);
        expect((await send()).counts).toMatchObject({ accepted: 0n, duplicate: 500n });
        expect(await list()).toEqual(before);
      });
    } finally {
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 180_000);
});

/** Runs the platform on the database for as long as the work takes. */
async function use<T>(
  url: string,
  work: (send: Send, list: () => Promise<readonly unknown[]>) => Promise<T>,
): Promise<T> {
  const platform = await startPlatform({ DATABASE_URL: url });
  try {
    const transport = createGrpcTransport({ baseUrl: platform.grpc });
    const query = createClient(QueryService, transport);
    const list = async () => (await query.listReadings({ sensorId: "pump-0", limit: 1_000 })).readings;
    return await work(() => createClient(IngestService, transport).submitReadings({ readings }), list);
  } finally {
    await platform.stop();
  }
}

type Send = () => Promise<{ readonly counts?: object | undefined }>;
