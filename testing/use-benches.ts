import { afterAll, afterEach, beforeAll } from "vitest";
import { Bench } from "./owner-bench.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

/** Benches of the tests around on one server, each closed when its test has ended. `before`: runs once the server is there. */
export function useBenches(before: (url: string) => Promise<void> = async () => {}): () => Promise<Bench> {
  let postgres: TestPostgres;
  const benches: Bench[] = [];
  beforeAll(async () => {
    postgres = await startPostgres();
    await before(postgres.url);
  }, 60_000);
  afterAll(() => postgres.stop());
  afterEach(async () => {
    await Promise.all(benches.splice(0).map((bench) => bench.close()));
  });
  return async () => {
    const bench = await Bench.open(postgres.url);
    benches.push(bench);
    return bench;
  };
}
