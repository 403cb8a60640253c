import type { Sql } from "postgres";
import { afterAll, beforeAll } from "vitest";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { Stored } from "./stored.ts";

const START_MS = 60_000;

/** A database of the tests around, with the product's tables. `given`: is given it before they run. */
export function useDatabase(
  name: string,
  given: (database: { readonly sql: Sql; readonly url: string }) => void,
): void {
  let server: TestPostgres | undefined;
  let stored: Awaited<ReturnType<typeof Stored.create>> | undefined;
  beforeAll(async () => {
    server = await startPostgres();
    stored = await Stored.create(server.url, name);
    given({ sql: stored.sql, url: stored.url });
  }, START_MS);
  afterAll(async () => {
    await stored?.close();
    await server?.stop();
  });
}
