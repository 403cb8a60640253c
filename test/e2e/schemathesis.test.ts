/** The document against the platform, by a tool that is not ours: schemathesis makes requests of it and holds the answers to it. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { GQL, pythonWith, SCHEMATHESIS } from "../../testing/python.ts";
import { type Secured, startSecured } from "../../testing/secured.ts";

const MINUTES_MS = 300_000;
/**
 * Whether a valid request is accepted is left out: a time far ahead of the clock is valid by the document, which knows no clock, and
 * is refused.
 */
const CHECKS =
  "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection,unsupported_method,missing_required_header";

describeWith(["python3"], "schemathesis", () => {
  let platform: Secured;
  let bin: string;
  beforeAll(async () => {
    bin = await pythonWith(SCHEMATHESIS);
    platform = await startSecured();
  }, MINUTES_MS);
  afterAll(() => platform?.stop());

  /** @param examples requests an operation and phase */
  async function schemathesis(examples: number, ...args: string[]): Promise<{ code: number; output: string }> {
    const folder = await mkdtemp("/tmp/telltale-schemathesis-");
    const document = `${platform.http}/openapi.json`;
    const bounds = ["-n", String(examples), "--seed", "7", "--no-color"];
    try {
      return await new Promise((resolve) => {
        execFile(
          join(bin, "schemathesis"),
          ["run", document, "--url", platform.http, ...bounds, ...args],
          { cwd: folder, maxBuffer: 64 * 1024 * 1024, timeout: MINUTES_MS },
          (error, stdout, stderr) =>
            resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
        );
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  test(
    "with a token finds no server error and no answer that the document does not describe",
    async () => {
      const { secret } = await platform.mint([Scope.INGEST, Scope.READ, Scope.OPERATE]);
      // Last, by itself: where it has readings of all types buffered for a minute, no reading is answered in time.
      for (const which of ["--exclude-operation-id", "--include-operation-id"]) {
        const only = [which, "set_detector_settings"];
        const token = `Authorization: Bearer ${secret}`;
        const { code, output } = await schemathesis(2, "--checks", CHECKS, "-H", token, ...only);
        expect(code, output.slice(-6000)).toBe(0);
        expect(output).toMatch(/[1-9]\d* generated/);
      }
    },
    MINUTES_MS,
  );

  test(
    "without a token gets nothing but refusals that the document describes, whatever it sends",
    async () => {
      const before = await stored();
      const cassette = await mkdtemp("/tmp/telltale-cassette-");
      const file = join(cassette, "har.json");
      // Bad values are refused before who sends them is asked for: negative_data_rejection holds here too.
      const report = ["--report", "har", "--report-har-path", file];
      const { code, output } = await schemathesis(1, "--checks", CHECKS, ...report);
      expect(code, output.slice(-6000)).toBe(0);
      const { entries } = (JSON.parse(await readFile(file, "utf8")) as Har).log;
      await rm(cassette, { recursive: true });
      const open = new Set(["/health", "/api/v1/monitoring/health"]);
      const letIn = entries.filter(
        ({ request, response }) => response.status < 400 && !open.has(new URL(request.url).pathname),
      );
      expect(letIn.map(({ request, response }) => `${request.method} ${request.url} ${response.status}`)).toEqual([]);
      expect(entries.filter(({ response }) => response.status === 401).length).toBeGreaterThan(50);
      expect(await stored()).toBe(before);
    },
    MINUTES_MS,
  );

  /** How many readings there are, for whoever may know. */
  async function stored(): Promise<bigint> {
    const query = createClient(QueryService, platform.as(platform.adminToken));
    return (await query.getPlatformStats({}, { headers: { "cache-control": "no-cache" } })).totalDataPoints;
  }
});

interface Har {
  readonly log: {
    readonly entries: readonly {
      readonly request: { readonly method: string; readonly url: string };
      readonly response: { readonly status: number };
    }[];
  };
}

describeWith(["python3"], "a client of another language", () => {
  let platform: Platform;
  let bin: string;
  beforeAll(async () => {
    bin = await pythonWith(GQL);
    platform = await startPlatform();
  }, MINUTES_MS);
  afterAll(() => platform?.stop());

  test("subscribes by graphql-transport-ws and gets each reading, in order", async () => {
    const script = `
import asyncio, sys
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport

async def main():
    url = sys.argv[1].replace("http", "ws") + "/api/v1/graphql"
    transport = WebsocketsTransport(url=url, subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL])
    async with Client(transport=transport) as session:
        submit = gql('mutation ($v: Float!) { submitSensorData(sensorId: "gql", sensorType: "t", value: $v, unit: "C") { id } }')
        got = []
        async def watch():
            async for result in session.subscribe(gql('subscription { sensorDataStream(sensorId: "gql") { value } }')):
                got.append(result["sensorDataStream"]["value"])
                if len(got) == 20:
                    return
        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        await transport.send_ping()
        await transport.pong_received.wait()
        for value in range(20):
            submit.variable_values = {"v": float(value)}
            await session.execute(submit)
        await watching
        print(got == [float(value) for value in range(20)])

asyncio.run(main())
`;
    const said = await new Promise<string>((resolve, reject) => {
      execFile(join(bin, "python3"), ["-c", script, platform.http], { timeout: MINUTES_MS }, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(stderr)),
      );
    });
    expect(said.trim()).toBe("True");
  });
});
