/** What commands say where there is nothing to list: on the standard error, so that scripts read an empty list. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform?.stop());

test.each([
  ["silence list", "No silences. --all prints also those that are over."],
  ["silence list --all", "No silences."],
  ["incident list", "No incidents."],
  ["incident list --json", ""],
  ["notify deliveries", "No messages."],
  ["notify alerts", "No alerts."],
  ["notify heartbeats", "The configuration in force has no heartbeats and no pings."],
  ["oncall overrides", "No overrides."],
  ["sensor list", "0 sensors: 0 alerting, 0 stale, 0 ok"],
  ["sensor deletions", "No deletions in the last 30 days."],
  ["sensor deletions --unfinished", "No unfinished deletions."],
  ["sensor export --format csv", "No sensors with a profile: --all exports also those without."],
  ["quarantine list", "0 items wait for a decision"],
  ["token list", "0 tokens"],
  ["token audit", "No events."],
])("telltale %s", async (command, said) => {
  const run = runCli(...command.split(" "), "--url", platform.grpc);
  expect(await run.ended).toBe(0);
  expect(run.stderr().trim()).toBe(said);
  if (!command.startsWith("sensor export")) expect(run.stdout()).toBe("");
});

test("a command that is given the port of REST says which port is wanted", async () => {
  const run = runCli("silence", "list", "--url", platform.http);
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toMatch(
    /^The server cannot be reached: http:.* does not speak gRPC: give the gRPC port \(GRPC_PORT/,
  );
});
