/** A configuration in force that another version took: what the command line, the API and the metrics say of it. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { writeConfig } from "../../server/notify/config/store.ts";
import { runCli } from "../../testing/cli.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { useDatabase } from "../../testing/use-database.ts";

const configuration = (title: string) => `
route: { receiver: team }
receivers:
  - name: team
    slack_configs: [{ api_url: 'https://hooks.example.com/hunter2', title: '${title}' }]
`;

describeWith(["postgres"], "a configuration of another version", () => {
  let sql: Sql;
  let url: string;
  let platform: Platform;
  useDatabase("notify_upgrade", (database) => {
    ({ sql, url } = database);
  });
  beforeAll(async () => {
    await apply(0, configuration('{{ printf "%#v" .Status }}'));
    platform = await startPlatform({ DATABASE_URL: url });
  });
  afterAll(() => platform?.stop());

  const apply = (after: number, text: string) => writeConfig(sql, { after, text, appliedUs: 1, appliedBy: "anna" });
  const client = () => createClient(NotificationService, createGrpcTransport({ baseUrl: platform.grpc }));
  const show = async () => {
    const run = runCli("notify", "show", "--url", platform.grpc);
    expect(await run.ended).toBe(0);
    expect(run.stdout()).toContain("api_url: https://hooks.example.com/<secret>");
    return run.stderr();
  };
  const gauge = async () =>
    /^telltale_notify_config_problems (\d+)$/m.exec(
      await (await fetch(`${platform.http}/api/v1/monitoring/metrics`)).text(),
    )?.[1];

  test("is shown with what cannot be read, and what stands in its place", async () => {
    expect(await show()).toMatch(/texts and defaults stand in .*\nrevision 1:5:\d+: receivers\[0\].*printf has .*%#v/);
    const { receivers, problems, usedRevision } = await client().getNotificationConfig({});
    expect([receivers.map(({ name }) => name), usedRevision]).toEqual([["team"], 1n]);
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining("%#v")]);
    expect(await client().getNotificationStatus({})).toMatchObject({ receivers: ["team"], configProblems: 1 });
    await expect.poll(gauge).toBe("1");
  });

  test("is shown with the revision by which people are notified instead", async () => {
    await apply(1, `${configuration("x")}tomorrow: true\n`);
    expect(await show()).toMatch(/notified by revision 1\..*\nrevision 2:6:1: tomorrow: "tomorrow" is no setting/);
    const { receivers, usedRevision } = await client().getNotificationConfig({});
    expect([receivers.map(({ name }) => name), usedRevision]).toEqual([["team"], 1n]);
  });

  test("is over with the next one that is applied", async () => {
    await client().setNotificationConfig({ text: configuration("y") });
    expect(await show()).not.toMatch(/cannot read/);
    await expect.poll(gauge).toBe("0");
  });
});
