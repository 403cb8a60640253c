/** Who may do what in an Alertmanager's place, where credentials are required. */
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPrometheus } from "../../testing/prometheus.ts";
import { type Secured, startSecured } from "../../testing/secured.ts";

let platform: Secured;
const tokens = { ingest: "", read: "", operate: "", mine: "" };
const NOBODY = "1f71c53c-7242-4992-b39f-367a39660536";

beforeAll(async () => {
  platform = await startSecured();
  tokens.ingest = (await platform.mint([Scope.INGEST])).secret;
  tokens.read = (await platform.mint([Scope.READ])).secret;
  tokens.operate = (await platform.mint([Scope.OPERATE])).secret;
  tokens.mine = (await platform.mint([Scope.INGEST, Scope.READ, Scope.OPERATE], "mine/")).secret;
});
afterAll(() => platform?.stop());

async function ask(
  path: string,
  token: string | undefined,
  body?: unknown,
  method = body === undefined ? "GET" : "POST",
) {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  const given = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(platform.http + path, { method, headers, ...given });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text), headers: response.headers };
}

const later = () => new Date(Date.now() + 3_600_000).toISOString();
const alert = (labels: Record<string, string>) => ({ labels, endsAt: later() });
const silence = (value: string) => ({
  matchers: [{ name: "alertname", value, isRegex: true }],
  ...{ startsAt: new Date().toISOString(), endsAt: later(), createdBy: "somebody else", comment: "known" },
});

test("each path needs a credential, and its own right", async () => {
  const paths: [string, string, unknown, (keyof typeof tokens)[]][] = [
    ["/api/v2/alerts", "POST", [alert({ alertname: "Right" })], ["ingest"]],
    ["/api/v2/alerts", "GET", undefined, ["read"]],
    ["/api/v2/alerts/groups", "GET", undefined, ["read"]],
    ["/api/v2/silences", "GET", undefined, ["read"]],
    ["/api/v2/status", "GET", undefined, ["read"]],
    ["/api/v2/receivers", "GET", undefined, ["read"]],
    [`/api/v2/silence/${NOBODY}`, "GET", undefined, ["read"]],
    ["/api/v2/silences", "POST", silence("Right"), ["operate"]],
    [`/api/v2/silence/${NOBODY}`, "DELETE", undefined, ["operate"]],
  ];
  for (const [path, method, body, allowed] of paths) {
    const without = await ask(path, undefined, body, method);
    expect([path, without.status, without.body.code]).toEqual([path, 401, 401]);
    expect(without.headers.get("www-authenticate")).toBe("Bearer");
    for (const name of ["ingest", "read", "operate"] as const) {
      const { status } = await ask(path, tokens[name], body, method);
      const wanted = allowed.includes(name) ? (path.endsWith(NOBODY) ? 404 : 200) : 403;
      expect([path, name, status]).toEqual([path, name, wanted]);
    }
  }
  for (const path of ["/-/healthy", "/-/ready"]) expect((await fetch(platform.http + path)).status).toBe(200);
});

test("the configuration is shown to administrators alone", async () => {
  const original = async (token: string) => (await ask("/api/v2/status", token)).body.config.original;
  expect(await original(platform.adminToken)).toContain("receiver: nobody");
  expect(await original(tokens.read)).toMatch(/^# The configuration is shown to the scope admin alone/);
});

test("a silence is of whoever calls, whatever name is sent along", async () => {
  const { body } = await ask("/api/v2/silences", tokens.operate, silence("Named"));
  const listed = (await ask(`/api/v2/silence/${body.silenceID}`, tokens.read)).body;
  expect(listed.createdBy).toMatch(/^token:/);
});

test("a token for some sensors sends, sees, silences and acknowledges what has their label alone", async () => {
  const foreign = [alert({ alertname: "Foreign" }), alert({ alertname: "Foreign", sensor_id: "theirs/1" })];
  const mixed = await ask("/api/v2/alerts", tokens.mine, [
    ...foreign,
    alert({ alertname: "Own", sensor_id: "mine/1" }),
  ]);
  expect(mixed.status).toBe(403);
  expect(mixed.body).toMatch(/need a label sensor_id within "mine\/", and this one has none; .*has "theirs\/1"/);
  expect((await ask("/api/v2/alerts", platform.adminToken, foreign)).status).toBe(200);
  const names = async (token: string, path = "/api/v2/alerts?filter=alertname=~%22Own|Foreign%22") =>
    (await ask(path, token)).body.map(({ labels }: { labels: { alertname: string } }) => labels.alertname).sort();
  expect(await names(tokens.mine)).toEqual(["Own"]);
  expect(await names(platform.adminToken)).toEqual(["Foreign", "Foreign", "Own"]);
  const groups = (await ask("/api/v2/alerts/groups", tokens.mine)).body;
  expect(groups.map(({ alerts }: { alerts: unknown[] }) => alerts.length)).toEqual([1]);

  const all = (await ask("/api/v2/silences", platform.adminToken, silence(".*eign|Own"))).body.silenceID;
  const own = (await ask("/api/v2/silences", tokens.mine, silence("Fore.*|Own"))).body.silenceID;
  expect((await ask(`/api/v2/silence/${all}`, tokens.mine)).status).toBe(404);
  expect((await ask(`/api/v2/silence/${all}`, tokens.mine, undefined, "DELETE")).status).toBe(404);
  expect((await ask("/api/v2/silences", tokens.mine, { ...silence("x"), id: all })).status).toBe(404);
  const [seen] = (await ask("/api/v2/alerts", tokens.mine)).body;
  expect(seen.status).toMatchObject({ state: "suppressed", silencedBy: [own] });
  const [untouched] = (await ask("/api/v2/alerts?filter=sensor_id=theirs/1", platform.adminToken)).body;
  expect(untouched.status.silencedBy).toEqual([all]);

  const as = (token: string) => createClient(NotificationService, platform.as(token));
  const { alerts } = await as(platform.adminToken).listNotifiedAlerts({});
  const idOf = (sensorId: string) => alerts.find(({ labels }) => labels.sensor_id === sensorId)!.alertId;
  await expect(as(tokens.mine).acknowledgeReceivedAlert({ alertId: idOf("theirs/1") })).rejects.toThrow(/there is no/);
  await expect(as(tokens.mine).explainNotification({ alertId: idOf("theirs/1") })).rejects.toThrow(/there is no/);
  const { acknowledgedBy } = await as(tokens.mine).acknowledgeReceivedAlert({ alertId: idOf("mine/1") });
  expect(acknowledgedBy).toMatch(/^token:/);
});

describeWith(["prometheus"], "an unchanged Prometheus with a credential", () => {
  test("sends its alerts", async () => {
    const prometheus = await startPrometheus(platform.http, tokens.ingest);
    try {
      prometheus.show(90);
      const names = async () => (await ask("/api/v2/alerts?filter=alertname=HighTemp", tokens.read)).body.length;
      await expect.poll(names).toBe(1);
    } finally {
      await prometheus.stop();
    }
  });
});
