import { expect, test } from "vitest";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import { Random } from "../../../testing/random.ts";
import { parseNotifyConfig } from "../config/parse.ts";
import type { KnownAlert } from "../known-alert.ts";
import { routesById } from "../route.ts";
import { mergedMessage } from "./message-of.ts";
import { flushDue, put } from "./plan.ts";
import type { Planned } from "./planned.ts";
import { RATE_WINDOW_US } from "./rate.ts";
import { State } from "./state.ts";

const S = 1_000_000;
const SEVERITIES = ["low", "medium", "high", "critical"] as const;

/** A receiver with a limit, whose minutes pass as the test says. */
class Play {
  readonly state = new State();
  readonly sent: { readonly atUs: number; readonly planned: Planned }[] = [];
  readonly #config;
  readonly #limit: number;
  #nowUs = 0;

  constructor(limit: number, channels = "webhook_configs: [{ url: 'http://example.test/' }]") {
    const parsed = parseNotifyConfig(`
route: { receiver: all, group_by: [sensor_id], group_wait: 0s, group_interval: 10s, repeat_interval: 30d }
receivers: [{ name: all, ${channels}, max_messages_per_minute: ${limit} }]
`);
    if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
    this.#config = parsed.config;
    this.#limit = limit;
  }

  at(second: number): this {
    this.#nowUs = second * S;
    return this;
  }

