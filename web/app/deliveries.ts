/** Messages to receivers as words. */
import { DeliveryState, type NotificationDelivery } from "../../gen/web/telltale/v1/notification_pb.ts";
import { plural } from "./format.ts";

export const DELIVERY_STATES = ["waiting", "sent", "failed"] as const;
export type DeliveryStateName = (typeof DELIVERY_STATES)[number];

const BY_NAME: Readonly<Record<DeliveryStateName, DeliveryState>> = {
  waiting: DeliveryState.QUEUED,
  sent: DeliveryState.SENT,
  failed: DeliveryState.FAILED,
};

/** UNSPECIFIED for "": any, as a filter takes it. */
export function deliveryState(name: DeliveryStateName | ""): DeliveryState {
  return name === "" ? DeliveryState.UNSPECIFIED : BY_NAME[name];
}

export function deliveryStateName(state: DeliveryState): DeliveryStateName {
  return DELIVERY_STATES.find((name) => BY_NAME[name] === state) ?? "waiting";
}

/** Why it is as it is; "" where there is nothing to say. */
export function deliveryNote(delivery: NotificationDelivery): string {
  const { attempts, reason, fallbackTo, fallbackOf, fallbackReason } = delivery;
  return [
    ...(attempts > 1 ? [plural(attempts, "attempt")] : []),
    ...(reason === "" ? [] : [reason]),
    ...(fallbackTo === "" ? [] : [`${fallbackTo} is notified instead`]),
    ...(fallbackOf === undefined ? [] : [`instead of another that failed${fallbackReason && `: ${fallbackReason}`}`]),
  ].join("; ");
}
