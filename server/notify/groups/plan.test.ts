import { describe, expect, test } from "vitest";
import type { NotifyConfig } from "../config/config.ts";
import { parseNotifyConfig } from "../config/parse.ts";
import type { KnownAlert } from "../known-alert.ts";
import type { Override } from "../oncall/oncall.ts";
import { routesById } from "../route.ts";
import { flushDue, put, reroute } from "./plan.ts";
import { State } from "./state.ts";

const S = 1_000_000;
const WEBHOOK = "webhook_configs: [{ url: 'http://example.test/' }]";

/** A plant whose minutes pass as the test says. */
class Play {
  readonly state = new State();
  suppressed = new Set<string>();
  overrides: readonly Override[] = [];
  /** Schedules and escalations. */
  more: string;
  #config: NotifyConfig;
  #nowUs = 0;
  /** The channels that the last messages went to. */
  kinds: string[] = [];

  constructor(more = "") {
    this.more = more;
    this.#config = config("", WEBHOOK, more);
  }

  configure(routes: string, channels = WEBHOOK): this {
    this.#config = config(routes, channels, this.more);
    reroute(this.state, { ...this.#roster, routes: routesById(this.#config.route), nowUs: this.#nowUs });
    return this;
  }

  at(second: number): this {
    this.#nowUs = second * S;
    return this;
  }

  alert(id: string, changes: Partial<KnownAlert> = {}): this {
    const severity = changes.severity ?? "low";
    const labels = { sensor_id: `s${id}`, severity, ...changes.labels };
    const alert = {
      id,
      severity,
      labels,
      status: "firing",
      isAcknowledged: false,
      annotations: {},
      startsUs: this.#nowUs,
    };
    put(this.state, { ...alert, ...changes, labels } as KnownAlert, { ...this.#roster, nowUs: this.#nowUs });
    return this;
  }

  over(id: string): this {
    return this.alert(id, { status: "resolved", endsUs: this.#nowUs });
  }

  get #roster() {
    return { config: this.#config, overrides: this.overrides };
  }

  /** What is sent now: receiver, state, and the alerts. */
  get sent(): string[] {
    const planned = flushDue(this.state, {
      ...this.#roster,
      routes: routesById(this.#config.route),
      isSuppressed: ({ id }) => this.suppressed.has(id),
      externalUrl: "",
      nowUs: this.#nowUs,
    });
    this.kinds = planned.map(({ kind }) => kind);
    return planned.map(({ message: { receiver, status, alerts } }) => {
      const each = alerts.map((alert) => (alert.status === "firing" ? alert.id : `${alert.id} over`));
      return `${receiver} ${status}: ${each.join(", ")}`;
    });
  }
}

function config(routes: string, channels: string, more: string): NotifyConfig {
  const parsed = parseNotifyConfig(`
route: { receiver: all, group_by: [hall], group_wait: 30s, group_interval: 5m, repeat_interval: 4h, routes: [${routes}] }
receivers:
  - { name: all, ${channels} }
  - { name: urgent, ${WEBHOOK} }
  - { name: anna, ${WEBHOOK} }
  - { name: ben, ${WEBHOOK} }
  - { name: cleo, ${WEBHOOK} }
  - { name: lead, ${WEBHOOK} }
  - { name: quiet, webhook_configs: [{ url: 'http://example.test/', send_resolved: false }] }
time_intervals:
  - { name: first hour, time_intervals: [{ times: [{ start_time: '00:00', end_time: '01:00' }] }] }
${more}`);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

const URGENT = `{ receiver: urgent, matchers: ['severity="critical"'] }`;

describe("a group", () => {
  test("waits for more of its alerts, then tells them together", () => {
    const play = new Play().at(0).alert("1").at(20).alert("2");
    expect(play.at(29).sent).toEqual([]);
    expect(play.at(30).sent).toEqual(["all firing: 2, 1"]);
    expect(play.at(329).sent).toEqual([]);
  });

  test("never tells of an alert that is over before its wait is", () => {
    const play = new Play().at(0).alert("1").at(10).over("1");
    expect(play.at(30).sent).toEqual([]);
    expect(play.state.groups.size).toBe(0);
    expect(play.state.alerts.size).toBe(0);
  });

  test("tells what is new at its next interval, and that an alert is over to who heard of it", () => {
    const play = new Play().at(0).alert("1");
    expect(play.at(30).sent).toEqual(["all firing: 1"]);
    play.at(40).alert("2").over("1");
    expect(play.at(329).sent).toEqual([]);
    expect(play.at(330).sent).toEqual(["all firing: 2, 1 over"]);
    expect(play.at(630).sent).toEqual([]);
    play.at(700).over("2");
    expect(play.at(930).sent).toEqual(["all resolved: 2 over"]);
    expect([play.state.groups.size, play.state.alerts.size]).toEqual([0, 0]);
  });

  test("tells each beginning and each end by name, however many alerts stay open", () => {
    const play = new Play().at(0);
    for (let id = 1; id <= 150; id++) play.alert(String(id));
    expect(play.at(30).sent).toHaveLength(1);
    play.at(40).over("7").alert("151");
    const [message] = play.at(330).sent;
    expect(message).toMatch(/ 7 over(,|$)/);
    expect(message).toMatch(/ 151,/);
  });

  test("is repeated after the repeat interval, unless somebody has acknowledged all of it", () => {
    const play = new Play().at(0).alert("1");
    expect(play.at(30).sent).toEqual(["all firing: 1"]);
    const repeated: number[] = [];
    for (let second = 330; second < 9 * 3_600; second += 300)
      if (play.at(second).sent.length > 0) repeated.push(second);
    expect(repeated).toEqual([14_430, 28_830]);
    play.alert("1", { isAcknowledged: true });
    for (let second = 9 * 3_600 + 30; second < 20 * 3_600; second += 300) expect(play.at(second).sent).toEqual([]);
    expect(
      play
        .at(21 * 3_600)
        .over("1")
        .at(22 * 3_600).sent,
    ).toEqual(["all resolved: 1 over"]);
  });

  test("tells an alert again that became worse, and not one that only went on", () => {
    const play = new Play().at(0).alert("1", { severity: "medium" });
    expect(play.at(30).sent).toEqual(["all firing: 1"]);
    play.alert("1", { severity: "medium" });
    expect(play.at(330).sent).toEqual([]);
    play.alert("1", { severity: "critical" });
    expect(play.at(630).sent).toEqual(["all firing: 1"]);
  });

  test("by another label is another group", () => {
    const play = new Play()
      .at(0)
      .alert("1", { labels: { hall: "a" } })
      .alert("2", { labels: { hall: "b" } });
    expect(play.at(30).sent.sort()).toEqual(["all firing: 1", "all firing: 2"]);
  });

  test("is not told while its alerts are suppressed, and then is; that it is over is told although it is suppressed again", () => {
    const play = new Play().at(0).alert("1");
    play.suppressed.add("1");
    expect(play.at(30).sent).toEqual([]);
    play.suppressed.clear();
    expect(play.at(330).sent).toEqual(["all firing: 1"]);
    play.suppressed.add("1");
    expect(play.at(700).over("1").sent).toEqual(["all resolved: 1 over"]);
  });

  test("in a muted time is told when the time is over, without what began and ended in it", () => {
    const play = new Play()
      .configure(`{ receiver: urgent, mute_time_intervals: [first hour] }`)
      .at(0)
      .alert("1")
      .alert("2");
    for (let second = 30; second < 3_600; second += 300) expect(play.at(second).sent).toEqual([]);
    play.over("2");
    expect(play.at(3_630).sent).toEqual(["urgent firing: 1"]);
  });

  test("of a receiver that does not want to hear the end ends silently", () => {
    const play = new Play().configure("{ receiver: quiet }").at(0).alert("1");
    expect(play.at(30).sent).toEqual(["quiet firing: 1"]);
    expect(play.at(40).over("1").at(330).sent).toEqual([]);
    expect(play.state.groups.size).toBe(0);
  });
});

describe("an alert", () => {
  test("that becomes critical is told to the route of critical ones too, and its end to both", () => {
    const play = new Play().configure(URGENT).at(0).alert("1");
    expect(play.at(30).sent).toEqual(["all firing: 1"]);
    play.at(60).alert("1", { severity: "critical" });
    expect(play.at(90).sent).toEqual(["urgent firing: 1"]);
    expect(play.at(330).sent).toEqual(["all firing: 1"]);
    play.at(340).over("1");
    expect(play.at(390).sent).toEqual(["urgent resolved: 1 over"]);
    expect(play.at(630).sent).toEqual(["all resolved: 1 over"]);
  });

  test("that becomes critical before it was told is told by its new route alone", () => {
    const play = new Play().configure(URGENT).at(0).alert("1").alert("2");
    play.at(10).alert("1", { severity: "critical" });
    expect(play.at(40).sent.toSorted()).toEqual(["all firing: 2", "urgent firing: 1"]);
    play.at(50).alert("2", { severity: "critical" }).at(400).over("1").over("2");
    expect(play.sent.toSorted()).toEqual(["all resolved: 2 over", "urgent resolved: 1 over"]);
    expect([play.state.groups.size, play.state.alerts.size]).toEqual([0, 0]);
  });

  test("is not told again because the configuration changed somewhere else", () => {
    const play = new Play().at(0).alert("1");
    expect(play.at(30).sent).toEqual(["all firing: 1"]);
    play.at(40).configure(URGENT);
    expect(play.at(330).sent).toEqual([]);
    play.at(340).configure(`${URGENT}, { receiver: quiet }`);
    expect(play.at(370).sent).toEqual(["quiet firing: 1"]);
  });
});

test("that an alert is over is told although the configuration changed, or another process went on, before it was", () => {
  const play = new Play()
    .at(0)
    .alert("1")
    .alert("2", { labels: { hall: "b" } });
  expect(play.at(30).sent).toHaveLength(2);
  play.at(40).over("1").over("2").configure(URGENT);
  expect(play.at(330).sent.sort()).toEqual(["all resolved: 1 over", "all resolved: 2 over"]);
});

test("a channel keeps what it was told where another is put before it, which hears of all that is open", () => {
  const mail =
    "email_configs: [{ to: a@example.test, from: b@example.test, smarthost: 'example.test:25', send_resolved: true }]";
  const play = new Play().configure("", mail).at(0).alert("1");
  expect(play.at(30).sent).toEqual(["all firing: 1"]);
  play.at(40).configure("", `${WEBHOOK}, ${mail}`);
  expect(play.at(330).sent).toEqual(["all firing: 1"]);
  expect(play.kinds).toEqual(["webhook"]);
  play.at(340).over("1").configure("", mail);
  expect(play.at(630).sent).toEqual(["all resolved: 1 over"]);
  expect(play.kinds).toEqual(["email"]);
});

test("every message has a key of its own, also of a group that begins anew", () => {
  const play = new Play();
  const keys: string[] = [];
  for (let round = 0; round < 3; round++) {
    play.at(round * 1_000).alert(String(round + 1));
    for (const second of [30, 330, 630]) {
      if (second === 330) play.over(String(round + 1));
      play.at(round * 1_000 + second);
      const before = play.state.groups.values().next().value;
      if (play.sent.length > 0 && before !== undefined) keys.push(`${before.key}/${before.sequence}`);
    }
  }
  expect(keys).toHaveLength(6);
  expect(new Set(keys).size).toBe(6);
});

describe("an escalation", () => {
  const STEPS = `
schedules:
  - name: plant
    time_zone: UTC
    rotations: [{ receivers: [anna, ben], start: 1970-01-01 00:00, shift: 1h }]
escalations:
  - name: standard
    repeat_interval: 30m
    steps: [{ after: 5m, schedules: [plant] }, { after: 20m, receivers: [lead] }]
`;
  const ROUTE = `{ receiver: urgent, matchers: ['severity="critical"'], escalation: standard }`;
  const play = () => new Play(STEPS).configure(ROUTE);
  const critical = { severity: "critical" };

  test("tells whoever is on call, and then the next step, while nobody acknowledges", () => {
    const it = play().at(0).alert("1", critical).at(30);
    expect(it.sent).toEqual(["urgent firing: 1"]);
    expect(it.at(299).sent).toEqual([]);
    expect(it.at(300).sent).toEqual(["anna firing: 1"]);
    expect(it.at(1_199).sent).toEqual([]);
    expect(it.at(1_200).sent).toEqual(["lead firing: 1"]);
    expect(it.at(2_100).sent).toEqual(["anna firing: 1"]);
    expect(it.over("1").at(2_400).sent.toSorted()).toEqual([
      "anna resolved: 1 over",
      "lead resolved: 1 over",
      "urgent resolved: 1 over",
    ]);
    expect([it.state.groups.size, it.state.alerts.size]).toEqual([0, 0]);
  });

  test("stops once it is acknowledged, and whoever was told hears that it is over", () => {
    const it = play().at(0).alert("1", critical).at(300);
    expect(it.sent).toEqual(["urgent firing: 1", "anna firing: 1"]);
    expect(it.alert("1", { ...critical, isAcknowledged: true }).at(10_000).sent).toEqual([]);
    expect(it.over("1").at(20_000).sent).toEqual(["urgent resolved: 1 over", "anna resolved: 1 over"]);
  });

  test("goes on with the next on call after a hand-off", () => {
    const it = play().at(0).alert("1", critical).at(3_500);
    expect(it.sent).toEqual(["urgent firing: 1", "anna firing: 1", "lead firing: 1"]);
    // Ben since 3,600; Anna hears of it no more, but for its end.
    expect(it.at(4_000).sent).toEqual(["ben firing: 1"]);
    expect(it.at(5_400).sent).toEqual(["lead firing: 1"]);
    expect(it.over("1").at(6_000).sent).toHaveLength(4);
  });

  test("tells of each alert when that is old enough, and together what comes within the interval", () => {
    const it = play().at(0).alert("1", critical).at(100).alert("2", critical).at(300);
    expect(it.sent).toEqual(["urgent firing: 2, 1", "anna firing: 1"]);
    expect(it.at(599).sent).toEqual([]);
    expect(it.at(600).sent).toEqual(["anna firing: 2, 1"]);
  });

  test("follows overrides", () => {
    const it = play();
    const times = { startsUs: 0, endsUs: 4_000 * S, createdUs: 0 };
    it.overrides = [{ id: "1", schedule: "plant", receiver: "cleo", replaces: "", author: "", comment: "", ...times }];
    it.at(0).alert("1", critical).at(300);
    expect(it.sent).toEqual(["urgent firing: 1", "cleo firing: 1"]);
  });

  const replacing = (receiver: string, from: number, to: number): Override => ({
    ...{ id: "1", schedule: "plant", receiver, replaces: "", author: "", comment: "" },
    ...{ startsUs: from * S, endsUs: to * S, createdUs: 0 },
  });

  test("tells the end to whoever took over, also when the override is over", () => {
    const it = play();
    it.overrides = [replacing("cleo", 0, 400)];
    expect(it.at(0).alert("1", critical).at(300).sent).toEqual(["urgent firing: 1", "cleo firing: 1"]);
    it.overrides = [];
    it.at(500).configure(ROUTE); // as after a change of overrides, and a start
    expect(it.at(800).sent).toEqual(["anna firing: 1"]);
    expect(it.over("1").at(1_200).sent.toSorted()).toEqual([
      "anna resolved: 1 over",
      "cleo resolved: 1 over",
      "urgent resolved: 1 over",
    ]);
    expect([it.state.groups.size, it.state.alerts.size]).toEqual([0, 0]);
  });

  test("tells the end to whoever was on call, also when the rotation has them no more", () => {
    const it = play().at(0).alert("1", critical).at(300);
    expect(it.sent).toEqual(["urgent firing: 1", "anna firing: 1"]);
    it.at(310).more = STEPS.replace("[anna, ben]", "[ben]");
    it.configure(ROUTE);
    expect(it.at(700).sent).toEqual(["ben firing: 1"]);
    expect(it.over("1").at(1_100).sent.toSorted()).toEqual([
      "anna resolved: 1 over",
      "ben resolved: 1 over",
      "urgent resolved: 1 over",
    ]);
  });

  test("of an override that told nobody leaves nothing", () => {
    const it = play();
    it.overrides = [replacing("cleo", 0, 100)];
    it.at(0).alert("1", critical);
    const receivers = () => new Set(it.state.groups.values().map(({ receiver }) => receiver));
    expect(receivers()).toContain("cleo");
    it.overrides = [];
    it.at(200).configure(ROUTE);
    expect(receivers()).not.toContain("cleo");
  });

  test("tells whoever takes over of what is old enough as soon as a new group may", () => {
    const it = play().at(0).alert("1", critical).at(1_000);
    expect(it.sent).toEqual(["urgent firing: 1", "anna firing: 1"]);
    it.overrides = [replacing("cleo", 1_010, 4_000)];
    it.at(1_010).configure(ROUTE);
    expect(it.at(1_039).sent).toEqual([]);
    expect(it.at(1_040).sent).toEqual(["cleo firing: 1"]);
  });

  test("that a configuration gives to alerts which are open already counts from then", () => {
    const it = new Play(STEPS).configure(ROUTE.replace("standard", "none")).at(0).alert("1", critical).at(30);
    expect(it.sent).toEqual(["urgent firing: 1"]);
    it.at(1_000).configure(ROUTE);
    expect(it.at(1_299).sent).toEqual([]);
    expect(it.at(1_300).sent).toEqual(["anna firing: 1"]);
  });

  test("is left by open alerts where a configuration has it no more", () => {
    const it = play().at(0).alert("1", critical).at(300);
    expect(it.sent).toEqual(["urgent firing: 1", "anna firing: 1"]);
    it.configure(ROUTE.replace("standard", "none"));
    expect(it.over("1").at(1_000).sent).toEqual(["urgent resolved: 1 over"]);
  });
});
