/** PagerDuty: Events API v2. A group is one incident: its messages trigger it, and the last one resolves it. */
import { isoTime, toTimestamp } from "../../lib/time.ts";
import type { Channel } from "../channel.ts";
import { PAGERDUTY_SEVERITIES, type PagerDutyConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import { actText } from "./act-links.ts";
import { type ChatView, chatText, fitting, PLAIN } from "./chat.ts";
import { httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_PAGERDUTY_BYTES, MAX_PAGERDUTY_SUMMARY_CHARACTERS } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import { beginning, incidentKey, oneLine } from "./texts.ts";
import type { AlertView } from "./view.ts";

/** By what the platform calls it. */
const SEVERITIES: ReadonlyMap<string, string> = new Map([
  ["critical", "critical"],
  ["high", "error"],
  ["medium", "warning"],
  ["low", "info"],
]);
/** Of labels in the event; more is not shown. */
const MAX_LABEL_CHARACTERS = 200;

export function pagerDuty(config: PagerDutyConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ message, secrets }: Posted) => {
    const routingKey = await secrets.read(config.routingKey, "the routing key of PagerDuty");
    const body = fitting(
      message,
      (view) => json(event(message, view, { routingKey, config })),
      (built) => built.length <= MAX_PAGERDUTY_BYTES,
    );
    return [{ body }];
  };
  return httpChannel({ kind: "pagerduty", what: "PagerDuty", outgoing }, config, options);
}

function event(
  message: Message,
  view: ChatView,
  { routingKey, config }: { routingKey: string; config: PagerDutyConfig },
) {
  const clientUrl = config.clientUrl ?? view.url;
  const runbook = view.alerts[0]?.runbookUrl ?? "";
  const links = [
    { href: runbook, text: "What to do" },
    ...view.alerts.slice(0, view.detailed).map((alert) => ({ href: alert.actUrl, text: linkText(view, alert) })),
    ...(config.links ?? []).map(({ href = "", text = href }) => ({ href, text })),
  ].filter(({ href }) => href !== "");
  const images = (config.images ?? []).flatMap(({ src, href, alt }) =>
    src ? [{ src, ...(href && { href }), ...(alt && { alt }) }] : [],
  );
  return {
    routing_key: routingKey,
    event_action: message.status === "resolved" ? "resolve" : "trigger",
    dedup_key: incidentKey(message),
    client: config.client ?? "Telltale",
    ...(clientUrl !== "" && { client_url: clientUrl }),
    ...(links.length > 0 && { links }),
    ...(images.length > 0 && { images }),
    payload: payload(message, view, config),
  };
}

function linkText({ alerts }: ChatView, alert: AlertView): string {
  return alerts.length === 1 ? actText(alert) : `${actText(alert)}: ${alert.title}`;
}

/** What a template makes may be ours, or no severity at all: PagerDuty refuses an event with another one than its own. */
function severityOf(configured = ""): string | undefined {
  const severity = configured.trim().toLowerCase();
  return PAGERDUTY_SEVERITIES.includes(severity) ? severity : SEVERITIES.get(severity);
}

function payload(message: Message, view: ChatView, config: PagerDutyConfig) {
  const label = (name: string) => beginning(oneLine(message.commonLabels[name] ?? ""), MAX_LABEL_CHARACTERS);
  const optional = {
    component: config.component ?? label("asset"),
    group: config.group ?? label("location"),
    class: config.class ?? label("alertname"),
  };
  const startsUs = Math.min(...message.alerts.map((alert) => alert.startsUs));
  return {
    summary: beginning(config.description || view.subject, MAX_PAGERDUTY_SUMMARY_CHARACTERS),
    source: config.source || label("sensor_id") || "telltale",
    severity: severityOf(config.severity) ?? SEVERITIES.get(view.severity) ?? "error",
    ...(Number.isFinite(startsUs) && { timestamp: isoTime(toTimestamp(startsUs)) }),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== "")),
    custom_details: { alerts: chatText(view, PLAIN), ...config.details },
  };
}