  alert(id: number, severity: string, status: KnownAlert["status"] = "firing"): this {
    const labels = { sensor_id: `s${id}`, severity };
    const times = { startsUs: this.#nowUs, ...(status === "resolved" ? { endsUs: this.#nowUs } : {}) };
    const alert = { id: String(id), severity, labels, status, isAcknowledged: false, annotations: {}, ...times };
    put(this.state, alert, { config: this.#config, overrides: [], nowUs: this.#nowUs });
    return this;
  }

  /** What is sent now: of each message the alerts. */
  step(): string[] {
    const nowUs = this.#nowUs;
    const lately = this.sent.filter(({ atUs }) => atUs > nowUs - RATE_WINDOW_US);
    const keys = new Set(lately.map(({ planned }) => planned.message.key));
    const moreAtUs = (lately[0]?.atUs ?? nowUs) + RATE_WINDOW_US;
    const planned = flushDue(this.state, {
      ...{ config: this.#config, overrides: [], routes: routesById(this.#config.route), externalUrl: "", nowUs },
      isSuppressed: () => false,
      rooms: new Map([["all", { left: Math.max(0, this.#limit - keys.size), moreAtUs }]]),
    });
    for (const each of planned) this.sent.push({ atUs: nowUs, planned: each });
    return planned.map(({ message }) =>
      message.alerts.map(({ id, status }) => (status === "firing" ? id : `${id} over`)).join(" "),
    );
  }
}

test("while there is room the worst have messages of their own, and the last message tells of all the others", () => {
  const play = new Play(3)
    .at(0)
    .alert(1, "low")
    .alert(2, "high")
    .alert(3, "medium")
    .alert(4, "critical")
    .alert(5, "low");
  expect(play.step().map((text) => text.split(" ").sort().join(" "))).toEqual(["4", "2", "1 3 5"]);
  const [, , last] = play.sent;
  expect(last!.planned).toMatchObject({
    isMerged: true,
    message: { receiver: "all", groupKey: "merged/all", status: "firing" },
  });
  expect(last!.planned.message.alerts[0]!.id).toBe("3");
  // No room for a minute; then what has happened meanwhile.
  play.at(10).alert(6, "critical").alert(1, "low", "resolved");
  for (let second = 10; second < 60; second++) expect(play.at(second).step()).toEqual([]);
  expect(play.at(60).step().sort()).toEqual(["1 over", "6"]);
});

test("a message of several groups to a program has first what each group's message has first, and to people the worst", () => {
  const of = (...all: [string, string, "firing" | "resolved"][]) =>
    notification({ alerts: all.map(([id, severity, status]) => notifiedAlert({ id, status, labels: { severity } })) });
  const one = of(["over", "low", "resolved"], ["known", "critical", "firing"]);
  const other = of(["new", "low", "firing"], ["known too", "high", "firing"]);
  const ids = (kind: "webhook" | "slack") => mergedMessage([one, other], one, kind).alerts.map(({ id }) => id);
  expect(ids("webhook")).toEqual(["new", "over", "known", "known too"]);
  expect(ids("slack")).toEqual(["known", "known too", "new", "over"]);
});

test("a message of several groups says of which step of an escalation they are, where all are of the same", () => {
  const escalation = { name: "standard", step: 1 };
  const one = notification({ escalation });
  expect(mergedMessage([one, notification({ escalation: { ...escalation } })], one, "slack").escalation).toEqual(
    escalation,
  );
  for (const other of [notification(), notification({ escalation: { name: "standard", step: 0 } })]) {
    expect(mergedMessage([one, other], one, "slack")).not.toHaveProperty("escalation");
    expect(mergedMessage([other, one], other, "slack")).not.toHaveProperty("escalation");
  }
});

test("a message of several groups says of all of them why labels of their routes are missing", () => {
  const failed = (...routeLabelTroubles: string[]) => notification({ routeLabels: {}, routeLabelTroubles });
  const [one, other] = [failed("a", "b"), failed("b", "c")];
  expect(mergedMessage([one, notification(), other], one, "slack").routeLabelTroubles).toEqual(["a", "b", "c"]);
  expect(mergedMessage([notification(), notification()], one, "slack")).not.toHaveProperty("routeLabelTroubles");
});

test("incidents of PagerDuty are not merged: their groups wait", () => {
  const play = new Play(2, "pagerduty_configs: [{ routing_key: x }]").at(0);
  for (const id of [1, 2, 3, 4, 5]) play.alert(id, "low");
  expect(play.step()).toEqual(["1", "2"]);
  expect(play.at(60).step()).toEqual(["3", "4"]);
  expect(play.at(120).step()).toEqual(["5"]);
});

test("whatever opens and ends, the limit holds, and every alert is told to be open and over", () => {
  const seed = Number(process.env.TELLTALE_SEED ?? Date.now() % 1_000_000);
  process.stdout.write(`TELLTALE_SEED=${seed} repeats these alerts\n`);
  for (let round = 0; round < 20; round++) {
    const random = new Random(seed + round);
    const limit = random.between(1, 6);
    const play = new Play(limit);
    const open: number[] = [];
    let second = 0;
    for (let id = 1; id <= 90; id++) {
      second += random.between(0, 3);
      play.at(second).alert(id, random.pick(SEVERITIES));
      open.push(id);
      play.step();
    }
    for (; open.length > 0; second += random.between(0, 5)) {
      // Told before it ends: one that is over before its message is told to nobody.
      const ended = open.splice(random.between(0, open.length - 1), 1)[0]!;
      for (; !isTold(play, ended, "firing"); second++) play.at(second).step();
      play.at(second).alert(ended, "critical", "resolved").step();
    }
    for (let more = 0; play.state.alerts.size > 0; more++) {
      expect(more, `TELLTALE_SEED=${seed}`).toBeLessThan(10_000);
      play.at(++second).step();
    }
    for (let id = 1; id <= 90; id++) expect(isTold(play, id, "resolved"), `TELLTALE_SEED=${seed}`).toBe(true);
    for (const { atUs } of play.sent) {
      const within = play.sent.filter((each) => each.atUs > atUs - RATE_WINDOW_US && each.atUs <= atUs);
      expect(within.length, `TELLTALE_SEED=${seed}`).toBeLessThanOrEqual(limit);
    }
    const keys = play.sent.map(({ planned }) => planned.message.key);
    expect(new Set(keys).size, `TELLTALE_SEED=${seed}`).toBe(keys.length);
  }
});

function isTold(play: Play, id: number, status: string): boolean {
  const isIt = (alert: { id: string; status: string }) => alert.id === String(id) && alert.status === status;
  return play.sent.some(({ planned }) => planned.message.alerts.some(isIt));
}
