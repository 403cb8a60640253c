/** Migrations that change what people made, from a database of the version before. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { openStoreSql } from "../store/postgres.ts";
import { MIGRATIONS, migrate } from "./migrate.ts";

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server?.stop());

let databases = 0;
/** A database as the program before the migration left it. */
async function before(number: number, use: (sql: Sql) => Promise<void>): Promise<void> {
  const name = `migrated_${databases++}`;
  const admin = openStoreSql(server.url, 1);
  await admin.unsafe(`create database ${name}`);
  await admin.end();
  const sql = openStoreSql(server.url.replace(/[^/]*$/, name), 2);
  const folder = await mkdtemp(join(tmpdir(), "telltale-migrations-"));
  try {
    for (const file of await readdir(MIGRATIONS)) {
      if (Number(file.slice(0, 3)) < number)
        await writeFile(join(folder, file), await readFile(join(MIGRATIONS, file)));
    }
    await migrate(sql, folder);
    await use(sql);
  } finally {
    await sql.end();
    await rm(folder, { recursive: true });
  }
}

test("tokens that were made while nobody was asked for a credential end, all others go on", async () => {
  await before(75, async (sql) => {
    const token = (id: string, revoked: string | null = null) =>
      sql`insert into api_token (id, name, secret_hash, scopes, revoked_at) values (${id}, ${id}, '', 4, ${revoked})`;
    const made = (id: string, principal: string, action = "token.create") =>
      sql`insert into audit_event (principal, action, target, detail) values (${principal}, ${action}, ${`token ${id}`}, '')`;
    await token("of-nobody");
    await made("of-nobody", "anonymous");
    await token("of-nobody-too");
    await made("of-nobody-too", "anonymous");
    await token("ended", "2026-01-01T00:00:00Z");
    await made("ended", "anonymous");
    await token("of-ann");
    await made("of-ann", "ann");
    // Its maker is known; only its end was asked for by nobody, and did not come about.
    await token("of-bob");
    await made("of-bob", "bob");
    await made("of-bob", "anonymous", "token.revoke");
    // From before there was a record of who made it.
    await token("unrecorded");
    // A name that only looks like another's.
    await token("nobody");

    const started = Date.now();
    await migrate(sql);
    const rows = await sql`select id, revoked_at from api_token order by id`;
    const ends = new Map(rows.map((r) => [r.id as string, r.revoked_at as Date | null]));
    expect([...ends].filter(([, end]) => end !== null).map(([id]) => id)).toEqual([
      "ended",
      "of-nobody",
      "of-nobody-too",
    ]);
    expect(ends.get("ended")?.toISOString()).toBe("2026-01-01T00:00:00.000Z");
    expect(ends.get("of-nobody")!.getTime()).toBeGreaterThan(started - 60_000);

    // Only once: what is made from now on is made by somebody, and a later start changes nothing.
    await token("later");
    await made("later", "anonymous");
    await migrate(sql);
    expect(await sql`select revoked_at from api_token where id = 'later'`).toEqual([{ revoked_at: null }]);
  });
});

test("a database of a newer program is refused, and left as it is", async () => {
  await before(71, async (sql) => {
    await migrate(sql);
    await sql`insert into schema_version (number, name) values (999, '999_future.sql')`;
    await expect(migrate(sql)).rejects.toThrow("The database has schema 999, this program knows up to");
  });
});
