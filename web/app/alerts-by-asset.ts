/** Open alerts by the asset that their sensors belong to. */
import type { RegisteredSensor } from "../../gen/web/telltale/v1/registry_pb.ts";
import { SEVERITIES, type SeverityName, severityName } from "./severity.ts";

export interface AlertingAsset {
  /** "": sensors that have none. */
  readonly asset: string;
  readonly alerts: number;
  readonly sensors: number;
  readonly worst: SeverityName;
}

/** @param sensors that have an open alert  @returns the worst first, then those with most alerts */
export function alertsByAsset(sensors: readonly RegisteredSensor[]): readonly AlertingAsset[] {
  const byAsset = new Map<string, AlertingAsset>();
  for (const { asset, openAlerts, worstSeverity } of sensors) {
    const before = byAsset.get(asset) ?? { asset, alerts: 0, sensors: 0, worst: "low" };
    const [alerts, worst] = [before.alerts + Number(openAlerts), worseOf(before.worst, severityName(worstSeverity))];
    byAsset.set(asset, { asset, alerts, sensors: before.sensors + 1, worst });
  }
  const rank = ({ worst }: AlertingAsset) => SEVERITIES.indexOf(worst);
  return [...byAsset.values()].sort((a, b) => rank(a) - rank(b) || b.alerts - a.alerts || (a.asset < b.asset ? -1 : 1));
}

function worseOf(one: SeverityName, other: SeverityName): SeverityName {
  return SEVERITIES.indexOf(one) <= SEVERITIES.indexOf(other) ? one : other;
}
