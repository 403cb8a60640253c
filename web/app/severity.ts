/** Severities and states as words and classes: colour is never the only sign. */
import { type Alert, AlertState } from "../../gen/web/telltale/v1/alert_pb.ts";
import { Severity } from "../../gen/web/telltale/v1/reading_pb.ts";

export type SeverityName = "critical" | "high" | "medium" | "low";

/** Worst first. */
export const SEVERITIES: readonly SeverityName[] = ["critical", "high", "medium", "low"];

const BY_NAME: Readonly<Record<SeverityName, Severity>> = {
  critical: Severity.CRITICAL,
  high: Severity.HIGH,
  medium: Severity.MEDIUM,
  low: Severity.LOW,
};

export function severityName(severity: Severity): SeverityName {
  return SEVERITIES.find((name) => BY_NAME[name] === severity) ?? "low";
}

/** UNSPECIFIED for what is none, as a filter takes it. */
export function severityOf(name: string): Severity {
  return Object.hasOwn(BY_NAME, name) ? BY_NAME[name as SeverityName] : Severity.UNSPECIFIED;
}

export function isOpen({ state }: Pick<Alert, "state">): boolean {
  return state === AlertState.OPEN;
}

/** The sentence of an alert without its score, and without when it ended: a list has these beside it. */
export function shortMessage({ message }: Pick<Alert, "message">): string {
  return message.replace(
    /^Anomaly detected with score [\d.]+(?:, (?:recovered|resolved|settled)[^:]*(?::\d\d[^:]*)*)?: /,
    "",
  );
}

export function stateText({ state }: Pick<Alert, "state">): string {
  if (state === AlertState.OPEN) return "open";
  return state === AlertState.RECOVERED ? "recovered" : "resolved";
}
