/** In an Alertmanager's place, with the programs that people have: Prometheus, amtool, and Alertmanager itself as the oracle. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { MAX_OPEN_RECEIVED_ALERTS } from "../../server/notify/received/limits.ts";
import { startAlertmanager } from "../../testing/alertmanager.ts";
import { runCli } from "../../testing/cli.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";
import { startPrometheus } from "../../testing/prometheus.ts";
import { Random } from "../../testing/random.ts";
import { fill } from "../../testing/secured.ts";
import { startVmalert } from "../../testing/vmalert.ts";
import { type Posted, startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";

const run = promisify(execFile);

interface Told {
  readonly status: string;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Record<string, string>;
    readonly annotations: Record<string, string>;
    readonly generatorURL: string;
    readonly fingerprint: string;
  }[];
}

interface Listed {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly fingerprint: string;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly receivers: readonly { readonly name: string }[];
  readonly status: { readonly state: string; readonly silencedBy: string[]; readonly inhibitedBy: string[] };
}

let platform: Platform;
let sink: WebhookSink;
let folder: string;
const environment = { NOTIFY_ALLOWED_HOSTS: "127.0.0.1" };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-alertmanager-"));
  sink = await startWebhookSink();
  platform = await startPlatform({ ...environment, DATA_DIR: folder });
  await apply();
});
afterAll(async () => {
  await platform?.stop();
  await sink?.close();
  await rm(folder, { recursive: true, force: true });
});

const routing = `
route:
  receiver: plant
  group_by: [alertname]
  group_wait: 0s
  group_interval: 200ms
  routes:
    - matchers: ['team="night"']
      receiver: night
inhibit_rules:
  - source_matchers: ['alertname="Down"']
    target_matchers: ['alertname="Slow"']
    equal: [node]`;

const notifications = () => createClient(NotificationService, createGrpcTransport({ baseUrl: platform.grpc }));

async function apply(): Promise<void> {
  const receivers = ["plant", "night"].map(
    (name) => `  - name: ${name}\n    webhook_configs: [{ url: "${sink.url}/${name}" }]\n`,
  );
  const text = `global: { resolve_timeout: 1h }\n${routing}\nreceivers:\n${receivers.join("")}`;
  expect((await notifications().setNotificationConfig({ text })).problems).toEqual([]);
}

const toldBy = ({ body }: Posted) => JSON.parse(String(body)) as Told;
/** The first message that has an alert of this name and state. */
async function told(alertname: string, status: string) {
  const isIt = (each: Told["alerts"][number]) => each.labels.alertname === alertname && each.status === status;
  return toldBy(await sink.find((posted) => toldBy(posted).alerts.some(isIt))).alerts.find(isIt)!;
}

