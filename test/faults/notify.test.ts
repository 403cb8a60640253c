/**
 * Notifications under faults: two processes that notify, a database and a channel that are hurt in turns, while alerts begin and end. Every
 * beginning and every end has to be taken by the channel at least once, and what comes again has the key and the body of the first.
 */
import { mkdtempSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { kafkaNeeds, startKafka, type TestKafka } from "../../testing/kafka.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { freePort } from "../../testing/processes.ts";
import { Random } from "../../testing/random.ts";
import { type Posted, startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";
import { copySources, Member } from "./cluster.ts";

/** How the channel behaves. It takes what it answers well, and what it would have answered "late", which it never does. */
type Behaviour = "takes" | "late" | "500" | "429" | "hangs" | "cuts";

interface Fault {
  readonly name: string;
  begin(plant: Hurt): Promise<void> | void;
  /** Heals what does not heal by itself. */
  end(plant: Hurt): void;
}

interface Hurt {
  readonly postgres: TestPostgres;
  readonly notifiers: readonly Member[];
  behave(how: Behaviour): void;
  /** Once a message waits for its answer. */
  isHanging(): Promise<void>;
}

const channel = (how: Behaviour, name: string): Fault => ({
  name,
  begin: (plant) => plant.behave(how),
  end: (plant) => plant.behave("takes"),
});

/** Once a message has been taken and is not answered: it is not known there that it was, and it comes again. */
const inTheMiddle = (name: string, harm: (plant: Hurt) => Promise<void>): Fault => ({
  name,
  async begin(plant) {
    plant.behave("late");
    await plant.isHanging();
    await harm(plant);
  },
  end: (plant) => plant.behave("takes"),
});

const FAULTS: readonly Fault[] = [
  inTheMiddle("kill -9 of the process that notifies", async ({ notifiers }) =>
    (await active(notifiers)).end("SIGKILL"),
  ),
  inTheMiddle("kill -9 of the database, and its start", async ({ postgres }) => {
    await postgres.kill();
    await postgres.start();
  }),
  channel("500", "the channel answers 500"),
  channel("429", "the channel answers 429 and when to come again"),
  channel("hangs", "the channel takes the message and never answers"),
  channel("cuts", "the channel cuts the connection"),
];

/** One of each, where nothing else is said. */
const rounds = Number(process.env.FAULTS ?? FAULTS.length);
const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000);
const ROUND_MS = 120_000;
const LOOK_MS = 100;

interface Row {
  readonly name: string;
  rounds: number;
  events: number;
  attempts: number;
  slowestMs: number;
}

/** A beginning or an end, as the channel heard of it. */
interface Heard {
  readonly event: string;
  readonly key: string;
  readonly body: string;
  readonly taken: boolean;
}

describeWith(kafkaNeeds, `notifications under ${rounds} faults (seed ${seed})`, () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-faults-notify-"));
  const random = new Random(seed);
  const heard: Heard[] = [];
  const wanted: string[] = [];
  const rows = FAULTS.map(({ name }): Row => ({ name, rounds: 0, events: 0, attempts: 0, slowestMs: 0 }));
  let postgres: TestPostgres;
  let kafka: TestKafka;
  let sink: WebhookSink;
  let rest: Member;
  let notifiers: readonly Member[];
  let how: Behaviour = "takes";
  const hung = new Set<ServerResponse>();

  beforeAll(async () => {
    process.stdout.write(`seed ${seed}: FAULTS_SEED=${seed} FAULTS=${rounds} replays this schedule\n`);
    [postgres, kafka, sink] = await Promise.all([startPostgres(), startKafka(1), startWebhookSink()]);
    sink.answer((response, posted) => answer(response, posted));
    const main = copySources(join(folder, "sources"));
    const member = async (name: string, role: string) => {
      const ports = { grpc: await freePort(), http: await freePort() };
      const environment = {
        ...{ ROLE: role, DATABASE_URL: postgres.url, KAFKA_BOOTSTRAP_SERVERS: kafka.brokers.join(",") },
        ...{ NOTIFY_ALLOWED_HOSTS: "127.0.0.1", EXTERNAL_URL: "https://telltale.example", LOG_LEVEL: "warn" },
        ...{ DATA_DIR: join(folder, name), KAFKA_PARTITIONS: "1", SCORER_THREADS: "1", SHUTDOWN_GRACE_MS: "1000" },
      };
      return new Member(name, ports, environment, main, folder);
    };
    rest = await member("rest", "ingest,score,query,gateway");
    notifiers = [await member("notify-1", "notify"), await member("notify-2", "notify")];
    await rest.start();
    await Promise.all(notifiers.map((each) => each.start()));
    const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${rest.grpcPort}` });
    const text = `
route: { receiver: plant, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1d }
receivers: [{ name: plant, webhook_configs: [{ url: "${sink.url}", timeout: 1s }] }]
`;
    const { problems } = await createClient(NotificationService, transport).setNotificationConfig({ text });
    expect(problems).toEqual([]);
  }, 300_000);

  afterAll(async () => {
    process.stdout.write(table(rows, heard));
    await Promise.all([rest, ...(notifiers ?? [])].map((each) => each?.stop()));
    await Promise.all([kafka?.stop(), sink?.close()]);
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 120_000);

  function answer(response: ServerResponse, { body }: Posted): void {
    const text = String(body);
    const { alerts } = JSON.parse(text) as { alerts: { status: string; labels: Record<string, string> }[] };
    const key = String(response.req.headers["idempotency-key"]);
    for (const { status, labels } of alerts) {
      // Whether the channel works is told too, by an alert of its own.
      if (labels.event === undefined) continue;
      heard.push({ event: `${labels.event} ${status}`, key, body: text, taken: how === "takes" || how === "late" });
    }
    if (how === "takes") response.end();
    else if (how === "500") response.writeHead(500).end();
    else if (how === "429") response.writeHead(429, { "retry-after": "1" }).end();
    else if (how === "cuts") response.destroy();
    else hung.add(response);
  }

  const hurt = (): Hurt => ({
    ...{ postgres, notifiers },
    behave(next) {
      how = next;
      for (const response of hung) response.destroy();
      hung.clear();
    },
    async isHanging() {
      while (hung.size === 0) await sleep(LOOK_MS);
    },
  });

  /** Stored once it resolves, however often it takes. */
  async function send(names: readonly string[], isOver: boolean): Promise<void> {
    const endsAt = new Date(Date.now() + (isOver ? 0 : 3_600_000)).toISOString();
    const alerts = names.map((event) => ({ labels: { alertname: "fault", event }, endsAt }));
    for (const untilMs = performance.now() + ROUND_MS; ; ) {
      const answered = await fetch(`http://127.0.0.1:${rest.httpPort}/api/v2/alerts`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(alerts),
      }).catch((error: Error) => error);
      if (answered instanceof Response && answered.ok) break;
      if (performance.now() > untilMs) throw new Error(`alerts were not taken in time: ${await reason(answered)}`);
      await sleep(LOOK_MS);
    }
    wanted.push(...names.map((event) => `${event} ${isOver ? "resolved" : "firing"}`));
  }

  async function told(): Promise<void> {
    const untilMs = performance.now() + ROUND_MS;
    for (;;) {
      const taken = new Set(heard.filter((each) => each.taken).map(({ event }) => event));
      const left = wanted.filter((event) => !taken.has(event));
      if (left.length === 0) return;
      if (performance.now() > untilMs) throw new Error(`not told in time: ${left.join(", ")}`);
      await sleep(LOOK_MS);
    }
  }

  it(
    "tells every beginning and every end at least once, and repeats have the key and the body of the first",
    async () => {
      const schedule = Array.from({ length: rounds }, (_, i) => i % FAULTS.length).sort(() => random.next() - 0.5);
      let before: string[] = [];
      for (const [round, kind] of [...schedule, undefined].entries()) {
        const fault = kind === undefined ? undefined : FAULTS[kind]!;
        const names =
          kind === undefined ? [] : Array.from({ length: random.between(4, 12) }, (_, i) => `${round}-${i}`);
        const half = names.splice(0, Math.floor(names.length / 2));
        const attempts = heard.length;
        await send([...half], false);
        await Promise.all([fault?.begin(hurt()), send(names, false), send(before, true)]);
        if (fault !== undefined) await sleep(random.between(500, 3_000));
        const healedMs = performance.now();
        fault?.end(hurt());
        await told();
        const toldMs = performance.now();
        const row = kind === undefined ? undefined : rows[kind]!;
        if (row !== undefined) {
          row.rounds++;
          row.events += half.length + names.length + before.length;
          row.attempts += heard.length - attempts;
          row.slowestMs = Math.max(row.slowestMs, toldMs - healedMs);
        }
        // One that was killed is started again: the next one may be its turn.
        await Promise.all([rest, ...notifiers].map((each) => each.isReady()));
        before = [...half, ...names];
      }
      const taken = heard.filter((each) => each.taken);
      const byEvent = Map.groupBy(taken, ({ event }) => event);
      expect(wanted.filter((event) => !byEvent.has(event))).toEqual([]);
      const ofTwoKeys = [...byEvent].filter(([, all]) => new Set(all.map(({ key }) => key)).size > 1);
      expect(ofTwoKeys.map(([event]) => event)).toEqual([]);
      const byKey = [...Map.groupBy(heard, ({ key }) => key).values()];
      expect(byKey.filter((all) => new Set(all.map(({ body }) => body)).size > 1)).toEqual([]);
    },
    rounds * ROUND_MS + 120_000,
  );
});

