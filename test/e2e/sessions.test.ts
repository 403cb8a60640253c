/** Browsers that are signed in to the console, from the command line. */
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { runCli } from "../../testing/cli.ts";
import { type Secured, startSecured } from "../../testing/secured.ts";

let platform: Secured;
beforeAll(async () => {
  platform = await startSecured();
}, 120_000);
afterAll(() => platform?.stop());

async function cli(token: string, ...args: string[]) {
  const run = runCli("session", ...args, "--url", platform.grpc, "--token", token);
  const code = await run.ended;
  return { code, lines: run.stdout().trimEnd().split("\n"), stderr: run.stderr() };
}

test("are listed and ended: one, all of a caller, all of one's own", async () => {
  const [first, second] = [await platform.mint([Scope.READ]), await platform.mint([Scope.READ])];
  const begin = async ({ secret }: { secret: string }, browser: string) =>
    (await createClient(AdminService, platform.as(secret)).beginSession({ browser })).session!;
  const fox = await begin(first, "Firefox");
  await begin(first, "Chrome");
  const other = await begin(second, "Edge");

  // Each sees their own, an administrator everybody's.
  const mine = await cli(first.secret, "list");
  expect([mine.code, mine.lines.length, mine.stderr]).toEqual([0, 2, "2 sessions\n"]);
  expect(mine.lines[1]).toContain(`${fox.id}  ${fox.caller}  since`);
  const denied = await cli(first.secret, "list", "--all");
  expect([denied.code === 0, denied.stderr.includes('lacks the scope "admin"')]).toEqual([false, true]);
  expect((await cli(platform.adminToken, "list", "--all")).lines).toHaveLength(3);

  expect((await cli(first.secret, "end", fox.id)).lines).toEqual([expect.stringContaining('"Firefox"')]);
  const foreign = await cli(first.secret, "end", "--caller", other.caller);
  expect([foreign.code === 0, foreign.stderr.includes('lacks the scope "admin"')]).toEqual([false, true]);
  expect((await cli(platform.adminToken, "end", "--caller", other.caller)).lines).toEqual([
    `1 session of ${other.caller} ended`,
  ]);
  expect((await cli(first.secret, "end", "--mine")).lines).toEqual([`1 session of ${fox.caller} ended`]);
  expect((await cli(platform.adminToken, "list", "--all")).stderr).toBe("0 sessions\n");

  // What is not said exactly ends nothing.
  for (const args of [[], ["--mine", fox.id], ["--caller", ""]])
    expect((await cli(first.secret, "end", ...args)).code).not.toBe(0);
}, 240_000);