function post(path: string, body: unknown, base = platform.http) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(`${base}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: text });
}

async function alerts(query = "", base = platform.http): Promise<Listed[]> {
  const response = await fetch(`${base}/api/v2/alerts${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Listed[];
}

const minutes = (count: number) => new Date(Date.now() + count * 60_000).toISOString();

describeWith(["prometheus"], "an unchanged Prometheus", () => {
  test("has its alert told when it fires and when it stops, with its labels, annotations and the place it names", async () => {
    const prometheus = await startPrometheus(platform.http);
    try {
      prometheus.show(93.5);
      const firing = await told("HighTemp", "firing");
      expect(firing.labels).toMatchObject({ boiler: "7", severity: "critical", job: "plant" });
      expect(firing.annotations).toEqual({ summary: "boiler 7 is at 93.5" });
      expect(firing.generatorURL).toContain("/graph?g0.expr=boiler_temperature");
      const [listed] = await alerts("?filter=alertname=HighTemp");
      expect(listed).toMatchObject({ fingerprint: firing.fingerprint, receivers: [{ name: "plant" }] });
      prometheus.show(20);
      expect(await told("HighTemp", "resolved")).toMatchObject({ fingerprint: firing.fingerprint });
      expect(await alerts("?filter=alertname=HighTemp")).toEqual([]);
      const messages = sink.posted.map(toldBy).filter((each) => each.alerts[0]!.labels.alertname === "HighTemp");
      expect(messages.map(({ status }) => status)).toEqual(["firing", "resolved"]);
    } finally {
      await prometheus.stop();
    }
  });
});

describeWith(["vmalert", "prometheus"], "an unchanged vmalert", () => {
  test("has its alert told when it fires and when it stops", async () => {
    const prometheus = await startPrometheus(undefined);
    const vmalert = await startVmalert(prometheus.url, platform.http);
    try {
      prometheus.show(93.5);
      expect(await told("VmHighTemp", "firing")).toMatchObject({ annotations: { summary: "boiler 7 is at 93.5" } });
      prometheus.show(20);
      await told("VmHighTemp", "resolved");
    } finally {
      await vmalert.stop();
      await prometheus.stop();
    }
  });
});

test("what was answered survives the death of the process, and is told to be open and over", async () => {
  const stay = Array.from({ length: 50 }, (_, i) => ({
    labels: { alertname: "Kill", n: `${i}` },
    endsAt: minutes(60),
  }));
  const [answered, silenced] = await Promise.all([
    post("/api/v2/alerts", stay),
    post("/api/v2/silences", {
      matchers: [{ name: "alertname", value: "Quiet", isRegex: false }],
      ...{ startsAt: minutes(0), endsAt: minutes(60), createdBy: "ann", comment: "known" },
    }),
  ]);
  expect([answered.status, silenced.status]).toEqual([200, 200]);
  const { silenceID } = (await silenced.json()) as { silenceID: string };
  await end(platform.process, "SIGKILL");
  platform = await startPlatform({ ...environment, DATA_DIR: folder });
  expect(await alerts("?filter=alertname=Kill")).toHaveLength(50);
  expect(await (await fetch(`${platform.http}/api/v2/silence/${silenceID}`)).json()).toMatchObject({
    createdBy: "ann",
  });
  await told("Kill", "firing");
  // A third are sent as over, and the process dies again before it tells of it.
  const over = stay.slice(0, 17).map(({ labels }) => ({ labels, endsAt: minutes(0) }));
  expect((await post("/api/v2/alerts", over)).status).toBe(200);
  await end(platform.process, "SIGKILL");
  platform = await startPlatform({ ...environment, DATA_DIR: folder });
  expect(await alerts("?filter=alertname=Kill")).toHaveLength(33);
  const states = () =>
    sink.posted.map(toldBy).flatMap((each) => each.alerts.filter(({ labels }) => labels.alertname === "Kill"));
  const named = (status: string) =>
    new Set(
      states()
        .filter((each) => each.status === status)
        .map((each) => each.labels.n),
    );
  await expect.poll(() => named("resolved").size).toBe(17);
  expect(named("firing").size).toBe(50);
}, 120_000);

test("an alert is explained, acknowledged and listed by the command line", async () => {
  await post("/api/v2/alerts", [{ labels: { alertname: "Slow", node: "a" }, endsAt: minutes(60) }]);
  await told("Slow", "firing");
  await post("/api/v2/alerts", [{ labels: { alertname: "Down", node: "a" }, endsAt: minutes(60) }]);
  await told("Down", "firing");
  const cli = async (...args: string[]) => {
    const each = runCli(...args, "--url", platform.grpc);
    expect(await each.ended, each.stderr()).toBe(0);
    return each.stdout();
  };
  const line = await cli("notify", "alerts", "alertname=Slow");
  expect(line).toMatch(/^\d+ {2}2\S+Z {2}alertname="Slow",node="a" {2}to plant {2}kept back by alert \d+\n$/);
  const id = line.split(" ")[0]!;
  const why = await cli("notify", "explain", id);
  expect(why).toContain("Route 0 tells plant, in the group of ");
  expect(why).toMatch(/Alert \d+ inhibits it\./);
  expect(why).toMatch(/A message to plant by webhook was taken at/);
  expect(await cli("notify", "acknowledge", id)).toBe(`${id}: acknowledged by anonymous\n`);
  expect(await cli("notify", "alerts", "alertname=Slow", "--receiver", "pl.*")).toMatch(/ acknowledged\n$/);
  expect(await cli("notify", "alerts", "alertname=Slow", "--receiver", "night")).toBe("");
  const [slow] = await alerts("?filter=alertname=Slow");
  const [down] = await alerts("?filter=alertname=Down");
  expect(slow!.status).toEqual({ state: "suppressed", silencedBy: [], inhibitedBy: [down!.fingerprint] });
  expect(await alerts("?filter=alertname=Slow&inhibited=false")).toEqual([]);
  expect(await cli("token", "audit")).toContain(`received alert ${id}`);
});

test("alerts of sensors are among them, and are silenced like the others", async () => {
  await fill(createGrpcTransport({ baseUrl: platform.grpc }), "press");
  const own = () => alerts("?filter=sensor_id=press");
  await expect
    .poll(own)
    .toMatchObject([
      { labels: { alertname: "anomaly_detection", sensor_type: "temperature" }, status: { state: "active" } },
    ]);
  const [alert] = await own();
  expect(alert!.receivers).toEqual([{ name: "plant" }]);
  expect(Date.parse(alert!.endsAt)).toBeGreaterThan(Date.now());
  const told = () => sink.posted.map(toldBy).flatMap((each) => each.alerts.map(({ fingerprint }) => fingerprint));
  await expect.poll(told).toContain(alert!.fingerprint);
  const answer = await post("/api/v2/silences", {
    matchers: [{ name: "sensor_id", value: "press", isRegex: false }],
    ...{ startsAt: minutes(0), endsAt: minutes(60), createdBy: "ann", comment: "known" },
  });
  const { silenceID } = (await answer.json()) as { silenceID: string };
  expect(await own()).toMatchObject([{ status: { state: "suppressed", silencedBy: [silenceID] } }]);
  expect(await alerts("?filter=sensor_id=press&silenced=false")).toEqual([]);
});

test("an alert that is not sent again is over at its end, or at the resolve timeout of the configuration", async () => {
  const endsAt = new Date(Date.now() + 1_500).toISOString();
  await post("/api/v2/alerts", [{ labels: { alertname: "Brief" }, endsAt }, { labels: { alertname: "Open" } }]);
  await told("Brief", "firing");
  const [open] = await alerts("?filter=alertname=Open");
  expect(Date.parse(open!.endsAt) - Date.parse(open!.startsAt)).toBe(3_600_000);
  await told("Brief", "resolved");
});

test("good alerts of a call are taken beside bad ones, and the answer says what is wrong with those", async () => {
  const good = { labels: { alertname: "Good", empty: "" }, endsAt: minutes(60) };
  const bad = [{ labels: {} }, { labels: { alertname: "Bad" }, generatorURL: "no url" }];
  const answer = await post("/api/v2/alerts", [bad[0], good, bad[1]]);
  expect([answer.status, await answer.json()]).toEqual([
    400,
    'at least one label pair required; invalid generatorURL "no url": it is no URL',
  ]);
  expect(await alerts("?filter=alertname=~%22Good|Bad%22")).toMatchObject([{ labels: { alertname: "Good" } }]);
  const metrics = await (await fetch(`${platform.http}/api/v1/monitoring/metrics`)).text();
  expect(metrics).toMatch(/telltale_received_alerts_total\{outcome="refused"\} [1-9]/);
});

test("a body that is too large, and one too deep, are refused, and the platform goes on", async () => {
  const large = JSON.stringify([{ labels: { a: "x".repeat(2 << 20) } }]);
  expect((await post("/api/v2/alerts", large)).status).toBe(413);
  expect((await post("/api/v2/alerts", "[".repeat(100_000))).status).toBe(400);
  const many = Array.from({ length: 2_001 }, () => ({ labels: { a: "b" } }));
  expect((await post("/api/v2/alerts", many)).status).toBe(400);
  for (const path of ["/-/healthy", "/-/ready"]) {
    const answer = await fetch(platform.http + path);
    expect([answer.status, await answer.text()]).toEqual([200, "OK"]);
  }
});

test("a page of another site can neither send alerts nor silence any", async () => {
  for (const [path, method] of [
    ["/api/v2/alerts", "POST"],
    ["/api/v2/silences", "POST"],
    ["/api/v2/silence/1f71c53c-7242-4992-b39f-367a39660536", "DELETE"],
  ] as const) {
    const headers = { origin: "https://evil.example", "content-type": "application/json" };
    expect((await fetch(platform.http + path, { method, headers })).status).toBe(403);
  }
});

describe.each([
  ["Debian's amtool 0.25", "amtool"],
  ["today's amtool", "amtool-current"],
])("%s", (_, tool) =>
  describeWith([tool], "as people use it", () => {
    // Each has alerts of its own.
    const [leak, noise, early] = ["Leak", "Noise", "Early"].map((name) => `${name}By${tool.replace("-", "")}`) as [
      string,
      string,
      string,
    ];

    async function amtool(...args: string[]): Promise<string> {
      const all = [`--alertmanager.url=${platform.http}`, "--no-version-check", ...args];
      const { stdout } = await run(program(tool)!, all, { env: { ...process.env, TZ: "UTC", HOME: folder } });
      return stdout;
    }
    const json = async (...args: string[]) => JSON.parse(await amtool(...args, "-o", "json"));

    test("adds an alert, lists it and finds it by matchers, state and receiver", async () => {
      await amtool("alert", "add", leak, "node=a", "team=night", "--annotation=summary=water", `--end=${minutes(60)}`);
      expect(await amtool("alert", "query", leak)).toMatch(new RegExp(`${leak} +.*water +active`));
      expect(await json("alert", "query", `alertname=${leak}`, "node=~a|b", "team!=")).toMatchObject([
        { labels: { alertname: leak, node: "a", team: "night" }, receivers: [{ name: "night" }] },
      ]);
      expect(await json("alert", "query", leak, "--receiver=ni.*")).toHaveLength(1);
      expect(await json("alert", "query", leak, "--receiver=plant")).toEqual([]);
      expect(await told(leak, "firing")).toMatchObject({ annotations: { summary: "water" } });
    });

    test("silences, changes a silence in place or by another one, and expires it", async () => {
      await amtool("alert", "add", noise, "node=a", `--end=${minutes(60)}`);
      const add = ["silence", "add", noise, "node=~a|b", "--author=ann", "--comment=known", "--duration=2h"];
      const id = (await amtool(...add)).trim();
      expect(await json("alert", "query", noise)).toEqual([]);
      expect(await json("alert", "query", noise, "--silenced")).toMatchObject([
        { status: { state: "suppressed", silencedBy: [id] } },
      ]);
      expect(await json("silence", "query", `alertname=${noise}`)).toMatchObject([
        { id, createdBy: "ann", comment: "known", status: { state: "active" } },
      ]);
      await amtool("silence", "update", "--duration=3h", "--comment=still known", id);
      const [longer] = await json("silence", "query", `alertname=${noise}`);
      expect(longer).toMatchObject({ id, comment: "still known", createdBy: "ann" });
      expect(Date.parse(longer.endsAt) - Date.parse(longer.startsAt)).toBe(3 * 3_600_000);
      await amtool("silence", "update", `--start=${minutes(60)}`, `--end=${minutes(120)}`, id);
      const [later] = await json("silence", "query", `alertname=${noise}`);
      expect(later).toMatchObject({ status: { state: "pending" }, comment: "still known" });
      expect(later.id).not.toBe(id);
      expect(await json("silence", "query", "--expired", `alertname=${noise}`)).toMatchObject([{ id }]);
      await amtool("silence", "expire", later.id);
      await amtool("silence", "expire", later.id);
      expect(await json("silence", "query", `alertname=${noise}`)).toEqual([]);
      await expect(amtool("silence", "expire", "1f71c53c-7242-4992-b39f-367a39660536")).rejects.toThrow(/404/);
      const run = runCli("token", "audit", "--url", platform.grpc);
      expect(await run.ended).toBe(0);
      for (const action of ["silence.create", "silence.update", "silence.expire"])
        expect(run.stdout()).toContain(action);
    });

    test("shows the configuration without its secrets, and the state of the cluster", async () => {
      expect(await amtool("config", "show")).toContain("receiver: night");
      expect(await amtool("config", "show")).not.toContain(`${sink.url}/plant`);
      expect(await amtool("config", "routes", "show")).toContain('team="night"');
      expect((await amtool("config", "routes", "test", "team=night")).trim()).toBe("night");
      expect(await amtool("cluster", "show")).toContain("disabled");
    });

    test("is told why something is refused", async () => {
      const times = ["--start=2026-01-02T00:00:00Z", "--end=2026-01-01T00:00:00Z"];
      await expect(amtool("alert", "add", early, ...times)).rejects.toThrow(/start time must be before end time/);
      await expect(amtool("silence", "add", "a=~.*", "--comment=x")).rejects.toThrow(/everything would be silent/);
    });
  }),
);

describeWith(["prometheus-alertmanager"], "held against a real Alertmanager", () => {
  let oracle: Awaited<ReturnType<typeof startAlertmanager>>;
  beforeAll(async () => {
    oracle = await startAlertmanager(
      `global: { resolve_timeout: 1h }\n${routing}\nreceivers: [{ name: plant }, { name: night }]\n`,
    );
  });
  afterAll(() => oracle?.stop());

  test.each<[string, string, RequestInit]>([
    ["an empty body", "/api/v2/alerts", { method: "POST", body: "" }],
    ["broken JSON", "/api/v2/alerts", { method: "POST", body: "[" }],
    ["an object for a list", "/api/v2/alerts", { method: "POST", body: "{}" }],
    ["no labels", "/api/v2/alerts", { method: "POST", body: "[{}]" }],
    ["empty labels", "/api/v2/alerts", { method: "POST", body: '[{"labels":{"a":""}}]' }],
    ["a label that is a number", "/api/v2/alerts", { method: "POST", body: '[{"labels":{"a":1}}]' }],
    ["an empty name", "/api/v2/alerts", { method: "POST", body: '[{"labels":{"":"x"}}]' }],
    ["a time that is none", "/api/v2/alerts", { method: "POST", body: '[{"labels":{"a":"b"},"startsAt":"x"}]' }],
    [
      "an end before the start",
      "/api/v2/alerts",
      {
        method: "POST",
        body: '[{"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]',
      },
    ],
    ["a form", "/api/v2/alerts", { method: "POST", body: "[]", headers: { "content-type": "text/plain" } }],
    ["no matcher in a filter", "/api/v2/alerts?filter=bad", {}],
    ["no expression in a filter", "/api/v2/alerts?filter=a%3D~%22(%22", {}],
    ["no expression for receivers", "/api/v2/alerts?receiver=(", {}],
    ["no expression for receivers of groups", "/api/v2/alerts/groups?receiver=(", {}],
    ["no matcher in a filter of silences", "/api/v2/silences?filter=bad", {}],
    ["an id that is none", "/api/v2/silence/x", {}],
    ["an id that is none, to delete", "/api/v2/silence/x", { method: "DELETE" }],
    ["an id that nobody knows", "/api/v2/silence/1f71c53c-7242-4992-b39f-367a39660536", {}],
    ["a silence of nothing", "/api/v2/silences", { method: "POST", body: "{}" }],
    ["a silence without a body", "/api/v2/silences", { method: "POST", body: "" }],
    ...(
      [
        ["of everything", { matchers: [{ name: "a", value: "", isRegex: false }] }],
        ["without matchers", { matchers: [] }],
        ["with a bad expression", { matchers: [{ name: "a", value: "(", isRegex: true }] }],
        ["that is over", { endsAt: "2026-01-01T00:00:00Z" }],
        ["that ends before it begins", { startsAt: minutes(120) }],
        ["with an id that nobody knows", { id: "1f71c53c-7242-4992-b39f-367a39660536" }],
        ["with an id that is none", { id: "x" }],
        ["whose matcher says not whether it is an expression", { matchers: [{ name: "a", value: "b" }] }],
      ] as const
    ).map(([what, changes]): [string, string, RequestInit] => {
      const silence = {
        matchers: [{ name: "a", value: "b", isRegex: false, isEqual: true }],
        ...{ startsAt: minutes(0), endsAt: minutes(60), createdBy: "ann", comment: "x", ...changes },
      };
      return [`a silence ${what}`, "/api/v2/silences", { method: "POST", body: JSON.stringify(silence) }];
    }),
  ])("%s has the same status, and a body of the same kind", async (_, path, request) => {
    const ask = async (base: string) => {
      const response = await fetch(base + path, { headers: { "content-type": "application/json" }, ...request });
      const text = await response.text();
      const body = text === "" ? "" : JSON.parse(text);
      return { status: response.status, kind: typeof body, code: body.code };
    };
    const [ours, theirs] = [await ask(platform.http), await ask(oracle.url)];
    expect(theirs.status).toBeGreaterThanOrEqual(400);
    expect(ours).toEqual(theirs);
  });

  test("groups stand in the same order, and alerts within them", async () => {
    const sent = [
      { alertname: "Order", job: "b", node: "1" },
      { alertname: "Order", job: "a", instance: "y", node: "2" },
      { alertname: "Order", job: "a", instance: "x", node: "3", zone: "n" },
      { alertname: "Order", node: "4" },
      { team: "order" },
      { alertname: "Another", team: "order" },
    ].map((labels) => ({ labels: { ...labels, of: "order" }, endsAt: minutes(60) }));
    const ordered = async (base: string) => {
      expect((await post("/api/v2/alerts", sent, base)).status).toBe(200);
      const find = async () =>
        (await (await fetch(`${base}/api/v2/alerts/groups?filter=of=order`)).json()) as {
          labels: object;
          alerts: Listed[];
        }[];
      await expect.poll(async () => (await find()).flatMap(({ alerts: own }) => own).length).toBe(6);
      return (await find()).map(({ labels, alerts: own }) => [labels, own.map((each) => each.labels)]);
    };
    expect(await ordered(platform.http)).toEqual(await ordered(oracle.url));
  });

  test("the same alerts, sent in any order, are open from and to the same times, in the same groups", async () => {
    const seed = Number(process.env.TELLTALE_SEED ?? Date.now() % 1_000_000);
    process.stdout.write(`TELLTALE_SEED=${seed} repeats these alerts\n`);
    const random = new Random(seed);
    const origin = Date.now();
    const at = (minute: number) => new Date(origin + minute * 60_000).toISOString();
    // By labels: an episode begins after the end of the one before, as Prometheus' do.
    const ends = new Map<string, number>();
    for (let i = 0; i < 60; i++) {
      const sent = Array.from({ length: random.between(1, 3) }, () => {
        const labels = {
          alertname: `Oracle${random.between(1, 3)}`,
          team: random.pick(["", "night"]),
          seed: `${seed}`,
        };
        const key = JSON.stringify(labels);
        const before = ends.get(key) ?? -3_000;
        const isOver = random.next() < 0.3;
        if (isOver) ends.set(key, before + 12);
        return {
          ...{
            labels,
            annotations: { summary: `s${random.between(1, 3)}` },
            startsAt: at(before + random.between(1, 10)),
          },
          endsAt: at(isOver ? before + 12 : random.between(10, 90)),
          generatorURL: "http://prometheus.example/graph",
        };
      });
      for (const base of [platform.http, oracle.url])
        expect((await post("/api/v2/alerts", sent, base)).status).toBe(200);
      const shown = async (base: string) =>
        (await alerts(`?filter=seed=${seed}`, base)).map(
          ({ labels, annotations, fingerprint, startsAt, endsAt, receivers }) => ({
            ...{ labels, annotations, fingerprint, startsAt, endsAt, receivers },
          }),
        );
      expect(await shown(platform.http)).toEqual(await shown(oracle.url));
    }
    const groups = async (base: string) => {
      const response = await fetch(`${base}/api/v2/alerts/groups?filter=seed=${seed}`);
      const all = (await response.json()) as { labels: object; receiver: object; alerts: Listed[] }[];
      return all.map(({ labels, receiver, alerts: own }) => ({
        ...{ labels, receiver, fingerprints: own.map(({ fingerprint }) => fingerprint).sort() },
      }));
    };
    expect(await groups(platform.http)).toEqual(await groups(oracle.url));
  });
});

test("past the bound of open alerts further ones are refused with the reason, and room comes back", async () => {
  const label = (i: number) => ({ alertname: "Flood", n: `${i}` });
  const portion = (from: number) =>
    Array.from({ length: 2_000 }, (_, k) => ({ labels: label(from + k), endsAt: minutes(60) }));
  const before = (await alerts()).length;
  const answers: number[] = [];
  for (let from = 0; from < MAX_OPEN_RECEIVED_ALERTS; from += 2_000) {
    answers.push((await post("/api/v2/alerts", portion(from))).status);
  }
  expect(before).toBeGreaterThan(0);
  expect(answers).toEqual([200, 200, 200, 200, 429]);
  const more = () => post("/api/v2/alerts", [{ labels: { alertname: "More" }, endsAt: minutes(60) }]);
  const refused = await more();
  expect([refused.status, await refused.json()]).toEqual([
    429,
    expect.stringContaining("10000 received alerts are open"),
  ]);
  const received = (await alerts("?filter=sensor_id=")).length;
  expect(received).toBe(MAX_OPEN_RECEIVED_ALERTS);
  expect((await post("/api/v2/alerts", [{ labels: label(0), endsAt: minutes(0) }])).status).toBe(200);
  expect((await more()).status).toBe(200);
}, 120_000);
