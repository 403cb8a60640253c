import type { Sql } from "postgres";
import { expect, test } from "vitest";
import { describeWith } from "../../../testing/needs.ts";
import { notifiedAlert } from "../../../testing/notification.ts";
import { useDatabase } from "../../../testing/use-database.ts";
import { silentLogger } from "../../observe/logger.ts";
import { transaction } from "../../postgres/transaction.ts";
import type { NotifyConfig } from "../config/config.ts";
import { parseNotifyConfig } from "../config/parse.ts";
import { addSilence } from "./store.ts";
import { tellOfSilences } from "./tell.ts";

const MINUTE_US = 60e6;
const NOW_US = 1.7e15;
const { config } = parseNotifyConfig(`
route: { receiver: all }
receivers: [{ name: all, webhook_configs: [{ url: 'http://example.test/' }] }]
`) as { config: NotifyConfig };

describeWith(["postgres"], "silences that are to tell of their end", () => {
  let sql: Sql;
  useDatabase("tell", (database) => {
    sql = database.sql;
  });

  test("one that hides something does, however many that hide nothing end before it", async () => {
    const times = { startsUs: NOW_US - MINUTE_US, tellBeforeUs: 15 * MINUTE_US };
    for (let i = 0; i < 30; i++) {
      const matchers = [{ name: "sensor_id", operator: "=", value: `s${i}` }] as const;
      const about = { matchers, sensorPrefix: "", author: "ann", comment: `${i}`, tell: "all" };
      await addSilence(sql, { ...about, ...times, endsUs: NOW_US + MINUTE_US + i }, NOW_US);
    }
    const open = { ...notifiedAlert({ labels: { sensor_id: "s29" } }), severity: "high", isAcknowledged: false };
    const look = () =>
      transaction(sql, (tx) =>
        tellOfSilences(tx, {
          ...{ config, externalUrl: "", logger: silentLogger(), openAlerts: () => [open], nowUs: NOW_US },
        }),
      );
    await look();
    await look();
    const told = await sql`select message->'commonAnnotations'->>'summary' as summary from notify_delivery`;
    expect(told.map(({ summary }) => summary)).toEqual(["Silence ends: 29"]);
  }, 30_000);
});
