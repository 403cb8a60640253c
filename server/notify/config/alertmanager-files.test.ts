/** Files as they are in use with an Alertmanager, taken here without a change. */
import { expect, test } from "vitest";
import { Inhibitor } from "../inhibit.ts";
import { DEFAULTS } from "../templates/defaults.ts";
import { parseNotifyConfig } from "./parse.ts";

function configOf(text: string) {
  const parsed = parseNotifyConfig(text);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

/** The defaults of the chart kube-prometheus-stack. */
const KUBE_PROMETHEUS_STACK = `
global: {resolve_timeout: 5m}
inhibit_rules:
  - source_matchers: ['severity = critical']
    target_matchers: ['severity =~ warning|info']
    equal: [namespace, alertname]
  - source_matchers: ['severity = warning']
    target_matchers: ['severity = info']
    equal: [namespace, alertname]
  - source_matchers: ['alertname = InfoInhibitor']
    target_matchers: ['severity = info']
    equal: [namespace]
  - target_matchers: ['alertname = InfoInhibitor']
receivers:
  - name: "null"
route:
  group_by: [namespace]
  group_interval: 5m
  group_wait: 30s
  receiver: "null"
  repeat_interval: 12h
  routes:
    - matchers: ['alertname = "Watchdog"']
      receiver: "null"
templates: ['/etc/alertmanager/config/*.tmpl']
`;

test("the rules of kube-prometheus-stack notify nobody of InfoInhibitor while any other alert is open", () => {
  const { inhibitRules } = configOf(KUBE_PROMETHEUS_STACK);
  const inhibitor = new Inhibitor(inhibitRules);
  const info = { alertname: "InfoInhibitor", namespace: "a" };
  inhibitor.open({ id: "1", labels: info });
  inhibitor.open({ id: "2", labels: { ...info, namespace: "b" } });
  expect(inhibitor.inhibitedBy(info)).toBeUndefined();
  expect(inhibitor.inhibitedBy({ alertname: "x", severity: "info", namespace: "a" })?.source.id).toBe("1");
  inhibitor.open({ id: "3", labels: { alertname: "Watchdog" } });
  expect(inhibitor.inhibitedBy(info)?.source.id).toBe("3");
  expect(inhibitor.inhibitedBy({ alertname: "Watchdog" })).toBeUndefined();
});

test("a rule of inhibition without a target, which would keep back everything, is refused by line", () => {
  const parsed = parseNotifyConfig(
    "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules:\n  - source_matchers: [a=b]\n",
  );
  expect(parsed).toMatchObject({ problems: [{ line: 4, message: "has no target_matchers: write at least one." }] });
});

/** Names that Alertmanager's own defaults of a channel have. */
test.each([
  ["opsgenie", ["message", "description", "source"]],
  ["pushover", ["title", "message", "url"]],
  ["victorops", ["state_message", "entity_display_name", "monitoring_tool"]],
  ["webex", ["message"]],
  ["rocketchat", ["title", "alias", "titlelink", "emoji", "iconurl", "text"]],
  ["mattermost", ["title", "username", "titlelink", "fallback", "color", "text"]],
  ["jira", ["summary", "description", "priority"]],
])("a file may use the templates of %s that Alertmanager brings with it", (channel, names) => {
  for (const name of names) expect([...DEFAULTS.keys()]).toContain(`${channel}.default.${name}`);
});
