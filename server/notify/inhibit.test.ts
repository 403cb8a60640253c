import { expect, test } from "vitest";
import { Random } from "../../testing/random.ts";
import { parseNotifyConfig } from "./config/parse.ts";
import { type InhibitingAlert, Inhibitor } from "./inhibit.ts";
import { labelOf, labelsTest } from "./matching.ts";

function rulesOf(rules: string) {
  const parsed = parseNotifyConfig(`route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules: [${rules}]`);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config.inhibitRules;
}

const LINE_DOWN = rulesOf(
  "{name: line, source_matchers: [kind=line], target_matchers: ['kind=~\"sensor|line\"'], equal: [site, line]}",
);
const line = { kind: "line", site: "1", line: "3" };
const sensor = { kind: "sensor", site: "1", line: "3" };

test("an alert is inhibited by an open one with the same labels of equal, until that one is over", () => {
  const inhibitor = new Inhibitor(LINE_DOWN);
  inhibitor.open({ id: "down", labels: line });
  expect(inhibitor.inhibitedBy(sensor)).toMatchObject({ rule: { name: "line" }, source: { id: "down" } });
  expect(inhibitor.inhibitedBy({ ...sensor, line: "4" })).toBeUndefined();
  inhibitor.close("down");
  expect(inhibitor.inhibitedBy(sensor)).toBeUndefined();
  inhibitor.close("down"); // again is no harm
});

test("an alert that matches both sides inhibits neither itself nor others of its kind, but those of the target side", () => {
  const inhibitor = new Inhibitor(LINE_DOWN);
  inhibitor.open({ id: "1", labels: line });
  inhibitor.open({ id: "2", labels: line });
  expect(inhibitor.inhibitedBy(line)).toBeUndefined();
  expect(inhibitor.inhibitedBy(sensor)?.source.id).toBe("1");
});

test("labels that both alerts lack are equal", () => {
  const inhibitor = new Inhibitor(LINE_DOWN);
  inhibitor.open({ id: "1", labels: { kind: "line", site: "" } });
  expect(inhibitor.inhibitedBy({ kind: "sensor" })?.source.id).toBe("1");
  expect(inhibitor.inhibitedBy({ kind: "sensor", site: "1" })).toBeUndefined();
});

test("an open alert whose labels change counts with the new ones only", () => {
  const inhibitor = new Inhibitor(LINE_DOWN);
  inhibitor.open({ id: "1", labels: line });
  inhibitor.open({ id: "1", labels: { ...line, line: "4" } });
  expect(inhibitor.inhibitedBy(sensor)).toBeUndefined();
  expect(inhibitor.inhibitedBy({ ...sensor, line: "4" })?.source.id).toBe("1");
});

test("the index answers as trying every pair would, whatever opens and closes", () => {
  const random = new Random(5);
  const rules = rulesOf(
    "{source_matchers: [a=x], target_matchers: [b=x], equal: [c]}, {source_matchers: ['a=~\"x|y\"'], target_matchers: ['a=~\"y|z\"'], equal: [b, c]}",
  );
  const sides = rules.map(({ sourceMatchers, targetMatchers, equal }) => ({
    isSource: labelsTest(sourceMatchers),
    isTarget: labelsTest(targetMatchers),
    equal,
  }));
  const inhibitor = new Inhibitor(rules);
  const open = new Map<string, InhibitingAlert>();
  const byPairs = ({ labels }: InhibitingAlert) =>
    sides.some(({ isSource, isTarget, equal }) =>
      [...open.values()].some(
        (other) =>
          isTarget(labels) &&
          isSource(other.labels) &&
          equal.every((name) => labelOf(labels, name) === labelOf(other.labels, name)) &&
          !(isSource(labels) && isTarget(other.labels)),
      ),
    );
  let inhibited = 0;
  for (let i = 0; i < 600; i++) {
    const id = String(random.between(0, 30));
    const labels = { a: random.pick(["x", "y", "z"]), b: random.pick(["x", "y"]), c: random.pick(["1", "2", "3", ""]) };
    if (random.next() < 0.5) {
      open.set(id, { id, labels });
      inhibitor.open({ id, labels });
    } else {
      open.delete(id);
      inhibitor.close(id);
    }
    const answers = [...open.values()].map((alert) => [
      inhibitor.inhibitedBy(alert.labels) !== undefined,
      byPairs(alert),
    ]);
    for (const [indexed, wanted] of answers) expect(indexed).toBe(wanted);
    inhibited += answers.filter(([indexed]) => indexed).length;
  }
  expect(inhibited).toBeGreaterThan(500);
});

test("ten times the open alerts take ten times the work, also where all of them are of one group", () => {
  const work = (count: number) => {
    let reads = 0;
    const counting = (labels: Record<string, string>) =>
      new Proxy(labels, {
        get: (target, name) => {
          reads++;
          return target[String(name)];
        },
      });
    const inhibitor = new Inhibitor(LINE_DOWN);
    const alerts = Array.from({ length: count }, (_, i) => ({
      id: `${i}`,
      labels: counting(i % 2 === 0 ? line : sensor),
    }));
    for (const alert of alerts) inhibitor.open(alert);
    expect(alerts.filter(({ labels }) => inhibitor.inhibitedBy(labels) !== undefined)).toHaveLength(count / 2);
    for (const { id } of alerts) inhibitor.close(id);
    return reads;
  };
  expect(work(10_000)).toBe(10 * work(1_000));
});
