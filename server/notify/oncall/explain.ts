/** What an escalation does about an alert, in sentences. */
import { durationText } from "../../../formats/duration.ts";
import type { NotifyConfig, Route } from "../config/config.ts";
import { escalationNamed } from "../groups/membership.ts";
import { type Override, onCall } from "./oncall.ts";

interface Now {
  readonly config: NotifyConfig;
  readonly overrides: readonly Override[];
  readonly nowUs: number;
}

/** Nothing where the route has none. */
export function escalationLines(
  route: Route,
  { isAcknowledged }: { readonly isAcknowledged: boolean },
  { config, overrides, nowUs }: Now,
): string[] {
  const { name, steps } = escalationNamed(config, route.escalation) ?? { name: "", steps: [] };
  if (steps.length > 0 && isAcknowledged)
    return [`It is acknowledged: the escalation ${name} notifies nobody any more.`];
  return steps.map(({ afterMs, receivers, schedules }, i) => {
    const duties = { timeIntervals: config.timeIntervals, overrides };
    const onDuty = schedules.map((each) => {
      const schedule = config.schedules.find((known) => known.name === each)!;
      const names = onCall(schedule, duties, nowUs).map(({ receiver }) => receiver);
      return names.length === 0
        ? `nobody, since none is on call for ${each}`
        : `${names.join(", ")} (on call for ${each})`;
    });
    const told = [...receivers, ...onDuty].join(", ");
    return `Step ${i + 1} of the escalation ${name} tells ${told} after ${durationText(afterMs)}, unless it is acknowledged before.`;
  });
}
