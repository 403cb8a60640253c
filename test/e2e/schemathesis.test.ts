/** The document against the platform, by a tool that is not ours: schemathesis makes requests of it and holds the answers to it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../support/needs.ts";
import { type Platform, startPlatform } from "../support/platform.ts";
import { pythonWith } from "../support/python.ts";

/** Requests an operation and phase: some hundreds in all. */
const EXAMPLES = "25";
const MINUTES_MS = 300_000;
/**
 * Whether a valid request is accepted is left out: a time far ahead of the clock is valid by the document, which knows no clock, and
 * is refused.
 */
const CHECKS =
  "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection,unsupported_method,missing_required_header";

describeWith(["python3"], "schemathesis", () => {
  let platform: Platform;
  let bin: string;
  beforeAll(async () => {
    bin = await pythonWith(["schemathesis==4.32.5"]);
    platform = await startPlatform();
  }, MINUTES_MS);
  afterAll(() => platform?.stop());

  test(
    "finds no server error and no answer that the document does not describe",
    async () => {
      const folder = await mkdtemp("/tmp/telltale-schemathesis-");
      const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
        execFile(
          join(bin, "schemathesis"),
          [
            "run",
            `${platform.http}/openapi.json`,
            "--url",
            platform.http,
            "--checks",
            CHECKS,
            "-n",
            EXAMPLES,
            "--seed",
            "7",
            "--no-color",
          ],
          { cwd: folder, maxBuffer: 64 * 1024 * 1024, timeout: MINUTES_MS },
          (error, stdout, stderr) =>
            resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
        );
      });
      await rm(folder, { recursive: true });
      expect(code, output.slice(-6000)).toBe(0);
      expect(output).toMatch(/[1-9]\d* generated/);
    },
    MINUTES_MS,
  );
});

describeWith(["python3"], "a client of another language", () => {
  let platform: Platform;
  let bin: string;
  beforeAll(async () => {
    bin = await pythonWith(["gql[websockets]==4.4.0"]);
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
