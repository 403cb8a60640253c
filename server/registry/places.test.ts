import type { Sql } from "postgres";
import { expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { useDatabase } from "../../testing/use-database.ts";
import { countDuePlaces, duePlaces } from "./places.ts";

describeWith(["postgres"], "sensors whose assets the log is to hear of", () => {
  let sql: Sql;
  useDatabase("places", (database) => {
    ({ sql } = database);
  });

  test("are found within the time of a statement among 20,000 others, with settings of as many assets as may have some", async () => {
    await sql`
      insert into sensor_profile (sensor_id, display_name, description, owner, runbook_url, asset, tags, attributes, revision, updated_us, updated_by)
        select 's-' || i, '', '', '', '', 'site/line ' || i % 1000 || '/pump', '[]', '{}', 1, 0, '' from generate_series(1, 20000) i`;
    await sql`insert into wanted_settings (asset, control, empty) select 'other/' || i, ''::bytea, false from generate_series(1, 9999) i`;
    const all = { sensorIds: undefined, after: "", limit: 100 };
    expect(await duePlaces(sql, all)).toEqual([]);
    await sql`insert into wanted_settings (asset, control, empty) values ('site/line 1', '', false)`;
    expect(await countDuePlaces(sql, "site", "")).toBe(20);
    expect(await countDuePlaces(sql, "site/line 10", "")).toBe(0);
    // Of sensors that a caller may not see it hears nothing.
    expect(await countDuePlaces(sql, "site", "s-1001")).toBe(1);
    expect(await countDuePlaces(sql, "site", "pump-")).toBe(0);
    const due = await duePlaces(sql, all);
    expect(due).toHaveLength(20);
    expect(due[0]).toEqual({ key: "s-1", asset: "site/line 1/pump" });
    expect(await duePlaces(sql, { ...all, sensorIds: ["s-1001", "s-2"] })).toEqual([
      { key: "s-1001", asset: "site/line 1/pump" },
    ]);
  });
});
