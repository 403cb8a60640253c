import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { DeliveryState, NotificationDeliverySchema } from "../../gen/web/telltale/v1/notification_pb.ts";
import { DELIVERY_STATES, deliveryNote, deliveryState, deliveryStateName } from "./deliveries.ts";

test("names and values of states belong together", () => {
  for (const name of DELIVERY_STATES) expect(deliveryStateName(deliveryState(name))).toBe(name);
  expect(deliveryState("")).toBe(DeliveryState.UNSPECIFIED);
});

test("a message says why it failed, and whom it was sent to instead", () => {
  const note = (fields: object) => deliveryNote(create(NotificationDeliverySchema, fields));
  expect(note({ attempts: 1 })).toBe("");
  expect(note({ attempts: 3, reason: "answered 500", fallbackTo: "team" })).toBe(
    "3 attempts; answered 500; team is notified instead",
  );
  expect(note({ attempts: 1, fallbackOf: 7n, fallbackReason: "timed out" })).toBe(
    "instead of another that failed: timed out",
  );
});
