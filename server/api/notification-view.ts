/** The configuration of notifications as a page draws it: routes in the order of the tree, receivers with what does not work. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { NotificationReceiverSchema, NotificationRouteSchema } from "../../gen/es/telltale/v1/notification_pb.ts";
import { toLabelMatcher } from "../lib/label-matcher.ts";
import { toTimestamp } from "../lib/time.ts";
import { channelKeys } from "../notify/config/channel-keys.ts";
import { channelText } from "../notify/config/channel-text.ts";
import type { NotifyConfig, ReceiverConfig, Route } from "../notify/config/config.ts";
import type { Broken } from "../notify/deliveries/broken.ts";

export interface ConfigView {
  readonly routes: MessageInitShape<typeof NotificationRouteSchema>[];
  readonly receivers: MessageInitShape<typeof NotificationReceiverSchema>[];
}

export function configView({ route, receivers }: NotifyConfig, broken: readonly Broken[]): ConfigView {
  return { routes: routesFrom(route), receivers: receivers.map((receiver) => receiverView(receiver, broken)) };
}

function routesFrom(route: Route): MessageInitShape<typeof NotificationRouteSchema>[] {
  const { id, receiver, matchers, groupBy, muteTimeIntervals, activeTimeIntervals, escalation } = route;
  const own = {
    ...{ id, receiver, escalation, continue: route.continue },
    matchers: matchers.map(toLabelMatcher),
    groupBy: groupBy === "all" ? [] : [...groupBy],
    groupByAll: groupBy === "all",
    groupWaitMs: BigInt(route.groupWaitMs),
    groupIntervalMs: BigInt(route.groupIntervalMs),
    repeatIntervalMs: BigInt(route.repeatIntervalMs),
    muteTimeIntervals: [...muteTimeIntervals],
    activeTimeIntervals: [...activeTimeIntervals],
  };
  return [own, ...route.routes.flatMap(routesFrom)];
}

function receiverView({ name, channels, ...receiver }: ReceiverConfig, broken: readonly Broken[]) {
  const keys = channelKeys(channels);
  return {
    ...{ name, fallback: receiver.fallback ?? "", giveUpAfterMs: BigInt(receiver.giveUpAfterMs) },
    ...(receiver.maxMessagesPerMinute === undefined ? {} : { maxMessagesPerMinute: receiver.maxMessagesPerMinute }),
    channels: channels.map((channel, index) => {
      const fault = broken.find((each) => each.receiver === name && each.channelKey === keys[index]);
      const since = fault === undefined ? {} : { brokenSince: toTimestamp(fault.sinceUs), brokenReason: fault.reason };
      return { kind: channel.kind, destination: channelText(channel), ...since };
    }),
  };
}
