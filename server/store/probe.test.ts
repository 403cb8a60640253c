import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { freePort } from "../../testing/processes.ts";
import { StartupError } from "../errors.ts";
import { probeDatabase } from "./probe.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 120_000);
afterAll(() => postgres.stop());

async function refusal(url: string): Promise<string> {
  const refused = await probeDatabase(url).catch((error: unknown) => error);
  expect(refused, url).toBeInstanceOf(StartupError);
  return (refused as Error).message;
}

test("a database that answers is taken", async () => {
  await probeDatabase(postgres.url);
  await probeDatabase(postgres.socketUrl);
});

test("one that does not is refused within seconds, with what to do, the address and no password", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void silent.close());
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  const addresses = [
    [`postgres://me:secret@127.0.0.1:${await freePort()}/plant`, /cannot be reached: start it, .*ECONNREFUSED/],
    [`postgres://me:secret@127.0.0.1:${port}/plant`, /cannot be reached: .*(no answer within 8 s|TIMEOUT)/],
    ["postgres://me:secret@no-such-host.invalid/plant", /cannot be reached: .*(ENOTFOUND|EAI_AGAIN)/],
    ["postgres://me:secret@%2Fnowhere/plant", /cannot be reached: .*ENOENT/],
    [`postgres://telltale:secret@127.0.0.1:${postgres.port}/plant`, /does not exist: create it, or correct the name/],
    [`postgres://stranger:secret@127.0.0.1:${postgres.port}/postgres`, /refuses the user: correct user and password/],
  ] as const;
  for (const [url, why] of addresses) {
    const asked = performance.now();
    const message = await refusal(url);
    expect(performance.now() - asked).toBeLessThan(20_000);
    expect(message).toMatch(/^DATABASE_URL is "postgres:\/\/\*\*\*@[^"]*", and that database .*\.$/);
    expect(message).toMatch(why);
    expect(message).not.toContain("secret");
    expect(message.split("\n")).toHaveLength(1);
  }
});
