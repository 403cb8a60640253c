import type { Sql } from "postgres";
import { expect, test } from "vitest";
import { describeWith } from "../../../testing/needs.ts";
import { useDatabase } from "../../../testing/use-database.ts";
import { systemClock } from "../../clock.ts";
import { silentLogger } from "../../observe/logger.ts";
import type { Channel } from "../channel.ts";
import { SEARCH_LAG_MS } from "../channels/jira.ts";
import { parseNotifyConfig } from "../config/parse.ts";
import { Sender } from "./sender.ts";
import { testMessage } from "./test-message.ts";
import { sendTest } from "./trial.ts";

const HTTP = "http_config: {authorization: {credentials: x}}";
const CONFIG = `
route: {receiver: a}
receivers:
- name: a
  pagerduty_configs: [{routing_key: x}]
  jira_configs: [{api_url: 'http://127.0.0.1:9/rest/api/2', project: OPS, issue_type: Bug, ${HTTP}}]
`;

describeWith(["postgres"], "the test of a receiver", () => {
  let sql: Sql;
  useDatabase("trial", (database) => {
    sql = database.sql;
  });

  test("ends what it opened, an issue of Jira only once it is found there", async () => {
    const read = parseNotifyConfig(CONFIG);
    if ("problems" in read) throw new Error(JSON.stringify(read.problems));
    const channel: Channel = { kind: "x", send: async () => ({ kind: "ok" }), async close() {} };
    const sender = new Sender({
      ...{ sql, clock: systemClock, logger: silentLogger(), onAttempt: () => {} },
      ...{ channelOf: () => channel, receiverOf: () => undefined, isHeld: () => false },
      prepare: async ({ message }) => message,
    });
    const message = testMessage("a", systemClock.nowUs());
    const { channels } = read.config.receivers[0]!;
    const sending = sendTest(sql, { message, channels }, { clock: systemClock, signal: new AbortController().signal });
    await expect.poll(async () => (await sql`select 1 from notify_delivery`).length).toBe(2);
    sender.look(true);
    expect((await sending).map(({ kind, delivered }) => [kind, delivered])).toEqual([
      ["pagerduty", true],
      ["jira", true],
    ]);
    await sender.close();
    const ends = await sql`select kind, next_us - created_us as waits from notify_delivery
      where key = ${`${message.key}/over`} order by kind`;
    expect(ends).toMatchObject([{ kind: "jira", waits: SEARCH_LAG_MS * 1_000 }, { kind: "pagerduty" }]);
    expect(ends[1]!.waits).toBeLessThan(0);
  });
});
