import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { runCli } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";
import { startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";

interface Body {
  readonly status: string;
  readonly escalation?: { readonly name: string; readonly step: number };
  readonly alerts: readonly { readonly labels: Record<string, string> }[];
}

describe("escalations and on-call", () => {
  let platform: Platform;
  let sink: WebhookSink;
  let folder: string;
  let notifications: Client<typeof NotificationService>;
  const client = <S extends Parameters<typeof createClient>[0]>(service: S) =>
    createClient(service, createGrpcTransport({ baseUrl: platform.grpc }));
  const start = async () => {
    platform = await startPlatform({ NOTIFY_ALLOWED_HOSTS: "127.0.0.1", DATA_DIR: folder });
    notifications = client(NotificationService);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-oncall-"));
    sink = await startWebhookSink();
    await start();
    const file = join(folder, "notify.yml");
    await writeFile(file, configuration());
    const run = runCli("notify", "apply", file, "--url", platform.grpc);
    expect(await run.ended, run.stderr()).toBe(0);
  });
  afterAll(async () => {
    await platform?.stop();
    await sink?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const configuration = () => `
route: { receiver: team, group_by: [sensor_id], group_wait: 0s, group_interval: 1s, escalation: standard }
receivers:
${["team", "anna", "ben", "lead"].map((name) => `  - { name: ${name}, webhook_configs: [{ url: "${sink.url}/${name}" }] }`).join("\n")}
schedules:
  - name: plant
    time_zone: Europe/Berlin
    rotations: [{ receivers: [anna], start: 2026-01-05 08:00, shift: 1w }]
escalations:
  - name: standard
    steps: [{ after: 2s, schedules: [plant] }, { after: 4s, receivers: [lead] }]
`;

  const told = (name: string, sensor: string, status: string) =>
    sink.find(({ path, body }) => {
      const { status: is, alerts } = JSON.parse(String(body)) as Body;
      return path === `/${name}` && is === status && alerts[0]?.labels.sensor_id === sensor;
    });
  const pathsOf = (sensor: string) =>
    sink.posted
      .filter(({ body }) => (JSON.parse(String(body)) as Body).alerts[0]?.labels.sensor_id === sensor)
      .map(({ path }) => path);

  async function open(sensorId: string): Promise<bigint> {
    const count = 120;
    const values = Array.from({ length: count }, (_, i) => (i === count - 1 ? 500 : 20 + Math.sin(i) / 10));
    const block = {
      ...{ sensorId, sensorType: "pressure", unit: "bar", values, timeDeltasUs: Array(count).fill(1_000_000) },
      baseTimeUs: BigInt(Date.now() - count * 1_000) * 1_000n,
    };
    await client(IngestService).submitReadings({ blocks: [block] });
    const { alerts } = await client(AlertService).listAlerts({ sensorId });
    expect(alerts).toHaveLength(1);
    return alerts[0]!.id;
  }

  test("whoever is on call is told of what nobody acknowledges, through kill -9, and all hear of the end", async () => {
    const alertId = await open("press");
    await told("team", "press", "firing");
    await end(platform.process, "SIGKILL");
    await start();
    const first = JSON.parse(String((await told("anna", "press", "firing")).body)) as Body;
    expect(first.escalation).toEqual({ name: "standard", step: 1 });
    await told("lead", "press", "firing");
    const { reasons } = await notifications.explainNotification({ alertId });
    expect(reasons).toContain(
      "Step 1 of the escalation standard tells anna (on call for plant) after 2s, unless it is acknowledged before.",
    );
    await client(AlertService).resolveAlert({ alertId });
    await Promise.all(["team", "anna", "lead"].map((name) => told(name, "press", "resolved")));
  });

  test("nobody more is told once it is acknowledged", async () => {
    const alertId = await open("pump");
    await told("team", "pump", "firing");
    await client(AlertService).acknowledgeAlert({ alertId });
    // Told after it in either step, had it not been acknowledged.
    await open("later");
    await told("lead", "later", "firing");
    expect(pathsOf("pump")).toEqual(["/team"]);
    const { reasons } = await notifications.explainNotification({ alertId });
    expect(reasons).toContain("It is acknowledged: the escalation standard notifies nobody any more.");
  });

  test("overrides take over, by the command line too", async () => {
    const oncall = (...args: string[]) => runCli("oncall", ...args, "--url", platform.grpc);
    const before = oncall("show");
    expect(await before.ended).toBe(0);
    expect(before.stdout()).toBe("plant (Europe/Berlin): anna\n");
    const made = oncall("override", "plant", "ben", "--for", "1h", "--comment", "a swap");
    expect(await made.ended, made.stderr()).toBe(0);
    const after = oncall("show");
    expect(await after.ended).toBe(0);
    expect(after.stdout()).toBe("plant (Europe/Berlin): ben (override)\n");
    const alertId = await open("valve");
    await told("ben", "valve", "firing");
    const id = made.stdout().split(" ")[0]!;
    const asked = await fetch(`${platform.http}/api/v1/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "{ onCall { onCall { receiver overrideId } } onCallOverrides { id receiver } }" }),
    });
    expect(await asked.json()).toEqual({
      data: { onCall: [{ onCall: [{ receiver: "ben", overrideId: id }] }], onCallOverrides: [{ id, receiver: "ben" }] },
    });
    const ended = oncall("end", id);
    expect(await ended.ended).toBe(0);
    expect((await notifications.getOnCall({})).schedules[0]?.onCall).toMatchObject([{ receiver: "anna" }]);
    expect((await notifications.listOverrides({})).overrides).toEqual([]);
    // Whoever took over heard that it opened.
    await told("anna", "valve", "firing");
    await client(AlertService).resolveAlert({ alertId });
    await Promise.all(["team", "anna", "ben"].map((name) => told(name, "valve", "resolved")));
    const wrong = oncall("override", "plant", "bem", "--for", "1h");
    expect(await wrong.ended).toBe(1);
    expect(wrong.stderr()).toContain('there is no receiver "bem"; did you mean ben?');
  });

  test("shifts are printed, and as a calendar that is the same when it is made again", async () => {
    const args = ["oncall", "shifts", "plant", "--from", "2026-12-01T00:00:00Z", "--days", "7", "--url", platform.grpc];
    const lines = runCli(...args);
    expect(await lines.ended).toBe(0);
    expect(lines.stdout()).toBe("2026-12-01T00:00Z to 2026-12-08T00:00Z  anna\n");
    const [one, two] = [runCli(...args, "--ical"), runCli(...args, "--ical")];
    expect([await one.ended, await two.ended]).toEqual([0, 0]);
    expect(one.stdout()).toMatch(/^BEGIN:VCALENDAR\r\n.*DTSTART:20261201T000000Z\r\n.*END:VCALENDAR\r\n$/s);
    expect(two.stdout()).toBe(one.stdout());
    const missing = runCli("oncall", "shifts", "plants", "--url", platform.grpc);
    expect(await missing.ended).toBe(1);
    expect(missing.stderr()).toContain('there is no schedule "plants"; did you mean plant?');
  });
});
