import type { Sql } from "postgres";
import { expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { useDatabase } from "../../testing/use-database.ts";
import { ConfigInForce } from "./config/in-force.ts";
import { parseNotifyConfig } from "./config/parse.ts";
import { writeConfig } from "./config/store.ts";
import { explain } from "./explain.ts";
import { NotifiedAlerts } from "./notified.ts";
import { addOverride, endOverride, overridesVersion, readOverrides } from "./oncall/store.ts";
import { SilencesInForce } from "./silences/in-force.ts";
import { addSilence, expireSilence, updateSilence } from "./silences/store.ts";

const HOUR = 3_600_000_000;
const NOW = 1_000 * HOUR;
/** What the clock of another process shows. */
const BEHIND = NOW - HOUR / 60;

describeWith(["postgres"], "what is in force", () => {
  let sql: Sql;
  useDatabase("in_force", (database) => {
    sql = database.sql;
  });

  test("is the silences, also those that a process changes whose clock is behind", async () => {
    const silences = new SilencesInForce();
    const labels = { sensor_id: "press" };
    const found = async () => (await silences.read(sql, NOW)).all({ ...labels }, NOW).map(({ comment }) => comment);
    const one = {
      matchers: [{ name: "sensor_id", operator: "=", value: "press" }] as const,
      ...{ sensorPrefix: "", author: "anna", startsUs: BEHIND - HOUR, endsUs: NOW + HOUR },
      ...{ tell: "", tellBeforeUs: 0 },
    };
    const other = [{ name: "sensor_id", operator: "=", value: "another" }] as const;
    await addSilence(sql, { ...one, matchers: other, comment: "changed last by the clock" }, NOW);
    const first = await addSilence(sql, { ...one, comment: "first" }, NOW);
    expect(await found()).toEqual(["first"]);
    const changed = { ...one, id: first.id, comment: "changed", startsUs: first.startsUs };
    expect(await updateSilence(sql, changed, BEHIND)).toMatchObject({ id: first.id });
    expect(await found()).toEqual(["changed"]);
    // Also where one is removed for another.
    await sql.begin(async (tx) => {
      await tx`delete from silence where comment = 'changed'`;
      await addSilence(tx as unknown as Sql, { ...one, comment: "second" }, BEHIND);
    });
    expect(await found()).toEqual(["second"]);
    const [{ id }] = (await sql`select id from silence where comment = 'second'`) as never as [{ id: string }];
    await expireSilence(sql, { id, sensorPrefix: "" }, BEHIND);
    expect(await found()).toEqual([]);
    const index = await silences.read(sql, NOW);
    expect(await silences.read(sql, NOW)).toBe(index);
  });

  test("is the overrides in the order in which they were made, whatever the clocks say", async () => {
    const one = { schedule: "plant", replaces: "", startsUs: NOW - HOUR, endsUs: NOW + HOUR, author: "", comment: "" };
    const names = async () => (await readOverrides(sql, { endAfterUs: NOW })).map(({ receiver }) => receiver);
    const versions = [await overridesVersion(sql)];
    await addOverride(sql, { ...one, receiver: "anna" }, NOW);
    versions.push(await overridesVersion(sql));
    const ben = await addOverride(sql, { ...one, receiver: "ben" }, BEHIND);
    versions.push(await overridesVersion(sql));
    expect(await names()).toEqual(["anna", "ben"]);
    await endOverride(sql, ben!.id, BEHIND);
    versions.push(await overridesVersion(sql));
    expect(await names()).toEqual(["anna"]);
    expect(new Set(versions).size).toBe(4);
  });

  test("is what inhibits, in lists of alerts too, also that a channel does not deliver", async () => {
    const parsed = parseNotifyConfig(`
route: { receiver: a }
receivers: [{ name: a }]
inhibit_rules: [{ source_matchers: [alertname="channel_broken"], target_matchers: [severity="low"] }]
`);
    if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
    for (const [id, labels] of [
      [-1, { alertname: "channel_broken" }],
      [7, { alertname: "anomaly_detection", severity: "low" }],
    ] as const) {
      const alert = { id: String(id), severity: "low", status: "firing", startsUs: NOW, labels, annotations: {} };
      await sql`insert into notify_alert (alert_id, alert, groups, since_us)
        values (${id}, ${JSON.stringify(alert)}::text::jsonb, '[]', ${NOW})`;
    }
    const filter = { ...{ sensorPrefix: "", receiver: "", matches: () => true }, excludeInhibited: false };
    const all = { ...filter, excludeActive: false, excludeSilenced: false };
    const range = { nowUs: NOW, belowId: Number.MAX_SAFE_INTEGER, limit: 10 };
    const listed = await new NotifiedAlerts(sql, new SilencesInForce()).list(parsed.config, all, range);
    expect(listed.map(({ id, inhibitedBy }) => [id, inhibitedBy?.id])).toEqual([[7, "-1"]]);
    await sql`delete from notify_alert`;
  });

  test("is one configuration for all, and where this version cannot read it, that and why is what is said", async () => {
    const config = new ConfigInForce();
    expect(await config.readable(sql)).toMatchObject({ stored: { revision: 0 }, config: { schedules: [] } });
    await writeConfig(sql, { after: 0, text: "route: { of: tomorrow }", appliedUs: NOW, appliedBy: "anna" });
    const unread = {
      kind: "unavailable",
      message: expect.stringMatching(/^revision 1 .* cannot be read .*: 1:8 route/),
    };
    await expect(config.readable(sql)).rejects.toMatchObject(unread);
    const asked = explain(
      sql,
      { config, silences: new SilencesInForce() },
      { alertId: 1, sensorPrefix: "", nowUs: NOW },
    );
    await expect(asked).rejects.toMatchObject(unread);
  });
});
