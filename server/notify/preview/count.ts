/** Messages counted as people live through them: by day, and at night. */
import type { NotifyConfig, TimeInterval } from "../config/config.ts";
import { isActive } from "../intervals.ts";
import type { SentMessage } from "./replay.ts";

export interface ReceiverCount {
  readonly receiver: string;
  readonly channels: number;
  readonly messages: number;
  /** Of them those that report ends only. */
  readonly resolved: number;
  readonly atNight: number;
  /** YYYY-MM-DD; "" where there were none. */
  readonly busiestDay: string;
  readonly busiestDayMessages: number;
}

/** Minutes since midnight. */
const NIGHT = [
  { from: 22 * 60, to: 24 * 60 },
  { from: 0, to: 6 * 60 },
];

/** All receivers of the configuration, those with most messages first. `timeZone`: IANA name. */
export function countMessages(
  messages: readonly SentMessage[],
  { receivers }: NotifyConfig,
  timeZone: string,
): ReceiverCount[] {
  const night: readonly TimeInterval[] = [{ times: NIGHT, location: timeZone }];
  // In Canadian English dates are written as in ISO 8601.
  const dates = new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" });
  const byReceiver = Map.groupBy(messages, ({ receiver }) => receiver);
  const counts = receivers.map(({ name, channels }) => {
    const own = byReceiver.get(name) ?? [];
    const days = Map.groupBy(own, ({ atUs }) => dates.format(atUs / 1_000));
    const [busiest] = [...days].sort(([, a], [, b]) => b.length - a.length);
    return {
      ...{ receiver: name, channels: channels.length, messages: own.length },
      resolved: own.filter(({ status }) => status === "resolved").length,
      atNight: own.filter(({ atUs }) => isActive(night, atUs)).length,
      ...{ busiestDay: busiest?.[0] ?? "", busiestDayMessages: busiest?.[1].length ?? 0 },
    };
  });
  return counts.sort((a, b) => b.messages - a.messages);
}
