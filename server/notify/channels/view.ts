/** What a message says to people, before it is text, HTML or a card. */
import { duration, figure, instant, withUnit } from "../../detect/index.ts";
import type { Message, NotifiedAlert } from "../message.ts";
import { bounded } from "./bounded.ts";
import { MAX_LINK_CHARACTERS, MAX_SUBJECT_CHARACTERS } from "./limits.ts";
import { beginning, escalationNote, fallbackNote, lines, oneLine } from "./texts.ts";

export interface MessageView {
  /** That of the worst open alert, "resolved", or "" where it is none of ours. */
  readonly severity: string;
  readonly subject: string;
  /** One sentence about the whole message. */
  readonly headline: string;
  readonly alerts: readonly AlertView[];
  /** What is not in `alerts`, as a sentence; empty where there is nothing. */
  readonly more: string;
  /** Where people see more; empty: unknown. */
  readonly url: string;
}

/** All texts are one line each, but for `description`; none is escaped. */
export interface AlertView {
  /** "CRITICAL" … "LOW", or "RESOLVED". */
  readonly badge: string;
  readonly severity: string;
  readonly title: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly description: string;
  /** What to do; empty where nobody wrote it. */
  readonly runbookUrl: string;
  /** Where the receiver acts on it; empty where it cannot. */
  readonly actUrl: string;
}

const SEVERITIES: readonly string[] = ["low", "medium", "high", "critical"];

/** @param maxText characters of each label and annotation */
export function messageView(
  message: Message,
  { maxAlerts, maxText }: { maxAlerts: number; maxText: number },
): MessageView {
  const shown = bounded(message, maxAlerts, maxText);
  const count = shown.alerts.length + shown.truncatedAlerts;
  const what = count === 1 && shown.alerts[0] !== undefined ? titleOf(shown.alerts[0]) : groupTitle(shown);
  const severity = worst(shown.alerts);
  const state = badgeOf(shown.status, severity);
  // What stands in brackets is not a part of the subject by which mail programs find a conversation (RFC 5256).
  const subject = `[${count > 1 ? `${state}, ${count} alerts` : state}] ${what}`;
  const left = shown.truncatedAlerts;
  return {
    subject: beginning(subject, MAX_SUBJECT_CHARACTERS),
    headline: [shown.notice ?? headlineOf(shown, count), escalationNote(shown), beginning(fallbackNote(shown), maxText)]
      .filter(Boolean)
      .join(" "),
    severity: shown.status === "resolved" ? "resolved" : severity,
    // A link that is shortened leads nowhere.
    alerts: shown.alerts.map((alert, at) =>
      alertView(
        { ...alert, actUrl: message.alerts[at]!.actUrl ?? "" },
        message.alerts[at]!.annotations.runbook_url ?? "",
      ),
    ),
    more: left === 0 ? "" : `${left} more ${left === 1 ? "alert is" : "alerts are"} not shown.`,
    url: link(message.externalUrl),
  };
}

function headlineOf({ alerts, status }: Message, count: number): string {
  if (count === 1) return status === "firing" ? "An alert is open." : "The alert is over.";
  if (status === "resolved") return `All ${count} alerts are over.`;
  const over = alerts.filter((alert) => alert.status === "resolved").length;
  return over === 0 ? `${count} alerts are open.` : `${count} alerts, ${over} of them over.`;
}

export function alertView(alert: NotifiedAlert, runbookUrl: string): AlertView {
  const { labels, annotations, status, startsUs, endsUs } = alert;
  const severity = oneLine(labels.severity ?? "").toLowerCase();
  const facts: [string, string | undefined][] = [
    ["Sensor", withName(labels.sensor_id ?? labels.instance, annotations.display_name)],
    ["Type", labels.sensor_type],
    ["Value", quantity(annotations.value, annotations.unit)],
    ["Expected", quantity(annotations.expected, annotations.unit)],
    ["Since", instant(startsUs)],
    ["Until", endsUs === undefined ? undefined : `${instant(endsUs)} (${duration(endsUs - startsUs)})`],
    ["Severity", severity],
    ["Place", [labels.asset, labels.location].filter(Boolean).join(", ")],
    ["Owner", labels.owner],
  ];
  return {
    badge: badgeOf(status, severity),
    severity: status === "resolved" ? "resolved" : severity,
    title: titleOf(alert),
    facts: facts.map(([name, value]) => [name, oneLine(value ?? "")] as const).filter(([, value]) => value !== ""),
    description: lines(annotations.description ?? ""),
    runbookUrl: link(runbookUrl),
    actUrl: link(alert.actUrl ?? ""),
  };
}

function badgeOf(status: string, severity: string): string {
  return status === "resolved" ? "RESOLVED" : (severity || "alert").toUpperCase();
}

/** Of the open ones; a severity of others' making counts least. */
function worst(alerts: readonly NotifiedAlert[]): string {
  const found = alerts
    .filter(({ status }) => status === "firing")
    .map(({ labels }) => oneLine(labels.severity ?? "").toLowerCase());
  return found.sort((a, b) => SEVERITIES.indexOf(b) - SEVERITIES.indexOf(a))[0] ?? "";
}

/** What is wrong and where: an alert's summary has both, where it has one. */
function titleOf({ labels, annotations }: NotifiedAlert): string {
  const where = annotations.display_name || labels.sensor_id || labels.instance || labels.asset || "";
  const title = annotations.summary || [labels.alertname || "Alert", where].filter(Boolean).join(" at ");
  return oneLine(title);
}

/** The same for as long as the group lives. */
function groupTitle({ groupLabels, commonLabels, receiver }: Message): string {
  const values = Object.values(groupLabels).filter(Boolean);
  return oneLine(values.length > 0 ? values.join(" ") : commonLabels.alertname || receiver);
}

function withName(id: string | undefined, name: string | undefined): string | undefined {
  return name && name !== id ? `${name} (${id})` : id;
}

/** A number as people read it; what is none stands as it is. */
function quantity(value: string | undefined, unit: string | undefined): string | undefined {
  if (value === undefined || value.trim() === "") return undefined;
  const shown = Number.isFinite(Number(value)) ? figure(Number(value)) : value;
  return withUnit(shown, unit ?? "");
}

/** Only what a browser shows: `javascript:` and the like are no links. */
function link(address: string): string {
  if (address.length > MAX_LINK_CHARACTERS || !URL.canParse(address)) return "";
  const { protocol, href } = new URL(address);
  return /^https?:$/.test(protocol) ? href : "";
}