/** The one that decides now, once one does. */
async function active(notifiers: readonly Member[]): Promise<Member> {
  for (;;) {
    for (const each of notifiers) {
      const metrics = await fetch(`http://127.0.0.1:${each.grpcPort}/metrics`).then(
        (response) => response.text(),
        () => "",
      );
      if (/^telltale_notify_active 1$/m.test(metrics)) return each;
    }
    await sleep(LOOK_MS);
  }
}

async function reason(answered: Response | Error): Promise<string> {
  return answered instanceof Error ? answered.message : `${answered.status} ${await answered.text()}`;
}

function table(rows: readonly Row[], heard: readonly Heard[]): string {
  const taken = heard.filter((each) => each.taken);
  const events = new Set(taken.map(({ event }) => event)).size;
  const lines = rows.map(
    ({ name, rounds: count, events: all, attempts, slowestMs }) =>
      `| ${name} | ${count} | ${all} | ${attempts} | ${(slowestMs / 1_000).toFixed(1)} s |`,
  );
  return [
    "",
    "| Fault | rounds | beginnings and ends | attempts | slowest until all were told |",
    "|---|---|---|---|---|",
    ...lines,
    `${events} beginnings and ends were taken, ${taken.length - events} of them again with the same key.`,
    "",
  ].join("\n");
}
