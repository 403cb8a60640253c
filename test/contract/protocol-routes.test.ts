/**
 * Readings come in by any protocol over the one ingestor: the one below, of some twenty lines, is all that a protocol has to bring.
 * Credentials, quota, limits, metrics and the orderly stop are the listener's.
 */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { type App, startApp } from "../../server/app.ts";
import { loadConfig } from "../../server/config.ts";
import { TelltaleError } from "../../server/errors.ts";
import type { IngestProtocol } from "../../server/ingest/protocol.ts";
import { silentLogger } from "../../server/observe/logger.ts";
import { TEST_DOCUMENT } from "../../testing/endpoint.ts";

/** A line for each reading: an id and a number. */
const lines: IngestProtocol = {
  name: "lines",
  method: "POST",
  path: "/test/lines",
  document: TEST_DOCUMENT,
  async handle({ body, submit }) {
    const readings = Buffer.from(body)
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [sensorId = "", number = ""] = line.split(" ");
        if (number === "") throw new TelltaleError("invalid", `${JSON.stringify(line)} is no id and a number`);
        return create(ReadingSchema, { sensorId, sensorType: "line", unit: "1", value: Number(number) });
      });
    const { counts, refusals } = await (await submit({ readings })).settled;
    return { status: 200, body: JSON.stringify({ ...counts, refused: refusals.map(({ message }) => message) }) };
  },
};

const ADMIN_TOKEN = "an-administrator-of-32-characters";
const READINGS_A_SECOND = 2_000;

describe("a protocol of its own", () => {
  let app: App;
  let folder: string;
  let url: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-protocol-"));
    await chmod(folder, 0o755);
    const ports = { PORT: "0", GRPC_PORT: "0", DATA_DIR: folder };
    const limits = { LIMIT_READINGS_PER_SECOND: String(READINGS_A_SECOND) };
    app = await startApp({
      config: loadConfig({ ...ports, ...limits, AUTH: "on", ADMIN_TOKEN }),
      logger: silentLogger(),
      tracing: false,
      onFatal: (error) => expect.unreachable(error.message),
      protocols: [lines],
    });
    url = `http://127.0.0.1:${app.grpcPort}`;
  });
  afterAll(async () => {
    await app?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}, path = "/test/lines") =>
    fetch(url + path, { method: "POST", body, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers } });

  test("stores what it is sent before it answers, and refuses reading by reading", async () => {
    const answer = await post("a 1\nb 2\nc NaN\n");
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      ...{ accepted: 2, duplicate: 0, conflicting: 0, rejected: 1, late: 0 },
      refused: ["value is NaN: give a finite number"],
    });
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    const query = createClient(QueryService, createGrpcTransport({ baseUrl: url }));
    const { reading } = await query.getLatestReading({ sensorId: "b" }, { headers: { authorization } });
    expect(reading?.value).toBe(2);
  });

  test("takes a compressed body, within the bound of what comes out of it", async () => {
    const encoded = { "content-encoding": "gzip" };
    expect((await post(gzipSync("d 4\n"), encoded)).status).toBe(200);
    expect((await post(gzipSync(Buffer.alloc(21 * 1024 * 1024, 0x20)), encoded)).status).toBe(413);
    expect((await post("d 4\n", encoded)).status).toBe(400);
  });

  test("says what is wrong in the statuses of HTTP", async () => {
    const wrong = await post("e\n");
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toEqual({ code: "invalid_argument", message: '"e" is no id and a number' });
    expect((await post("e 1\n", { authorization: "" })).status).toBe(401);
    expect((await post("e 1\n", { authorization: "Bearer nobody" })).status).toBe(401);
    const get = await fetch(`${url}/test/lines`);
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await post("e 1\n", {}, "/test/other")).status).toBe(404);
    expect((await post("x".repeat(21 * 1024 * 1024))).status).toBe(413);
  });

  test("is counted in the metrics of the listener, and timed where it succeeds", async () => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const number = (text: string, name: string) => Number(text.split(name)[1]?.trim().split("\n")[0] ?? 0);
    const counts = async () => {
      const text = await (await fetch(`${url}/metrics`, { headers })).text();
      const rpcs = (code: string) =>
        number(text, `telltale_rpcs_total{method="POST /test/lines",code="${code}",kind="unary"}`);
      const timed = number(text, `telltale_rpc_seconds_count{method="POST /test/lines"}`);
      return [rpcs("OK"), rpcs("UNAUTHENTICATED"), rpcs("UNIMPLEMENTED"), timed];
    };
    const before = await counts();
    await post("f 1\n");
    await post("f 1\n", { authorization: "" });
    await fetch(`${url}/test/lines`);
    expect((await counts()).map((count, i) => count - before[i]!)).toEqual([1, 1, 1, 1]);
  });

  test("is held to the caller's quota, with the time to wait", async () => {
    const many = Array.from({ length: READINGS_A_SECOND + 1 }, (_, i) => `q${i % 10} ${i}`).join("\n");
    const refused = await post(many);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  });
});
